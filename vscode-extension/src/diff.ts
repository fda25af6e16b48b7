// Past edits in the diff editor: before and after, as Git has them. Nothing is checked out.

import * as vscode from 'vscode';
import type { PastEdit } from './protocol';
import type { Server } from './server';
import { called, fileName, findLine, firstChange, shortHash } from './words';

export const SCHEME = 'codewm';

interface Version {
  readonly root: string;
  readonly commit: string;
  readonly side: 'before' | 'after';
}

/** The name of a file in a commit; it ends like the file's own, so that it is coloured as Python. */
export function versionUri(root: string, commit: string, path: string, side: Version['side']): vscode.Uri {
  const version: Version = { root, commit, side };
  return vscode.Uri.from({ scheme: SCHEME, path: `/${path}`, query: JSON.stringify(version) });
}

/** Gives the texts of such names. */
export class PastFiles implements vscode.TextDocumentContentProvider {
  constructor(private readonly server: Server) {}

  async provideTextDocumentContent(uri: vscode.Uri): Promise<string> {
    const { root, commit, side } = JSON.parse(uri.query) as Version;
    const { text } = await this.server.ask('codewm.fileAt', { root, commit, path: uri.path.slice(1), side });
    return text ?? '';
  }
}

/** Open a past edit in the diff editor, at the first line that it changed. `here`: the repository that is being edited. */
export async function openDiff(here: string, edit: PastEdit, keepFocus: boolean): Promise<void> {
  if (edit.repository !== undefined && edit.root === undefined) {
    void vscode.window.showInformationMessage(`${edit.repository} is not on this machine. Clone it and run codewm index --store to see this edit.`);
    return;
  }
  const root = edit.root ?? here;
  const name = `${fileName(edit.path)}: ${called(edit.definition, edit.path)} (${shortHash(edit.commit)})`;
  const before = versionUri(root, edit.commit, edit.previousPath ?? edit.path, 'before');
  const after = versionUri(root, edit.commit, edit.path, 'after');
  const place = new vscode.Position(await changedLine(after, edit), 0);
  await vscode.commands.executeCommand(
    'vscode.diff',
    before,
    after,
    name,
    { preview: true, preserveFocus: keepFocus, selection: new vscode.Range(place, place) },
  );
}

/** The first line that an edit changed, in the file as its commit left it. */
async function changedLine(after: vscode.Uri, edit: PastEdit): Promise<number> {
  const change = firstChange(edit.diff);
  if (change === undefined) {
    return edit.line;
  }
  const document = await vscode.workspace.openTextDocument(after);
  return findLine(document.getText().split(/\r?\n/), change.text, edit.line + change.offset);
}

/** Close the diffs of past edits, such as those that were just hidden. */
export async function closeDiffs(of: (commit: string) => boolean): Promise<void> {
  const open = vscode.window.tabGroups.all.flatMap((group) => group.tabs);
  await vscode.window.tabGroups.close(
    open.filter((tab) => {
      const { input } = tab;
      return (
        input instanceof vscode.TabInputTextDiff &&
        input.modified.scheme === SCHEME &&
        of((JSON.parse(input.modified.query) as Version).commit)
      );
    }),
    true,
  );
}
