// Hints at the ends of lines: of all definitions, or of the line that the cursor is on.
//
// VS Code cuts inlay hints off after 43 characters, so that they are drawn here, from what the server gives as such.

import * as vscode from 'vscode';
import { configuration, SECTION } from './settings';

const SHOWN = ['inlay', 'activeLine'];

export class LineEnds implements vscode.Disposable {
  private readonly style = vscode.window.createTextEditorDecorationType({
    after: { color: new vscode.ThemeColor('editorCodeLens.foreground'), margin: '0 0 0 3ch' },
    rangeBehavior: vscode.DecorationRangeBehavior.ClosedOpen,
  });
  private readonly known = new Map<string, readonly vscode.InlayHint[]>();
  private readonly listening: vscode.Disposable;

  constructor() {
    this.listening = vscode.Disposable.from(
      vscode.window.onDidChangeTextEditorSelection(({ textEditor }) => {
        if (this.display() === 'activeLine') {
          this.draw(textEditor);
        }
      }),
      vscode.window.onDidChangeVisibleTextEditors((editors) => editors.forEach((editor) => this.draw(editor))),
      vscode.workspace.onDidCloseTextDocument((document) => this.known.delete(document.uri.toString())),
      vscode.workspace.onDidChangeConfiguration((event) => {
        if (event.affectsConfiguration(`${SECTION}.display`)) {
          vscode.window.visibleTextEditors.forEach((editor) => this.draw(editor));
        }
      }),
    );
  }

  /** Take in what the server gives for a part of a document, and draw it; VS Code itself gets none of it. */
  take(document: vscode.TextDocument, range: vscode.Range, hints: readonly vscode.InlayHint[]): vscode.InlayHint[] {
    const uri = document.uri.toString();
    const others = (this.known.get(uri) ?? []).filter((hint) => !range.contains(hint.position));
    this.known.set(uri, [...others, ...hints]);
    vscode.window.visibleTextEditors.filter((editor) => editor.document === document).forEach((editor) => this.draw(editor));
    return [];
  }

  /** Forget everything: another server answers from now on, or none. */
  clear(): void {
    this.known.clear();
    vscode.window.visibleTextEditors.forEach((editor) => this.draw(editor));
  }

  dispose(): void {
    this.listening.dispose();
    this.style.dispose();
  }

  private display(): string {
    return configuration().get('display', '');
  }

  private draw(editor: vscode.TextEditor): void {
    const display = this.display();
    const hints = SHOWN.includes(display) ? (this.known.get(editor.document.uri.toString()) ?? []) : [];
    const line = editor.selection.active.line;
    const drawn = display === 'activeLine' ? hints.filter((hint) => hint.position.line === line) : hints;
    editor.setDecorations(this.style, drawn.map(decoration));
  }
}

function decoration(hint: vscode.InlayHint): vscode.DecorationOptions {
  const part = typeof hint.label === 'string' ? undefined : hint.label[0];
  const text = typeof hint.label === 'string' ? hint.label : (part?.value ?? '');
  const target = encodeURIComponent(JSON.stringify(part?.command?.arguments ?? []));
  const message = new vscode.MarkdownString(`[Show past edits](command:codewm.showSimilarEdits?${target})`);
  message.isTrusted = { enabledCommands: ['codewm.showSimilarEdits'] };
  return {
    range: new vscode.Range(hint.position, hint.position),
    ...(part?.command === undefined ? {} : { hoverMessage: message }),
    renderOptions: { after: { contentText: text } },
  };
}
