// What happens when there is no server: one notification, and the installation that it offers.

import * as vscode from 'vscode';
import { type Interpreter, selectedInterpreter } from './interpreter';
import type { Server, State } from './server';
import { runInTerminal } from './tasks';

const PACKAGE = 'codewm';
const SET_PATH = 'Set Path…';
const HOW = 'How to Install';
const OPEN_SETTING = 'Open Setting';
const RESTART = 'Restart';
const LOGS = 'Show Logs';

/** Says once what is wrong, and again only after it was right in between. */
export class Notices implements vscode.Disposable {
  private readonly listening: vscode.Disposable;
  private said: string | undefined;

  constructor(
    private readonly server: Server,
    private readonly log: vscode.LogOutputChannel,
  ) {
    this.listening = server.onDidChange((state) => void this.look(state));
  }

  dispose(): void {
    this.listening.dispose();
  }

  private async look(state: State): Promise<void> {
    if (state.kind === 'running') {
      this.said = undefined;
    }
    if (state.kind === 'running' || state.kind === 'starting') {
      return;
    }
    const key = JSON.stringify(state);
    if (key === this.said) {
      return;
    }
    this.said = key;
    if (state.kind === 'missing') {
      await offerInstallation(this.server, this.log);
    } else if (state.kind === 'wrongPath') {
      const message = `CodeWM: the setting codewm.path names ${state.setting}, which is no program that can be run.`;
      if ((await vscode.window.showErrorMessage(message, OPEN_SETTING)) !== undefined) {
        await openSetting('codewm.path');
      }
    } else {
      const choice = await vscode.window.showErrorMessage(`CodeWM: ${state.message}`, RESTART, LOGS);
      if (choice === RESTART) {
        await this.server.restart();
      } else if (choice === LOGS) {
        this.log.show();
      }
    }
  }
}

/** The one notification when no server is found. */
export async function offerInstallation(server: Server, log: vscode.LogOutputChannel): Promise<void> {
  const interpreter = vscode.workspace.isTrusted ? await selectedInterpreter(log) : undefined;
  const install = interpreter === undefined ? HOW : `Install into ${named(interpreter)}`;
  const choice = await vscode.window.showWarningMessage(
    'CodeWM found no language server: codewm-lsp is neither in the selected Python environment nor on PATH.',
    install,
    SET_PATH,
  );
  if (choice === SET_PATH) {
    await openSetting('codewm.path');
  } else if (choice === HOW) {
    await vscode.commands.executeCommand('workbench.action.openWalkthrough', 'codewm.codewm#codewm.start', false);
  } else if (choice !== undefined && interpreter !== undefined) {
    await install_(interpreter, server);
  }
}

/** Install a package of ours into an environment, in a terminal; whether that went well. */
export async function pipInstall(interpreter: string, wanted: string): Promise<boolean> {
  const args = ['-m', 'pip', 'install', '--upgrade', wanted];
  const code = await runInTerminal(`install ${wanted}`, interpreter, args, undefined);
  if (code !== 0 && code !== undefined) {
    const advice = `The terminal says why; the command was: ${interpreter} ${args.join(' ')}`;
    void vscode.window.showErrorMessage(`CodeWM could not be installed (exit code ${String(code)}). ${advice}`);
  }
  return code === 0;
}

async function install_(interpreter: Interpreter, server: Server): Promise<void> {
  if (await pipInstall(interpreter.path, PACKAGE)) {
    await server.restart();
  }
}

function named(interpreter: Interpreter): string {
  const parts = interpreter.path.split(/[\\/]/);
  const folder = /^(bin|scripts)$/i.test(parts[parts.length - 2] ?? '') ? parts[parts.length - 3] : undefined;
  const environment = folder !== undefined && folder !== '' && folder !== 'usr' ? folder : interpreter.path;
  return `${interpreter.version} (${environment})`;
}

async function openSetting(name: string): Promise<void> {
  await vscode.commands.executeCommand('workbench.action.openSettings', name);
}
