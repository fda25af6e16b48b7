// The settings `codewm.*`: which go to the server, and which say where the server is.

import * as os from 'node:os';
import * as path from 'node:path';
import * as vscode from 'vscode';

export const SECTION = 'codewm';

const OF_THE_SERVER = [
  'enable',
  'display',
  'kinds.similar',
  'kinds.next',
  'cleanTree',
  'threshold',
  'lensesPerFile',
  'exclude',
  'historyDepth',
  'pauseWhenBusy',
  'debounceMs',
  'model',
  'store',
  'threads',
  'logLevel',
] as const;

/** A change of one of these takes another server process; all others are applied by the one that runs. */
const OF_THE_START = ['path'] as const;

export function configuration(): vscode.WorkspaceConfiguration {
  return vscode.workspace.getConfiguration(SECTION);
}

/** What the server is given, in its own names. */
export function serverSettings(): Record<string, unknown> {
  const settings = configuration();
  const sent: Record<string, unknown> = {};
  const kinds: Record<string, unknown> = {};
  for (const name of OF_THE_SERVER) {
    const [group, inner] = name.split('.');
    if (group === 'kinds' && inner !== undefined) {
      kinds[inner] = settings.get(name);
    } else {
      sent[name] = settings.get(name);
    }
  }
  sent['kinds'] = kinds;
  if (!isSet(settings, 'debounceMs') && isSet(settings, 'eagerness')) {
    sent['debounceMs'] = settings.get('eagerness'); // its old name
  }
  for (const name of ['model', 'store']) {
    const place = settings.get(name);
    sent[name] = typeof place === 'string' ? expand(place) : place;
  }
  return sent;
}

function isSet(settings: vscode.WorkspaceConfiguration, name: string): boolean {
  const where = settings.inspect(name);
  return [where?.globalValue, where?.workspaceValue, where?.workspaceFolderValue].some((value) => value !== undefined);
}

/** `codewm.path`, variables filled in; empty when it is not set. */
export function serverPath(): string {
  const value = configuration().get('path');
  return typeof value === 'string' ? expand(value.trim()) : '';
}

export function traceSetting(): 'off' | 'messages' | 'verbose' {
  const value = configuration().get('trace.server');
  return value === 'messages' || value === 'verbose' ? value : 'off';
}

export function startChanged(event: vscode.ConfigurationChangeEvent): boolean {
  return OF_THE_START.some((name) => event.affectsConfiguration(`${SECTION}.${name}`));
}

/** `~`, `${workspaceFolder}`, `${userHome}` and `${env:NAME}`, as elsewhere in VS Code. */
export function expand(text: string): string {
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri.fsPath ?? '';
  const filled = text
    .replaceAll('${workspaceFolder}', folder)
    .replaceAll('${userHome}', os.homedir())
    .replace(/\$\{env:([^}]+)\}/g, (_, name: string) => process.env[name] ?? '');
  return filled === '~' || filled.startsWith('~/') ? path.join(os.homedir(), filled.slice(1)) : filled;
}
