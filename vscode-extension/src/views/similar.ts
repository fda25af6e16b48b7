// The view "Similar Edits": the past edits behind a lens, each with what else its commit changed.

import * as vscode from 'vscode';
import { openDiff } from '../diff';
import type { PastEdit, SimilarEdits, Target } from '../protocol';
import type { Server } from '../server';
import { age, called, escapeMarkdown, fileName, joined, named, percent, shortHash, shortName } from '../words';
import type { Details, DetailsView } from './details';
import { Tree } from './tree';

export const VIEW = 'codewm.similarEdits';
const PAUSE = 700; // milliseconds without news from the server before it is asked again

export interface EditNode {
  readonly kind: 'edit';
  readonly root: string;
  readonly edit: PastEdit;
  /** The edit whose commit this one is also of; none for one that was found by likeness. */
  readonly parent: EditNode | undefined;
  /** What its score says. */
  readonly measure: string;
}

interface NoteNode {
  readonly kind: 'note';
  readonly text: string;
  readonly icon: string;
  readonly parent: EditNode;
}

type Node = EditNode | NoteNode;

const ICONS = { added: 'diff-added', modified: 'diff-modified', removed: 'diff-removed' } as const;

export class SimilarEditsView extends Tree<Node> {
  private readonly siblings = new Map<string, Promise<readonly EditNode[]>>();
  private shown:
    | { readonly target: Target | undefined; readonly again: () => Promise<SimilarEdits>; readonly nodes: EditNode[] }
    | undefined;
  private previewed: EditNode | undefined;
  private asked = 0;
  private later: NodeJS.Timeout | undefined;

  constructor(
    private readonly server: Server,
    private readonly details: DetailsView,
  ) {
    super(VIEW, { showCollapseAll: true });
    this.listening.push(
      this.view.onDidChangeSelection(({ selection: [node] }) => {
        if (node !== undefined) {
          this.details.show(detailsOf(node.kind === 'edit' ? node : node.parent));
        }
      }),
      server.onDidChange(() => this.askLater()),
    );
  }

  override dispose(): void {
    clearTimeout(this.later);
    super.dispose();
  }

  /** The edit that is selected in the view. */
  get selected(): EditNode | undefined {
    const [node] = this.view.selection;
    return node?.kind === 'edit' ? node : node?.parent;
  }

  /** Ask for the past edits behind a lens, list them, and preview the first. */
  async show(target: Target): Promise<void> {
    await this.ask(() => this.server.ask('codewm.showSimilarEdits', { ...target, show: false }), target);
  }

  /** List the past edits about something, in the repository of a file or folder, and preview the first. */
  async search(words: string, uri: string): Promise<void> {
    await this.ask(() => this.server.ask('codewm.search', { words, uri, show: false }), undefined);
  }

  private async ask(question: () => Promise<SimilarEdits>, target: Target | undefined): Promise<void> {
    this.asked += 1;
    const number = this.asked;
    const answer = await vscode.window.withProgress({ location: { viewId: VIEW } }, question);
    if (number !== this.asked) {
      return; // a later question was asked
    }
    this.list(target, answer, question);
    await vscode.commands.executeCommand(`${VIEW}.focus`);
    const first = this.shown?.nodes[0];
    if (first !== undefined) {
      await this.view.reveal(first, { select: true, focus: true });
      await this.open(first);
    }
  }

  /** Preview an edit's diff; the focus stays in the list, and follows when the edit is opened a second time. */
  async open(node: EditNode): Promise<void> {
    const again = this.previewed === node;
    this.previewed = again ? undefined : node;
    await openDiff(node.root, node.edit, !again);
  }

  /** Go on to the edit `step` places below, and preview it. */
  async move(step: 1 | -1): Promise<void> {
    const nodes = this.shown?.nodes ?? [];
    const selected = this.selected;
    const from = nodes.findIndex((node) => node === (selected?.parent ?? selected));
    const node = nodes[(from + step + nodes.length) % nodes.length];
    if (node !== undefined) {
      await this.view.reveal(node, { select: true, focus: true });
      await openDiff(node.root, node.edit, true);
      this.previewed = node;
    }
  }

  /** Ask the same again: something was hidden, or came back. */
  async refresh(): Promise<void> {
    const { shown } = this;
    if (shown !== undefined) {
      const answer = await shown.again();
      if (this.shown === shown) {
        this.previewed = undefined;
        this.list(shown.target, answer, shown.again);
      }
    }
  }

  /** Where nothing was found yet, ask again after the server went on: it may have indexed more of the history. */
  private askLater(): void {
    clearTimeout(this.later);
    const empty = (): boolean => this.shown?.target !== undefined && this.shown.nodes.length === 0;
    if (empty() && this.server.state.kind === 'running') {
      this.later = setTimeout(() => void (empty() ? this.refresh().catch(() => undefined) : undefined), PAUSE);
    }
  }

  /** The definition that the list is about; none for one that was searched for. */
  get target(): Target | undefined {
    return this.shown?.target;
  }

  /** Forget the list. */
  clear(): void {
    this.shown = undefined;
    this.view.message = '';
    this.details.show(undefined);
    void vscode.commands.executeCommand('setContext', 'codewm.listed', false);
    void vscode.commands.executeCommand('setContext', 'codewm.hinted', false);
    this.changed.fire(undefined);
  }

  /** Show what else the commit of an edit changed. */
  async expand(node: EditNode): Promise<void> {
    const top = node.parent ?? node;
    await this.view.reveal(top, { expand: true, select: true, focus: true });
  }

  getTreeItem(node: Node): vscode.TreeItem {
    return node.kind === 'note' ? noteItem(node) : editItem(node, this.shown?.nodes.map((one) => one.edit.definition) ?? []);
  }

  getParent(node: Node): Node | undefined {
    return node.parent;
  }

  async getChildren(node?: Node): Promise<Node[]> {
    if (node === undefined) {
      return this.shown?.nodes ?? [];
    }
    if (node.kind === 'note' || node.parent !== undefined) {
      return [];
    }
    const others = await this.othersOf(node);
    return others.length > 0
      ? [...others]
      : [{ kind: 'note', text: 'This commit changed nothing else.', icon: 'circle-slash', parent: node }];
  }

  private list(target: Target | undefined, answer: SimilarEdits, again: () => Promise<SimilarEdits>): void {
    const { query, root } = answer;
    const measure = query.kind === 'similar' ? 'likely to fit' : 'alike';
    const nodes = answer.edits.map((edit): EditNode => ({ kind: 'edit', root, edit, parent: undefined, measure }));
    this.shown = { target: target && { uri: target.uri, definition: query.definition }, again, nodes };
    this.siblings.clear();
    this.view.message = headline(answer) + (nodes.length === 0 && this.indexes(root) ? ' The history is still being indexed.' : '');
    void vscode.commands.executeCommand('setContext', 'codewm.listed', true);
    void vscode.commands.executeCommand('setContext', 'codewm.hinted', target !== undefined);
    this.changed.fire(undefined);
  }

  private indexes(root: string): boolean {
    const { state } = this.server;
    const repositories = state.kind === 'running' ? (state.status?.repositories ?? []) : [];
    return repositories.some((one) => one.root === root && one.stage === 'indexing');
  }

  private othersOf(node: EditNode): Promise<readonly EditNode[]> {
    const { edit } = node;
    const { repository, root: elsewhere } = edit;
    if (repository !== undefined && elsewhere === undefined) {
      return Promise.resolve([]);
    }
    const root = elsewhere ?? node.root;
    const from = repository === undefined || elsewhere === undefined ? {} : { repository, root: elsewhere };
    const key = `${root}\0${edit.commit}\0${edit.path}\0${edit.definition}`;
    let known = this.siblings.get(key);
    if (known === undefined) {
      known = this.server.ask('codewm.commitEdits', { root, commit: edit.commit }).then((answer) =>
        answer.edits
          .filter((other) => other.path !== edit.path || other.definition !== edit.definition)
          .map((other): EditNode => ({ kind: 'edit', root: node.root, edit: { ...other, ...from }, parent: node, measure: node.measure })),
      );
      known.catch(() => this.siblings.delete(key));
      this.siblings.set(key, known);
    }
    return known;
  }
}

function headline(answer: SimilarEdits): string {
  const { query, edits } = answer;
  if (query.kind === 'search') {
    return edits.length === 0 ? `No past edits match "${query.words ?? ''}".` : `Past edits about "${query.words ?? ''}":`;
  }
  const name = called(query.definition, query.path);
  if (edits.length === 0) {
    return `No past edits are similar to ${query.kind === 'next' ? `the change expected in ${name}` : `the change to ${name}`}.`;
  }
  if (query.kind === 'similar') {
    return `Past edits similar to the change to ${name}:`;
  }
  const what = query.likely.length > 0 ? `, in its ${joined(query.likely)}` : '';
  const why = query.reasons.length > 0 ? ` (${query.reasons.join('; ')})` : '';
  return `${name} is likely to change next${what}${why}. Similar past edits:`;
}

function detailsOf(node: EditNode): Details {
  const { edit } = node;
  return {
    title: edit.subject,
    facts: [
      ...(edit.repository === undefined ? [] : [edit.repository]),
      `${edit.author}, ${age(edit.date, Date.now())}, ${shortHash(edit.commit)}`,
      `${called(edit.definition, edit.path)} in ${edit.path}, ${edit.kind}`,
    ],
    reasons: edit.score === null ? edit.reasons : [`${percent(edit.score)} ${node.measure}`, ...edit.reasons],
    actions: [
      ['codewm.openFile', 'Open File'],
      ['codewm.hideEdits', 'Hide Edits Like This'],
    ],
  };
}

function editItem(node: EditNode, names: readonly string[]): vscode.TreeItem {
  const { edit, parent } = node;
  const name = called(edit.definition, edit.path);
  const ago = age(edit.date, Date.now());
  const item = new vscode.TreeItem(
    shortName(edit.definition, edit.path, names),
    parent === undefined ? vscode.TreeItemCollapsibleState.Collapsed : vscode.TreeItemCollapsibleState.None,
  );
  const score = edit.score === null ? undefined : percent(edit.score);
  const details = parent === undefined ? [edit.repository, edit.subject, score, edit.author, ago] : [fileName(edit.path)];
  item.description = details.filter((part) => part !== undefined).join(' · ');
  item.id = [parent?.edit.commit ?? '', parent?.edit.path, parent?.edit.definition, edit.commit, edit.path, edit.definition].join('\n');
  item.iconPath = new vscode.ThemeIcon(ICONS[edit.kind], new vscode.ThemeColor(COLOURS[edit.kind]));
  item.contextValue = parent === undefined ? 'codewm.edit' : 'codewm.sibling';
  item.tooltip = tooltip(edit, ago);
  item.command = { title: 'Open', command: 'codewm.openEdit', arguments: [node] };
  item.accessibilityInformation = {
    label: `${edit.subject}, ${edit.kind} ${name} in ${edit.path}, by ${edit.author}, ${ago}${score === undefined ? '' : `, ${score} ${node.measure}`}`,
  };
  return item;
}

const COLOURS = {
  added: 'gitDecoration.addedResourceForeground',
  modified: 'gitDecoration.modifiedResourceForeground',
  removed: 'gitDecoration.deletedResourceForeground',
} as const;

function tooltip(edit: PastEdit, ago: string): vscode.MarkdownString {
  const text = new vscode.MarkdownString('', true);
  text.appendMarkdown(`**${escapeMarkdown(edit.subject)}**\n\n`);
  if (edit.repository !== undefined) {
    text.appendMarkdown(`$(repo) ${escapeMarkdown(edit.repository)}\n\n`);
  }
  text.appendMarkdown(`$(git-commit) ${shortHash(edit.commit)} · ${escapeMarkdown(edit.author)} · ${ago}\n\n`);
  text.appendMarkdown(`${edit.kind} ${escapeMarkdown(named(edit.definition))} in ${escapeMarkdown(edit.path)}\n\n`);
  for (const reason of edit.reasons) {
    text.appendMarkdown(`- ${escapeMarkdown(reason)}\n`);
  }
  return text;
}

function noteItem(node: NoteNode): vscode.TreeItem {
  const item = new vscode.TreeItem(node.text);
  item.iconPath = new vscode.ThemeIcon(node.icon, new vscode.ThemeColor('descriptionForeground'));
  item.contextValue = 'codewm.note';
  return item;
}
