// What the views that list something have in common: a tree, one selected node, and a refresh after a pause.

import * as vscode from 'vscode';
import type { Server } from '../server';

export abstract class Tree<Node> implements vscode.TreeDataProvider<Node>, vscode.Disposable {
  protected readonly changed = new vscode.EventEmitter<Node | undefined>();
  protected readonly view: vscode.TreeView<Node>;
  protected readonly listening: vscode.Disposable[] = [];
  readonly onDidChangeTreeData = this.changed.event;

  protected constructor(id: string, options: { readonly showCollapseAll?: boolean } = {}) {
    this.view = vscode.window.createTreeView(id, { treeDataProvider: this, ...options });
  }

  abstract getTreeItem(node: Node): vscode.TreeItem;
  abstract getChildren(node?: Node): vscode.ProviderResult<Node[]>;

  dispose(): void {
    vscode.Disposable.from(...this.listening, this.view, this.changed).dispose();
  }
}

/** A flat list that asks the server again a while after something changed, and only while it can be seen. */
export abstract class List<Node> extends Tree<Node> {
  protected nodes: Node[] = [];
  private waiting: NodeJS.Timeout | undefined;

  protected constructor(
    id: string,
    protected readonly server: Server,
  ) {
    super(id);
    this.listening.push(this.view.onDidChangeVisibility(() => this.soon(0)));
  }

  abstract refresh(): Promise<void>;

  get selected(): Node | undefined {
    return this.view.selection[0];
  }

  getChildren(node?: Node): Node[] {
    return node === undefined ? this.nodes : [];
  }

  override dispose(): void {
    clearTimeout(this.waiting);
    super.dispose();
  }

  /** Refresh when nothing else asks for it within a pause. */
  protected soon(pause: number): void {
    clearTimeout(this.waiting);
    if (this.view.visible && this.server.state.kind === 'running') {
      this.waiting = setTimeout(() => void this.refresh(), pause);
    }
  }

  /** Why nothing is listed although the server runs; undefined where something can be. */
  protected get silence(): string | undefined {
    const { state } = this.server;
    const status = state.kind === 'running' ? state.status : undefined;
    if (status === undefined || (status.enabled && status.snoozed === 0)) {
      return undefined;
    }
    return status.enabled ? 'Hints are snoozed.' : 'Hints are off.';
  }
}
