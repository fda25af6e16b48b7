// The life of the language server: found, started, started anew when what it depends on changes, asked.

import { type LanguageClient, State as ClientState } from 'vscode-languageclient/node';
import * as vscode from 'vscode';
import { makeClient, Restarts } from './client';
import { selectedInterpreter } from './interpreter';
import type { LineEnds } from './lineEnds';
import { type Found, findServer, type Missing, type WrongPath } from './lookup';
import { type ServerCommands, type ServerStatus, STATUS_CHANGED } from './protocol';
import { environmentIn, programsOf } from './environment';
import { serverPath, serverSettings } from './settings';
import { shellPath } from './shell';

export type State =
  | { readonly kind: 'starting' }
  | {
      readonly kind: 'running';
      readonly found: Found;
      readonly version: string;
      readonly status: ServerStatus | undefined;
    }
  | { readonly kind: 'failed'; readonly message: string }
  | Missing
  | WrongPath;

const BURST = 150; // milliseconds: settings, interpreter and trust often change together

export class Server implements vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<State>();
  private readonly answering = new vscode.EventEmitter<void>();
  private client: LanguageClient | undefined;
  private current: State = { kind: 'starting' };
  private requests = 0;
  private forced = false;
  private working: Promise<void> | undefined;
  private disposed = false;

  readonly onDidChange = this.changed.event;
  /** A server process answers from now on, the first one or a later one. */
  readonly onDidStart = this.answering.event;

  constructor(
    private readonly channels: { readonly log: vscode.LogOutputChannel; readonly trace: vscode.LogOutputChannel },
    private readonly neutralFolder: string,
    private readonly storage: string,
    private readonly lineEnds: LineEnds,
  ) {}

  get state(): State {
    return this.current;
  }

  /** Start the server anew. Requests that come together are one. */
  restart(): Promise<void> {
    this.forced = true;
    return this.reconsider();
  }

  /** Look again where the server is, and start it anew if that is elsewhere. */
  reconsider(): Promise<void> {
    this.requests += 1;
    this.working ??= this.work().finally(() => {
      this.working = undefined;
    });
    return this.working;
  }

  /** Look again, where there was none: it may have been installed meanwhile. */
  async lookAgain(): Promise<void> {
    if (this.current.kind === 'missing' || this.current.kind === 'wrongPath') {
      await this.reconsider();
    }
  }

  /** Hand over the settings as they are now. */
  async configure(): Promise<void> {
    if (this.client?.state === ClientState.Running) {
      await this.client.sendNotification('workspace/didChangeConfiguration', {
        settings: { codewm: serverSettings() },
      });
    }
  }

  /** Run a command of the server. Rejects with a message for the user. */
  async ask<Name extends keyof ServerCommands>(
    command: Name,
    argument: ServerCommands[Name]['takes'],
  ): Promise<ServerCommands[Name]['gives']> {
    if (this.current.kind === 'starting') {
      await this.working;
    }
    if (this.client?.state !== ClientState.Running) {
      throw new Error('The CodeWM server is not running.');
    }
    return this.client.sendRequest('workspace/executeCommand', {
      command,
      arguments: argument === undefined ? [] : [argument],
    });
  }

  /** End the server, and start no other. */
  async stop(): Promise<void> {
    this.disposed = true;
    await this.working;
    await this.end();
  }

  dispose(): void {
    void this.stop();
    this.changed.dispose();
    this.answering.dispose();
  }

  private async work(): Promise<void> {
    let served: number;
    do {
      if (this.current.kind !== 'starting') {
        await new Promise((resolve) => setTimeout(resolve, BURST));
      }
      served = this.requests;
      const forced = this.forced;
      this.forced = false;
      await this.once(forced);
    } while (served !== this.requests && !this.disposed);
  }

  private async once(forced: boolean): Promise<void> {
    const setting = serverPath();
    const asked = !setting && vscode.workspace.isTrusted;
    const found = await findServer({
      setting,
      interpreter: asked ? (await selectedInterpreter(this.channels.log))?.path : undefined,
      searchPath: process.env['PATH'] ?? '',
      workspaceFolders: (vscode.workspace.workspaceFolders ?? []).map((folder) => folder.uri.fsPath),
      shellPath,
      ownPrograms: programsOf(environmentIn(this.storage)).folder,
      neutralFolder: this.neutralFolder,
    });
    if (!forced && isSame(this.current, found)) {
      return;
    }
    await this.end();
    if (this.disposed) {
      return;
    }
    if (found.kind === 'found') {
      await this.begin(found);
    } else {
      const why = found.kind === 'missing' ? found.tried.join('; ') : `codewm.path names ${found.setting}`;
      this.channels.log.warn(`No server found: ${why}.`);
      this.become(found);
    }
  }

  private async begin(found: Found): Promise<void> {
    this.become({ kind: 'starting' });
    this.channels.log.info(`Starting ${[found.command, ...found.args].join(' ')} (found by ${found.where})`);
    const restarts = new Restarts(
      () => void vscode.window.showWarningMessage('The CodeWM server crashed and was restarted.'),
      () => this.become({ kind: 'failed', message: 'The server crashed five times in three minutes.' }),
    );
    const client = makeClient(found, this.neutralFolder, this.channels, restarts, this.lineEnds);
    this.client = client;
    client.onNotification(STATUS_CHANGED, (status: ServerStatus) => {
      if (this.client === client && this.current.kind === 'running') {
        this.become({ ...this.current, status });
      }
    });
    client.onDidChangeState((event) => {
      if (this.client !== client) {
        return;
      }
      if (event.newState === ClientState.Running) {
        const version = client.initializeResult?.serverInfo?.version ?? '';
        this.become({ kind: 'running', found, version, status: undefined });
        this.answering.fire();
      } else if (event.newState === ClientState.Starting && this.current.kind === 'running') {
        this.become({ kind: 'starting' });
      }
    });
    try {
      await client.start();
    } catch (error) {
      if (this.client === client) {
        const message = error instanceof Error ? error.message : String(error);
        this.channels.log.error(`${found.command} did not start: ${message}`);
        this.become({ kind: 'failed', message: `${found.command} did not start: ${message}` });
      }
    }
  }

  private async end(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    this.lineEnds.clear();
    if (client === undefined) {
      return;
    }
    try {
      await client.dispose();
    } catch (error) {
      this.channels.log.info(`The server did not shut down cleanly: ${String(error)}`);
    }
  }

  private become(state: State): void {
    this.current = state;
    if (!this.disposed) {
      this.changed.fire(state);
    }
  }
}

/** Whether what was found is what there is already. */
function isSame(state: State, found: Found | Missing | WrongPath): boolean {
  if (state.kind !== 'running' || found.kind !== 'found') {
    return JSON.stringify(state) === JSON.stringify(found);
  }
  const { command, args } = state.found;
  return command === found.command && args.join('\0') === found.args.join('\0');
}
