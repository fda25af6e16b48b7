// The view "Details": all that is known of the selected past edit or prediction, in sentences that wrap.

import * as vscode from 'vscode';

export const VIEW = 'codewm.details';

export interface Details {
  readonly title: string;
  /** Who, when, where: a line each. */
  readonly facts: readonly string[];
  readonly reasons: readonly string[];
  /** What can be done: a command without arguments and its title. */
  readonly actions: readonly (readonly [command: string, title: string])[];
}

export class DetailsView implements vscode.WebviewViewProvider, vscode.Disposable {
  private readonly registered: vscode.Disposable;
  private view: vscode.WebviewView | undefined;
  private shown: Details | undefined;

  constructor() {
    this.registered = vscode.window.registerWebviewViewProvider(VIEW, this);
  }

  /** Show these; nothing: say what would be here. */
  show(details: Details | undefined): void {
    this.shown = details;
    this.draw();
  }

  resolveWebviewView(view: vscode.WebviewView): void {
    this.view = view;
    view.webview.options = {
      enableScripts: false,
      localResourceRoots: [],
      enableCommandUris: ['codewm.openFile', 'codewm.hideEdits', 'codewm.hideHint', 'codewm.openPrediction', 'codewm.showEvidence'],
    };
    view.onDidDispose(() => {
      this.view = undefined;
    });
    this.draw();
  }

  dispose(): void {
    this.registered.dispose();
  }

  private draw(): void {
    if (this.view !== undefined) {
      this.view.webview.html = page(this.shown);
    }
  }
}

const STYLE = `
body { padding: 0 20px 12px; color: var(--vscode-foreground); font-size: var(--vscode-font-size); overflow-wrap: anywhere; }
h2 { font-size: inherit; margin: 8px 0 4px; }
p { margin: 2px 0; color: var(--vscode-descriptionForeground); }
ul { margin: 8px 0; padding-inline-start: 18px; }
a { color: var(--vscode-textLink-foreground); margin-inline-end: 12px; }`;

function page(details: Details | undefined): string {
  const body =
    details === undefined
      ? '<p>Select a past edit or a prediction to see why it is listed.</p>'
      : [
          `<h2>${escaped(details.title)}</h2>`,
          ...details.facts.map((fact) => `<p>${escaped(fact)}</p>`),
          details.reasons.length > 0 ? `<ul>${details.reasons.map((one) => `<li>${escaped(one)}</li>`).join('')}</ul>` : '',
          details.actions.map(([command, title]) => `<a href="command:${command}">${escaped(title)}</a>`).join(''),
        ].join('\n');
  return `<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<style>${STYLE}</style></head><body>${body}</body></html>`;
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (one) => `&#${String(one.charCodeAt(0))};`);
}
