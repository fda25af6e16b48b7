// Past edits in the diff editor: before and after, as Git has them. Nothing is checked out.

import * as vscode from 'vscode';
import type { PastEdit } from './protocol';
import type { Server } from './server';
import { called, fileName, shortHash } from './words';

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

/** Open a past edit in the diff editor, at its definition. `here`: the repository that is being edited. */
export async function openDiff(here: string, edit: PastEdit, keepFocus: boolean): Promise<void> {
  if (edit.repository !== undefined && edit.root === undefined) {
    void vscode.window.showInformationMessage(`${edit.repository} is not on this machine: clone it and run codewm index --store to see this edit.`);
    return;
  }
  const root = edit.root ?? here;
  const name = `${fileName(edit.path)}: ${called(edit.definition, edit.path)} (${shortHash(edit.commit)})`;
  const place = new vscode.Position(edit.line, 0);
  await vscode.commands.executeCommand(
    'vscode.diff',
    versionUri(root, edit.commit, edit.previousPath ?? edit.path, 'before'),
    versionUri(root, edit.commit, edit.path, 'after'),
    name,
    { preview: true, preserveFocus: keepFocus, selection: new vscode.Range(place, place) },
  );
}
