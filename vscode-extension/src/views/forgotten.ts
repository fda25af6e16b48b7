// The view "Forgotten Files" in Source Control: what usually changes with the change at hand, and has not.

import * as vscode from 'vscode';
import type { Forgotten, MissingFile } from '../protocol';
import type { Server } from '../server';
import { age, escapeMarkdown, fileName, named, percent, shortHash } from '../words';
import { List } from './tree';

export const VIEW = 'codewm.forgotten';

export interface ForgottenNode {
  readonly kind: 'forgotten';
  readonly root: string;
  readonly change: string;
  readonly file: MissingFile;
}

const PAUSE = 700; // milliseconds without a change before it is asked again

export class ForgottenView extends List<ForgottenNode> {
  private asked = 0;
  private quiet = false; // whether hints are off or snoozed

  constructor(server: Server) {
    super(VIEW, server);
    const staged = vscode.workspace.createFileSystemWatcher('**/.git/{index,HEAD}');
    const soon = (): void => this.soon(PAUSE);
    this.listening.push(
      staged,
      staged.onDidChange(soon),
      staged.onDidCreate(soon),
      server.onDidStart(() => this.soon(0)),
      server.onDidChange(() => {
        const quiet = this.silence !== undefined;
        if (quiet !== this.quiet) {
          this.quiet = quiet;
          this.soon(0);
        }
      }),
      vscode.workspace.onDidSaveTextDocument(soon),
      vscode.workspace.onDidCreateFiles(soon),
      vscode.workspace.onDidDeleteFiles(soon),
      vscode.workspace.onDidRenameFiles(soon),
      vscode.workspace.onDidChangeWorkspaceFolders(soon),
    );
  }

  /** Ask anew, in every folder of the workspace. */
  async refresh(): Promise<void> {
    this.asked += 1;
    const number = this.asked;
    const silence = this.silence;
    if (silence !== undefined) {
      this.list([], silence);
      return;
    }
    const answers = new Map<string, Forgotten>();
    let problem = '';
    for (const folder of vscode.workspace.workspaceFolders ?? []) {
      try {
        const answer = await this.server.ask('codewm.forgotten', { uri: folder.uri.toString() });
        answers.set(answer.root, answer);
      } catch (error) {
        problem = error instanceof Error ? error.message : String(error);
      }
    }
    if (number !== this.asked) {
      return; // a later question was asked
    }
    const found = [...answers.values()];
    const [telling = found[0]] = found.filter((answer) => answer.missing.length > 0);
    const nodes = found.flatMap(({ root, change, missing }) =>
      missing.map((file): ForgottenNode => ({ kind: 'forgotten', root, change, file })),
    );
    this.list(nodes, telling?.headline ?? problem);
  }

  private list(nodes: ForgottenNode[], message: string): void {
    this.nodes = nodes;
    this.view.message = message;
    const count = nodes.length;
    this.view.badge =
      count === 0 ? undefined : { value: count, tooltip: `${String(count)} ${count === 1 ? 'file is' : 'files are'} usually changed, too` };
    this.changed.fire(undefined);
  }

  getTreeItem(node: ForgottenNode): vscode.TreeItem {
    return forgottenItem(node);
  }
}

function forgottenItem(node: ForgottenNode): vscode.TreeItem {
  const { file, root } = node;
  const item = new vscode.TreeItem(fileName(file.path), vscode.TreeItemCollapsibleState.None);
  item.id = `${root}\n${file.path}`;
  item.resourceUri = vscode.Uri.parse(file.uri);
  item.iconPath = vscode.ThemeIcon.File;
  item.description = `${percent(file.chance)} · ${file.reason}`;
  item.contextValue = 'codewm.forgotten';
  const tooltip = new vscode.MarkdownString();
  tooltip.appendMarkdown(`**${escapeMarkdown(file.path)}** is likely to need a change, too (${percent(file.chance)}): `);
  tooltip.appendMarkdown(`${escapeMarkdown(file.reason)}\n\n`);
  for (const { commit, subject, author, date } of file.evidence) {
    const who = `${escapeMarkdown(author)}, ${age(date, Date.now())}`;
    tooltip.appendMarkdown(`- ${shortHash(commit)} ${escapeMarkdown(subject)} · ${who}\n`);
  }
  for (const { definition, line, reason } of file.definitions) {
    tooltip.appendMarkdown(`- ${escapeMarkdown(named(definition))}, line ${String(line)}: ${escapeMarkdown(reason)}\n`);
  }
  item.tooltip = tooltip;
  item.command = { title: 'Open', command: 'codewm.openForgotten', arguments: [node] };
  item.accessibilityInformation = { label: file.sentence };
  return item;
}
