// "Train on This Repository": codewm-train in a terminal, and the offer to use what came of it.

import * as path from 'node:path';
import * as vscode from 'vscode';
import { packageOf, pipInstall } from './install';
import { companion, type Found } from './lookup';
import type { Server } from './server';
import { configuration } from './settings';
import { runInTerminal } from './tasks';
import { inWords, isBetter, readVerdict } from './verdict';

const PROGRAM = 'codewm-train';

export async function trainOnRepository(server: Server, context: vscode.ExtensionContext): Promise<void> {
  const { state } = server;
  if (state.kind !== 'running') {
    throw new Error('The CodeWM server is not running.');
  }
  const root = await repository(state.status?.repositories.map((one) => vscode.Uri.parse(one.root).fsPath) ?? []);
  if (root === undefined) {
    return;
  }
  const program = await companion(state.found, PROGRAM);
  if (program === undefined) {
    await offerTrainer(state.found, context);
    return;
  }
  const stamp = new Date().toISOString().slice(0, 16).replace(/[-:]/g, '').replace('T', '-');
  const output = path.join(context.globalStorageUri.fsPath, 'models', `${path.basename(root)}-${stamp}`);
  await vscode.workspace.fs.createDirectory(vscode.Uri.file(path.dirname(output)));
  const name = `train on ${path.basename(root)}`;
  const code = await runInTerminal(name, program, [root, '--output', output], root);
  if (code !== 0) {
    if (code !== undefined) {
      void vscode.window.showErrorMessage(`CodeWM: training failed with exit code ${String(code)}. See the terminal.`);
    }
    return;
  }
  await offerModel(output);
}

async function offerModel(output: string): Promise<void> {
  const verdict = await readVerdict(output);
  if (!isBetter(verdict)) {
    const why = verdict.ours === undefined || verdict.shipped === undefined ? 'was not compared with' : 'is not clearly better than';
    const words = why === 'is not clearly better than' ? ` (MRR ${inWords(verdict)})` : '';
    void vscode.window.showInformationMessage(
      `CodeWM: the new model ${why} the shipped one on your newest edits${words}. The shipped model stays in use; the new one is in ${output}.`,
    );
    return;
  }
  const use = 'Use It Here';
  const choice = await vscode.window.showInformationMessage(
    `CodeWM: the new model is better than the shipped one on your newest edits, which were not used for training (MRR ${inWords(verdict)}).`,
    use,
  );
  if (choice === use) {
    const target = vscode.workspace.workspaceFolders === undefined ? vscode.ConfigurationTarget.Global : vscode.ConfigurationTarget.Workspace;
    await configuration().update('model', output, target);
  }
}

async function offerTrainer(found: Found, context: vscode.ExtensionContext): Promise<void> {
  const message = 'CodeWM: training needs PyTorch (a large download), which is not installed.';
  const install = 'Install';
  const interpreter = found.args.length > 0 ? found.command : await companion(found, 'python');
  const wanted = await packageOf(context);
  const possible = interpreter !== undefined && wanted !== undefined;
  const choice = await vscode.window.showInformationMessage(message, ...(possible ? [install] : []));
  if (choice === install && possible) {
    await pipInstall(interpreter, `${wanted}[train]`);
  }
}

async function repository(roots: readonly string[]): Promise<string | undefined> {
  if (roots.length === 0) {
    throw new Error('Open a Git repository first.');
  }
  if (roots.length === 1) {
    return roots[0];
  }
  const picks = roots.map((root) => ({ label: path.basename(root), description: root, root }));
  return (await vscode.window.showQuickPick(picks, { title: 'CodeWM: train on which repository?' }))?.root;
}
