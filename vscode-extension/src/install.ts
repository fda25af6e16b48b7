// What happens when there is no server: one notification, and the installation that it offers.

import * as fs from 'node:fs/promises';
import * as vscode from 'vscode';
import { environmentIn, programsOf, requirement, suitablePython } from './environment';
import { type Interpreter, selectedInterpreter } from './interpreter';
import type { Server, State } from './server';
import { shellPath } from './shell';
import { runInTerminal } from './tasks';

const INSTALL = 'Install';
const HOW = 'How to Install';
const SET_PATH = 'Set Path…';
const OPEN_SETTING = 'Open Setting';
const GET_PYTHON = 'Get Python';
const RESTART = 'Restart';
const LOGS = 'Show Logs';

/** What an installation needs of the extension. */
export interface Installer {
  readonly server: Server;
  readonly log: vscode.LogOutputChannel;
  readonly context: vscode.ExtensionContext;
}

/** Says once what is wrong, and again only after it was right in between. */
export class Notices implements vscode.Disposable {
  private readonly listening: vscode.Disposable;
  private said: string | undefined;

  constructor(private readonly installer: Installer) {
    this.listening = installer.server.onDidChange((state) => void this.look(state));
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
      await offerInstallation(this.installer);
    } else if (state.kind === 'wrongPath') {
      const message = `CodeWM: the setting codewm.path names ${state.setting}, which is not an executable.`;
      if ((await vscode.window.showErrorMessage(message, OPEN_SETTING)) !== undefined) {
        await openSetting('codewm.path');
      }
    } else {
      const choice = await vscode.window.showErrorMessage(`CodeWM: ${state.message}`, RESTART, LOGS);
      if (choice === RESTART) {
        await this.installer.server.restart();
      } else if (choice === LOGS) {
        this.installer.log.show();
      }
    }
  }
}

/** The one notification when no server is found. */
export async function offerInstallation(installer: Installer): Promise<void> {
  const wanted = await packageOf(installer.context);
  const first = wanted === undefined ? HOW : INSTALL;
  const choice = await vscode.window.showWarningMessage(
    'CodeWM needs its language server, which was not found in the selected Python environment or on PATH.',
    first,
    SET_PATH,
  );
  if (choice === SET_PATH) {
    await openSetting('codewm.path');
  } else if (choice === HOW) {
    await vscode.commands.executeCommand('workbench.action.openWalkthrough', 'codewm.codewm#codewm.start', false);
  } else if (choice === INSTALL && wanted !== undefined) {
    await install(installer, wanted);
  }
}

/** What pip is told to install: `codewm`, or the wheel that came along; undefined where there is neither. */
export function packageOf(context: vscode.ExtensionContext): Promise<string | undefined> {
  const about = context.extension.packageJSON as { readonly codewm?: { readonly published?: boolean } };
  return requirement(context.extensionPath, about.codewm?.published === true);
}

/** Install a package of ours into an environment, in a terminal; whether that went well. */
export async function pipInstall(interpreter: string, wanted: string): Promise<boolean> {
  return succeeds('install CodeWM', interpreter, ['-m', 'pip', 'install', '--upgrade', wanted]);
}

async function install(installer: Installer, wanted: string): Promise<void> {
  const interpreter = vscode.workspace.isTrusted ? await selectedInterpreter(installer.log) : undefined;
  const into = interpreter === undefined ? 'own' : await chooseEnvironment(interpreter);
  if (into === undefined) {
    return;
  }
  const python = into === 'own' ? await ownEnvironment(installer.context) : into;
  if (python !== undefined && (await pipInstall(python, wanted))) {
    await installer.server.restart();
  }
}

async function chooseEnvironment(interpreter: Interpreter): Promise<string | undefined> {
  const own = { label: 'A new environment of its own', description: 'recommended', into: 'own' };
  const selected = { label: named(interpreter), description: 'the selected interpreter', into: interpreter.path };
  const title = 'CodeWM: install the language server in which environment?';
  return (await vscode.window.showQuickPick([own, selected], { title }))?.into;
}

/** The interpreter of the extension's own environment, which is made if it is missing. */
async function ownEnvironment(context: vscode.ExtensionContext): Promise<string | undefined> {
  const folder = environmentIn(context.globalStorageUri.fsPath);
  const { python } = programsOf(folder);
  if (await exists(python)) {
    return python;
  }
  const workspaceFolders = (vscode.workspace.workspaceFolders ?? []).map((one) => one.uri.fsPath);
  const found =
    (await suitablePython({ searchPath: process.env['PATH'] ?? '', workspaceFolders })) ??
    (await suitablePython({ searchPath: await shellPath(), workspaceFolders }));
  if (found === undefined) {
    const message = 'CodeWM needs Python 3.10 or newer with venv and pip, which was not found on PATH.';
    if ((await vscode.window.showErrorMessage(message, GET_PYTHON, SET_PATH)) === GET_PYTHON) {
      await vscode.env.openExternal(vscode.Uri.parse('https://www.python.org/downloads/'));
    }
    return undefined;
  }
  await vscode.workspace.fs.createDirectory(context.globalStorageUri);
  return (await succeeds('create an environment for CodeWM', found, ['-m', 'venv', folder])) ? python : undefined;
}

async function succeeds(name: string, program: string, args: readonly string[]): Promise<boolean> {
  const code = await runInTerminal(name, program, args, undefined);
  if (code !== 0 && code !== undefined) {
    void vscode.window.showErrorMessage(`CodeWM could not be installed (exit code ${String(code)}). See the terminal.`);
  }
  return code === 0;
}

function named(interpreter: Interpreter): string {
  const parts = interpreter.path.split(/[\\/]/);
  const folder = /^(bin|scripts)$/i.test(parts[parts.length - 2] ?? '') ? parts[parts.length - 3] : undefined;
  const environment = folder !== undefined && folder !== '' && folder !== 'usr' ? folder : interpreter.path;
  return `${interpreter.version} (${environment})`;
}

async function exists(file: string): Promise<boolean> {
  return fs.access(file).then(
    () => true,
    () => false,
  );
}

async function openSetting(name: string): Promise<void> {
  await vscode.commands.executeCommand('workbench.action.openSettings', name);
}
