// The commands.

import * as path from 'node:path';
import * as vscode from 'vscode';
import { type Hints, SNOOZE_MINUTES } from './hints';

import { offerInstallation } from './install';
import { closeDiffs } from './diff';
import type { Target } from './protocol';
import type { Server } from './server';
import { configuration } from './settings';
import { trainOnRepository } from './train';
import type { ForgottenNode, ForgottenView } from './views/forgotten';
import type { PredictionNode, WhereNextView } from './views/next';
import type { EditNode, SimilarEditsView } from './views/similar';
import { called, findDefinition } from './words';

export interface Parts {
  readonly server: Server;
  readonly hints: Hints;
  readonly similar: SimilarEditsView;
  readonly next: WhereNextView;
  readonly forgotten: ForgottenView;
  readonly log: vscode.LogOutputChannel;
  readonly context: vscode.ExtensionContext;
}

export function registerCommands(parts: Parts): vscode.Disposable {
  const { server, hints, similar, next, forgotten, log } = parts;
  const commands: Record<string, (argument?: unknown) => Promise<void> | void> = {
    'codewm.showSimilarEdits': async (argument) => {
      const target = isTarget(argument) ? argument : underCursor();
      if (target === undefined) {
        void vscode.window.showInformationMessage('CodeWM: put the cursor in a function of a Python file first.');
      } else {
        await similar.show(target);
      }
    },
    'codewm.showNextEdits': () => next.show(),
    'codewm.refreshNext': () => next.refresh(),
    'codewm.searchEdits': async () => {
      const words = await vscode.window.showInputBox({
        title: 'Search Past Edits',
        prompt: 'What the edits are about: words of commit messages, paths, names and changed code',
        placeHolder: 'retry timeout',
      });
      if (words?.trim()) {
        await similar.search(words.trim(), someFile());
      }
    },
    'codewm.refreshForgotten': () => forgotten.refresh(),
    'codewm.openForgotten': async (argument) => {
      const node = forgottenNode(argument) ?? forgotten.selected;
      if (node !== undefined) {
        const line = (node.file.definitions[0]?.line ?? 1) - 1;
        const selection = new vscode.Range(line, 0, line, 0);
        await vscode.commands.executeCommand('vscode.open', vscode.Uri.parse(node.file.uri), { preview: true, selection });
      }
    },
    'codewm.notNeeded': async (argument) => {
      const node = forgottenNode(argument) ?? forgotten.selected;
      if (node !== undefined) {
        await notNeeded(server, forgotten, node, node.change);
      }
    },
    'codewm.neverNeeded': async (argument) => {
      const node = forgottenNode(argument) ?? forgotten.selected;
      if (node !== undefined) {
        await notNeeded(server, forgotten, node, undefined);
      }
    },
    'codewm.toggle': async () => {
      if (!configuration().get<boolean>('enable', true)) {
        await offerToEnable();
        return;
      }
      const on = await hints.toggle();
      vscode.window.setStatusBarMessage(`CodeWM: hints are ${on ? 'on' : 'off'}`, 4000);
    },
    'codewm.snooze': async () => {
      await hints.snooze(SNOOZE_MINUTES);
      vscode.window.setStatusBarMessage(`CodeWM: hints are snoozed for ${String(SNOOZE_MINUTES)} minutes`, 4000);
    },
    'codewm.wake': () => hints.snooze(0),
    'codewm.reindex': async () => {
      await server.ask('codewm.reindex', undefined);
    },
    'codewm.restart': () => server.restart(),
    'codewm.showLogs': () => log.show(),
    'codewm.install': () => offerInstallation(parts),
    'codewm.train': () => trainOnRepository(server, parts.context),
    'codewm.openEdit': async (argument) => {
      const node = editNode(argument) ?? similar.selected;
      if (node !== undefined) {
        await similar.open(node);
      }
    },
    'codewm.nextEdit': () => similar.move(1),
    'codewm.previousEdit': () => similar.move(-1),
    'codewm.showCommit': async (argument) => {
      const node = editNode(argument) ?? similar.selected;
      if (node !== undefined) {
        await similar.expand(node);
      }
    },
    'codewm.copyHash': async (argument) => {
      const node = editNode(argument) ?? similar.selected;
      if (node !== undefined) {
        await vscode.env.clipboard.writeText(node.edit.commit);
        vscode.window.setStatusBarMessage(`CodeWM: copied ${node.edit.commit}`, 4000);
      }
    },
    'codewm.openFile': async (argument) => {
      const node = editNode(argument) ?? similar.selected;
      if (node !== undefined) {
        await openAt(vscode.Uri.joinPath(vscode.Uri.parse(node.edit.root ?? node.root), node.edit.path), node.edit.definition, node.edit.line);
      }
    },
    'codewm.hideEdits': async (argument) => {
      const node = editNode(argument) ?? similar.selected;
      if (node !== undefined) {
        await hideLike(server, similar, next, node);
      }
    },
    'codewm.hideHint': async (argument) => {
      const node = predictionNode(argument);
      const target = node === undefined ? similar.target : { uri: node.prediction.uri, definition: node.prediction.definition };
      if (target !== undefined) {
        await hideHint(server, similar, next, target);
      }
    },
    'codewm.clearList': () => similar.clear(),
    'codewm.openPrediction': async (argument) => {
      const node = predictionNode(argument) ?? next.selected;
      if (node !== undefined) {
        const { uri, definition, line } = node.prediction;
        await openAt(vscode.Uri.parse(uri), definition, line);
      }
    },
    'codewm.showEvidence': async (argument) => {
      const node = predictionNode(argument) ?? next.selected;
      if (node !== undefined) {
        await similar.show({ uri: node.prediction.uri, definition: node.prediction.definition });
      }
    },
  };
  return vscode.Disposable.from(
    ...Object.entries(commands).map(([name, run]) =>
      vscode.commands.registerCommand(name, async (argument?: unknown) => {
        try {
          await run(argument);
        } catch (error) {
          const message = error instanceof Error ? error.message : String(error);
          log.error(`${name}: ${message}`);
          void vscode.window.showErrorMessage(message.startsWith('CodeWM') ? message : `CodeWM: ${message}`);
        }
      }),
    ),
  );
}

/** The toggle switches nothing on that the settings switch off; it says so, and where to change that. */
async function offerToEnable(): Promise<void> {
  const open = 'Open Setting';
  const message = 'CodeWM is turned off by the setting codewm.enable.';
  if ((await vscode.window.showInformationMessage(message, open)) === open) {
    await vscode.commands.executeCommand('workbench.action.openSettings', 'codewm.enable');
  }
}

async function hideHint(server: Server, similar: SimilarEditsView, next: WhereNextView, target: Target): Promise<void> {
  await server.ask('codewm.dismiss', target);
  const listed = similar.target;
  const emptied = listed?.uri === target.uri && listed.definition === target.definition;
  if (emptied) {
    similar.clear();
    await closeDiffs(() => true);
  }
  await next.refresh();
  const undo = 'Undo';
  const name = called(target.definition ?? '', target.uri);
  if ((await vscode.window.showInformationMessage(`Hints on ${name} are hidden.`, undo)) === undo) {
    await server.ask('codewm.dismiss', { ...target, restore: true });
    await next.refresh();
    if (emptied && similar.target === undefined) {
      await similar.show(listed);
    }
  }
}

async function notNeeded(server: Server, forgotten: ForgottenView, node: ForgottenNode, change: string | undefined): Promise<void> {
  const { root, file } = node;
  const unneeded = { root, path: file.path, ...(change === undefined ? {} : { change }) };
  await server.ask('codewm.notNeeded', unneeded);
  await forgotten.refresh();
  const undo = 'Undo';
  const how = change === undefined ? 'for good' : 'for this change';
  if ((await vscode.window.showInformationMessage(`${file.path} is hidden ${how}.`, undo)) === undo) {
    await server.ask('codewm.notNeeded', { ...unneeded, restore: true });
    await forgotten.refresh();
  }
}

async function hideLike(server: Server, similar: SimilarEditsView, next: WhereNextView, node: EditNode): Promise<void> {
  const { root, edit } = node;
  const { commit, path: file, definition } = edit;
  const dismissal = { root, commit, path: file, definition, scope: 'like' } as const;
  await server.ask('codewm.dismissEdit', { ...dismissal, restore: false });
  await closeDiffs((one) => one === commit);
  await Promise.all([similar.refresh(), next.refresh()]);
  const undo = 'Undo';
  if ((await vscode.window.showInformationMessage(`Edits like '${edit.subject}' are hidden.`, undo)) === undo) {
    await server.ask('codewm.dismissEdit', { ...dismissal, restore: true });
    await Promise.all([similar.refresh(), next.refresh()]);
  }
}

/** Open a file as it is now, at a definition; `line` is where that once was. */
async function openAt(uri: vscode.Uri, definition: string, line: number): Promise<void> {
  let document: vscode.TextDocument;
  try {
    document = await vscode.workspace.openTextDocument(uri);
  } catch {
    throw new Error(`${path.basename(uri.fsPath)} no longer exists.`);
  }
  const found = findDefinition(document.getText().split(/\r?\n/), definition, line) ?? Math.min(line, document.lineCount - 1);
  const place = new vscode.Position(found, document.lineAt(found).firstNonWhitespaceCharacterIndex);
  await vscode.window.showTextDocument(document, { selection: new vscode.Range(place, place), preview: true });
}

function underCursor(): Target | undefined {
  const editor = vscode.window.activeTextEditor;
  if (editor?.document.languageId !== 'python' || editor.document.uri.scheme !== 'file') {
    return undefined;
  }
  return { uri: editor.document.uri.toString(), line: editor.selection.active.line };
}

/** A file or folder in the repository that is looked at: the file in front, else the first folder. */
function someFile(): string {
  const uri = vscode.window.activeTextEditor?.document.uri;
  return (uri?.scheme === 'file' ? uri : vscode.workspace.workspaceFolders?.[0]?.uri)?.toString() ?? '';
}

function isTarget(value: unknown): value is Target {
  return typeof value === 'object' && value !== null && 'uri' in value && typeof value.uri === 'string';
}

function editNode(value: unknown): EditNode | undefined {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'edit'
    ? (value as EditNode)
    : undefined;
}

function predictionNode(value: unknown): PredictionNode | undefined {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'prediction'
    ? (value as PredictionNode)
    : undefined;
}

function forgottenNode(value: unknown): ForgottenNode | undefined {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'forgotten'
    ? (value as ForgottenNode)
    : undefined;
}
