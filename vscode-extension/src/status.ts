// The entry in the language status of Python files: how CodeWM stands, and what can be done about it.

import * as path from 'node:path';
import * as vscode from 'vscode';
import type { ServerStatus } from './protocol';
import type { Server, State } from './server';

export interface Shown {
  readonly text: string;
  readonly detail: string;
  readonly severity: 'information' | 'warning' | 'error';
  readonly busy: boolean;
  readonly command: { readonly title: string; readonly command: string; readonly arguments?: unknown[] };
}

const LOGS = { title: 'Show Logs', command: 'codewm.showLogs' };
const MODEL = { title: 'Open Setting', command: 'workbench.action.openSettings', arguments: ['codewm.model'] };
const PATH = { title: 'Open Setting', command: 'workbench.action.openSettings', arguments: ['codewm.path'] };

/** Documents that the server is not asked about, by the scheme of their URI, and why they get no hints. */
const UNASKED: Readonly<Record<string, string>> = {
  'vscode-notebook-cell': 'a notebook',
  untitled: 'not saved in a repository yet',
};

/** What is shown now. */
export function shownNow(server: Server): Shown {
  return describe(server.state, vscode.window.activeTextEditor?.document.uri.toString());
}

/** What is shown of a state while the document of this URI is looked at. */
function describe(state: State, uri = ''): Shown {
  const calm = { severity: 'information', busy: false } as const;
  switch (state.kind) {
    case 'starting':
      return { ...calm, text: 'CodeWM', detail: 'starting', busy: true, command: LOGS };
    case 'missing':
      return {
        text: 'CodeWM: no server',
        detail: state.tried.join('; '),
        severity: 'error',
        busy: false,
        command: { title: 'Install', command: 'codewm.install' },
      };
    case 'wrongPath':
      return {
        text: 'CodeWM: no server',
        detail: `codewm.path names ${state.setting}, which is not an executable`,
        severity: 'error',
        busy: false,
        command: PATH,
      };
    case 'failed':
      return {
        text: 'CodeWM: not running',
        detail: state.message,
        severity: 'error',
        busy: false,
        command: { title: 'Restart', command: 'codewm.restart' },
      };
    case 'running':
      return state.status === undefined
        ? { ...calm, text: 'CodeWM', detail: 'starting', busy: true, command: LOGS }
        : running(state.status, state.version, uri);
  }
}

function running(status: ServerStatus, version: string, uri: string): Shown {
  const calm = { severity: 'information', busy: false } as const;
  if (!status.enabled) {
    return { ...calm, text: 'CodeWM: off', detail: 'hints are off', command: { title: 'Turn On', command: 'codewm.toggle' } };
  }
  if (status.snoozed > 0) {
    const minutes = String(Math.ceil(status.snoozed / 60));
    const command = { title: 'End Snooze', command: 'codewm.wake' };
    return { ...calm, text: 'CodeWM: snoozed', detail: `hints come back in ${minutes} min`, command };
  }
  if (status.model.problem) {
    return { text: 'CodeWM: model problem', detail: status.model.problem, severity: 'warning', busy: false, command: MODEL };
  }
  const problem = status.problems.find((one) => one.about !== 'repository');
  if (problem !== undefined) {
    return { text: 'CodeWM: problem', detail: problem.message, severity: 'warning', busy: false, command: LOGS };
  }
  const silent = UNASKED[uri.slice(0, uri.indexOf(':'))] ?? status.silent?.find((one) => one.uri === uri)?.reason;
  if (silent !== undefined) {
    return { ...calm, text: 'CodeWM: no hints here', detail: silent, command: LOGS };
  }
  const indexing = status.repositories.filter((one) => one.stage === 'indexing');
  const [done, total] = sums(indexing.length > 0 ? indexing : status.repositories);
  if (indexing.length > 0) {
    const why = indexing.find((one) => one.paused)?.paused;
    if (why && indexing.every((one) => one.paused)) {
      const detail = `indexing paused (${why}) at ${done.toLocaleString('en')} of ${total.toLocaleString('en')} commits`;
      const command = { title: 'Open Setting', command: 'workbench.action.openSettings', arguments: ['codewm.pauseWhenBusy'] };
      return { ...calm, text: 'CodeWM', detail, command };
    }
    const share = total > 0 ? `indexing ${String(Math.floor((100 * done) / total))} %` : 'indexing';
    return { ...calm, text: 'CodeWM', detail: share, busy: true, command: LOGS };
  }
  const stopped = status.repositories.some((one) => one.stage !== 'ready');
  if (stopped) {
    const detail = `indexing stopped at ${done.toLocaleString('en')} of ${total.toLocaleString('en')} commits`;
    return { ...calm, text: 'CodeWM', detail, command: { title: 'Index Now', command: 'codewm.reindex' } };
  }
  if (status.repositories.length === 0) {
    const [first] = status.problems;
    return first === undefined
      ? { ...calm, text: 'CodeWM', detail: 'waiting for a Python file to be opened', command: LOGS }
      : { ...calm, text: 'CodeWM: no repository', detail: first.message, command: LOGS };
  }
  const waiting = status.repositories.find((one) => one.waiting && contains(one.root, uri))?.waiting;
  return {
    ...calm,
    text: 'CodeWM',
    detail: `ready · ${done.toLocaleString('en')} commits · ${status.model.name || 'model'} · ${version}${waiting ? ` · ${waiting}` : ''}`,
    command: { title: 'Where Next', command: 'codewm.showNextEdits' },
  };
}

/** Whether a folder contains a file; both are URIs, which programs spell differently. */
function contains(folder: string, file: string): boolean {
  return vscode.Uri.parse(file).fsPath.startsWith(vscode.Uri.parse(folder).fsPath + path.sep);
}

function sums(repositories: ServerStatus['repositories']): [number, number] {
  return [
    repositories.reduce((sum, one) => sum + one.done, 0),
    repositories.reduce((sum, one) => sum + one.total, 0),
  ];
}

const SEVERITIES = {
  information: vscode.LanguageStatusSeverity.Information,
  warning: vscode.LanguageStatusSeverity.Warning,
  error: vscode.LanguageStatusSeverity.Error,
};

export function showStatus(server: Server): vscode.Disposable {
  const item = vscode.languages.createLanguageStatusItem('codewm.status', { language: 'python' });
  item.name = 'CodeWM';
  const show = (): void => {
    const shown = shownNow(server);
    item.text = shown.text;
    item.detail = shown.detail;
    item.severity = SEVERITIES[shown.severity];
    item.busy = shown.busy;
    item.command = shown.command;
  };
  show();
  const looked = vscode.window.onDidChangeActiveTextEditor(show);
  return vscode.Disposable.from(item, server.onDidChange(show), looked);
}
