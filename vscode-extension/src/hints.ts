// The toggle and the snooze. They belong to the window: a server that is started anew is told of them again.

import * as vscode from 'vscode';
import type { Server } from './server';

export const SNOOZE_MINUTES = 10;

export class Hints implements vscode.Disposable {
  private readonly listening: vscode.Disposable;
  private switched: boolean | undefined;
  private snoozedUntil = 0;

  constructor(private readonly server: Server) {
    this.listening = vscode.Disposable.from(
      server.onDidStart(() => void this.apply()),
      server.onDidChange((state) => {
        const status = state.kind === 'running' ? state.status : undefined;
        if (status !== undefined) {
          void vscode.commands.executeCommand('setContext', 'codewm.snoozed', status.snoozed > 0);
        }
      }),
      vscode.workspace.onDidChangeConfiguration((event) => {
        if (event.affectsConfiguration('codewm.enable')) {
          this.switched = undefined; // the setting has the last word, here as in the server
        }
      }),
    );
  }

  /** Off where on, on where off; also ends a snooze. */
  async toggle(): Promise<boolean> {
    const { state } = this.server;
    const status = state.kind === 'running' ? state.status : undefined;
    const on = status === undefined ? !(this.switched ?? true) : !(status.enabled && status.snoozed <= 0);
    this.snoozedUntil = 0;
    this.switched = (await this.server.ask('codewm.toggle', on)).enabled;
    return this.switched;
  }

  async snooze(minutes: number): Promise<void> {
    await this.server.ask('codewm.snooze', minutes);
    this.snoozedUntil = Date.now() + minutes * 60_000;
  }

  dispose(): void {
    this.listening.dispose();
  }

  private async apply(): Promise<void> {
    if (this.switched !== undefined) {
      await this.server.ask('codewm.toggle', this.switched);
    }
    const minutes = (this.snoozedUntil - Date.now()) / 60_000;
    if (minutes > 0) {
      await this.server.ask('codewm.snooze', minutes);
    }
  }
}
