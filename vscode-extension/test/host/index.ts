// Runs inside the extension host, with the whole `vscode` API. The workspace has two folders, each a repository whose
// shop/sessions.py was just changed; the environment says where servers are.

import assert from 'node:assert/strict';
import { mkdir, symlink } from 'node:fs/promises';
import * as path from 'node:path';
import * as vscode from 'vscode';
import type { Api } from '../../src/extension';

const PATIENCE = Number(process.env['CODEWM_PATIENCE'] ?? 120_000);

async function until<Seen>(what: string, look: () => Seen | Thenable<Seen>, wanted: (seen: Seen) => boolean): Promise<Seen> {
  const end = Date.now() + PATIENCE;
  for (;;) {
    const seen = await look();
    if (wanted(seen)) {
      return seen;
    }
    if (Date.now() > end) {
      throw new Error(`${what}: it did not come true. Last seen: ${JSON.stringify(seen)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 60));
  }
}

function environment(name: string): string {
  const value = process.env[name];
  assert.ok(value, `${name} is set`);
  return value;
}

const folders = (): readonly vscode.WorkspaceFolder[] => vscode.workspace.workspaceFolders ?? [];
const set = (name: string, value: unknown): Thenable<void> =>
  vscode.workspace.getConfiguration('codewm').update(name, value, vscode.ConfigurationTarget.Workspace);

async function api(): Promise<Api> {
  const extension = vscode.extensions.getExtension<Api>('codewm.codewm');
  assert.ok(extension, 'the extension is installed');
  return extension.activate();
}

async function ready(): Promise<Api> {
  const codewm = await api();
  await until('ready', () => codewm.status(), (shown) => shown.detail.startsWith('ready · '));
  return codewm;
}

function lenses(uri: vscode.Uri): Promise<vscode.CodeLens[]> {
  return until(
    'lenses',
    () => vscode.commands.executeCommand<vscode.CodeLens[]>('vscode.executeCodeLensProvider', uri),
    (found) => found.some((lens) => lens.command?.command === 'codewm.showSimilarEdits'),
  );
}

const tests: Record<string, () => Promise<void>> = {
  'one server serves all folders of the workspace': async () => {
    assert.equal(folders().length, 2);
    for (const folder of folders()) {
      const uri = vscode.Uri.joinPath(folder.uri, 'shop/sessions.py');
      await vscode.window.showTextDocument(uri);
      const [lens] = await lenses(uri);
      assert.equal(lens?.isResolved, true);
      assert.match(lens.command?.title ?? '', /^like [0-9a-f]{7} /);
    }
    const { detail } = (await ready()).status();
    assert.match(detail, /^ready · 20 commits · codewm-base-\d+ · \d+\.\d+/); // ten in each
  },

  'running a lens opens a diff whose sides are what Git has': async () => {
    const [folder] = folders();
    assert.ok(folder);
    const uri = vscode.Uri.joinPath(folder.uri, 'shop/sessions.py');
    const [lens] = await lenses(uri);
    await vscode.commands.executeCommand('codewm.showSimilarEdits', ...((lens?.command?.arguments ?? []) as unknown[]));
    const input = await until('a diff', () => vscode.window.tabGroups.activeTabGroup.activeTab?.input, (one) => one instanceof vscode.TabInputTextDiff);
    assert.ok(input instanceof vscode.TabInputTextDiff);
    const [before, after] = await Promise.all([input.original, input.modified].map((side) => vscode.workspace.openTextDocument(side)));
    assert.equal(before?.languageId, 'python');
    assert.match(after?.getText() ?? '', /def fetch_\w+\(self, page, timeout=30\)/);
    assert.match(before.getText(), /def fetch_\w+\(self, page\)/);
  },

  'every command that is offered exists': async () => {
    const manifest = vscode.extensions.getExtension('codewm.codewm')?.packageJSON as { contributes: { commands: { command: string }[] } };
    const known = new Set(await vscode.commands.getCommands(true));
    assert.deepEqual(manifest.contributes.commands.map((one) => one.command).filter((command) => !known.has(command)), []);
  },

  'restarts that come together are one': async () => {
    const codewm = await ready();
    let starts = 0;
    const counting = codewm.onDidChangeStatus((state) => {
      starts += (state as { kind: string }).kind === 'starting' ? 1 : 0;
    });
    await Promise.all(Array.from({ length: 5 }, () => vscode.commands.executeCommand('codewm.restart')));
    await ready();
    counting.dispose();
    assert.ok(starts <= 2, `${String(starts)} starts`);
  },

  'what is switched off stays off over a restart': async () => {
    const codewm = await ready();
    await vscode.commands.executeCommand('codewm.toggle');
    await until('off', () => codewm.status(), (shown) => shown.text === 'CodeWM: off');
    await vscode.commands.executeCommand('codewm.restart');
    await until('still off', () => codewm.status(), (shown) => shown.text === 'CodeWM: off');
    await vscode.commands.executeCommand('codewm.toggle');
    await ready();
  },

  'a document without hints says why in the status': async () => {
    const codewm = await ready();
    const [folder] = folders();
    assert.ok(folder);
    const script = vscode.Uri.joinPath(folder.uri, 'shop/tool');
    await vscode.workspace.fs.writeFile(script, Buffer.from('#!/usr/bin/env python3\nx = 1\n'));
    const opened: [Thenable<vscode.TextDocument>, RegExp][] = [
      [vscode.workspace.openTextDocument(script), /^not one of \.py/],
      [vscode.workspace.openTextDocument({ language: 'python', content: 'x = 1\n' }), /^not saved in a repository yet$/],
    ];
    for (const [document, reason] of opened) {
      await vscode.window.showTextDocument(await document);
      const shown = await until('the reason', () => codewm.status(), (one) => reason.test(one.detail));
      assert.equal(shown.text, 'CodeWM: no hints here');
    }
    await vscode.commands.executeCommand('workbench.action.revertAndCloseActiveEditor');
    await vscode.workspace.fs.delete(script);
    await vscode.window.showTextDocument(vscode.Uri.joinPath(folder.uri, 'shop/sessions.py'));
    await ready();
  },

  'a model that cannot be used is said in the status': async () => {
    const codewm = await ready();
    await set('model', path.join(folders()[0]?.uri.fsPath ?? '', 'shop'));
    const shown = await until('the problem', () => codewm.status(), (one) => one.text === 'CodeWM: model problem');
    assert.equal(shown.severity, 'warning');
    await set('model', undefined);
    await ready();
  },

  'another server is taken as soon as the setting or the interpreter says so': async () => {
    const codewm = await ready();
    await set('path', '/no/such/program');
    await until('no server', () => codewm.status(), (shown) => shown.detail.includes('codewm.path names /no/such/program'));
    await set('path', '');
    await until('none found', () => codewm.status(), (shown) => shown.command.command === 'codewm.install');
    for (const name of ['PYTHON_BESIDE', 'PYTHON_MODULE']) {
      await vscode.commands.executeCommand('python.select', environment(name));
      await ready();
      await vscode.commands.executeCommand('python.select', '/usr/bin/no-python');
      await until('none found', () => codewm.status(), (shown) => shown.command.command === 'codewm.install');
    }
    await set('path', environment('CODEWM_LSP'));
    await ready();
  },

  'a server that comes where it was missed is taken with the next look at a file': async () => {
    const codewm = await ready();
    const later = path.join(folders()[0]?.uri.fsPath ?? '', '..', 'later', 'codewm-lsp');
    await set('path', later);
    await until('no server', () => codewm.status(), (shown) => shown.detail.includes(`codewm.path names ${later}`));
    await mkdir(path.dirname(later), { recursive: true });
    await symlink(environment('CODEWM_LSP'), later);
    for (const folder of folders()) {
      await vscode.window.showTextDocument(vscode.Uri.joinPath(folder.uri, 'shop/orders.py'));
    }
    await ready();
    await set('path', environment('CODEWM_LSP'));
    await ready();
  },
};

export async function run(): Promise<void> {
  const failed: string[] = [];
  for (const [name, test] of Object.entries(tests)) {
    const began = Date.now();
    try {
      await test();
      console.log(`ok ${name} (${String(Date.now() - began)} ms)`);
    } catch (error) {
      failed.push(name);
      console.log(`not ok ${name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    }
  }
  if (failed.length > 0) {
    throw new Error(`${String(failed.length)} failed: ${failed.join('; ')}`);
  }
}
