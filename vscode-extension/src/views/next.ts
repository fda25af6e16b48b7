// The view "Where Next": the definitions that are likely to be edited next, across the repository, and why.

import * as vscode from 'vscode';
import { MODULE, type NextEdits, type Prediction } from '../protocol';
import type { Server } from '../server';
import { called, escapeMarkdown, fileName, joined, percent, shortName } from '../words';
import type { Details, DetailsView } from './details';
import { List } from './tree';

export const VIEW = 'codewm.whereNext';

export interface PredictionNode {
  readonly kind: 'prediction';
  readonly prediction: Prediction;
}

const PAUSE = 700; // milliseconds without typing before the list is refreshed

export class WhereNextView extends List<PredictionNode> {
  private asked = 0;
  private known = '';

  constructor(
    server: Server,
    private readonly details: DetailsView,
  ) {
    super(VIEW, server);
    const python = (document: vscode.TextDocument): boolean =>
      document.languageId === 'python' && document.uri.scheme === 'file';
    this.listening.push(
      this.view.onDidChangeSelection(({ selection: [node] }) => {
        if (node !== undefined) {
          this.details.show(detailsOf(node));
        }
      }),
      server.onDidChange(() => this.soon(PAUSE)),
      vscode.workspace.onDidChangeTextDocument((event) => {
        if (python(event.document) && event.contentChanges.length > 0) {
          this.soon(PAUSE);
        }
      }),
      vscode.workspace.onDidSaveTextDocument((document) => {
        if (python(document)) {
          this.soon(PAUSE);
        }
      }),
      vscode.window.onDidChangeActiveTextEditor((editor) => {
        if (editor !== undefined && python(editor.document)) {
          this.soon(PAUSE);
        }
      }),
    );
  }

  /** Bring the view to the front and list anew. */
  async show(): Promise<void> {
    await vscode.commands.executeCommand(`${VIEW}.focus`);
    await this.refresh();
    const [first] = this.nodes;
    if (first !== undefined) {
      await this.view.reveal(first, { select: true, focus: true });
    }
  }

  async refresh(): Promise<void> {
    this.asked += 1;
    const number = this.asked;
    const silence = this.silence;
    if (silence !== undefined) {
      this.list([]);
      this.view.message = silence;
      return;
    }
    const uri = activePython()?.toString() ?? '';
    let answer: NextEdits;
    try {
      answer = await this.server.ask('codewm.showNextEdits', { uri, show: false, evidence: false });
    } catch (error) {
      if (number === this.asked) {
        this.list([]);
        this.view.message = error instanceof Error ? error.message : String(error);
      }
      return;
    }
    if (number === this.asked) {
      this.view.message = answer.about ?? '';
      this.list(answer.predictions);
    }
  }

  getTreeItem(node: PredictionNode): vscode.TreeItem {
    return predictionItem(node, this.nodes.map((one) => one.prediction.definition));
  }

  getParent(): undefined {
    return undefined;
  }

  private list(predictions: readonly Prediction[]): void {
    const now = JSON.stringify(predictions);
    if (now !== this.known) {
      this.known = now; // the same answer leaves the tree as it is
      this.nodes = predictions.map((prediction) => ({ kind: 'prediction', prediction }));
      this.changed.fire(undefined);
    }
  }
}

function detailsOf(node: PredictionNode): Details {
  const { likely, reasons, path, definition, score } = node.prediction;
  return {
    title: called(definition, path),
    facts: [`in ${path}`, `${percent(score)} likely to change next`, ...(likely.length > 0 ? [`likely to change: ${joined(likely)}`] : [])],
    reasons,
    actions: [
      ['codewm.openPrediction', 'Open Definition'],
      ['codewm.showEvidence', 'Show Past Edits'],
    ],
  };
}

function predictionItem(node: PredictionNode, names: readonly string[]): vscode.TreeItem {
  const { prediction } = node;
  const name = called(prediction.definition, prediction.path);
  const item = new vscode.TreeItem(shortName(prediction.definition, prediction.path, names), vscode.TreeItemCollapsibleState.None);
  const [reason] = prediction.reasons;
  item.id = `${prediction.uri}\n${prediction.definition}`;
  item.description = [percent(prediction.score), fileName(prediction.path), reason]
    .filter((part) => part !== undefined)
    .join(' · ');
  item.iconPath = new vscode.ThemeIcon(icon(prediction.definition));
  item.contextValue = 'codewm.prediction';
  const tooltip = new vscode.MarkdownString();
  tooltip.appendMarkdown(`**${escapeMarkdown(name)}** in ${escapeMarkdown(prediction.path)}\n\n`);
  tooltip.appendMarkdown(`${percent(prediction.score)} likely to change next\n\n`);
  for (const words of prediction.reasons) {
    tooltip.appendMarkdown(`- ${escapeMarkdown(words)}\n`);
  }
  item.tooltip = tooltip;
  item.command = { title: 'Open', command: 'codewm.openPrediction', arguments: [node] };
  item.accessibilityInformation = {
    label: `${name} in ${prediction.path}, ${percent(prediction.score)} likely, ${prediction.reasons.join(', ')}`,
  };
  return item;
}

function icon(definition: string): string {
  if (definition === MODULE) {
    return 'symbol-file';
  }
  const parts = definition.split('.');
  if (/^_*[A-Z]/.test(parts[parts.length - 1] ?? '')) {
    return 'symbol-class';
  }
  return parts.length > 1 ? 'symbol-method' : 'symbol-function';
}

/** The Python file that is looked at, or one that can be seen. */
function activePython(): vscode.Uri | undefined {
  const editors = [vscode.window.activeTextEditor, ...vscode.window.visibleTextEditors];
  return editors.find((editor) => editor?.document.languageId === 'python' && editor.document.uri.scheme === 'file')
    ?.document.uri;
}
