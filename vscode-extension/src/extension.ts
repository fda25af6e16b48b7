// CodeWM in VS Code: puts the parts together.

import * as vscode from 'vscode';
import { registerCommands } from './commands';
import { PastFiles, SCHEME } from './diff';
import { Hints } from './hints';
import { Notices } from './install';
import { watchInterpreter } from './interpreter';
import { NAME, TraceChannel } from './log';
import { LineEnds } from './lineEnds';
import { Server } from './server';
import { SECTION, startChanged } from './settings';
import { type Shown, shownNow, showStatus } from './status';
import { DetailsView } from './views/details';
import { ForgottenView } from './views/forgotten';
import { WhereNextView } from './views/next';
import { SimilarEditsView } from './views/similar';

/** What other extensions, and our tests, can ask. */
export interface Api {
  /** The status as it is shown. */
  status(): Shown;
  /** The process of the server, while there is one. */
  readonly onDidChangeStatus: vscode.Event<unknown>;
}

let running: Server | undefined;

export function activate(context: vscode.ExtensionContext): Api {
  const log = vscode.window.createOutputChannel(NAME, { log: true });
  const trace = new TraceChannel();
  const lineEnds = new LineEnds();
  const server = new Server({ log, trace }, context.extensionPath, context.globalStorageUri.fsPath, lineEnds);
  running = server;
  const hints = new Hints(server);
  const details = new DetailsView();
  const similar = new SimilarEditsView(server, details);
  const next = new WhereNextView(server, details);
  const forgotten = new ForgottenView(server);
  context.subscriptions.push(
    log,
    trace,
    lineEnds,
    hints,
    similar,
    next,
    forgotten,
    details,
    showStatus(server),
    new Notices({ server, log, context }),
    vscode.workspace.registerTextDocumentContentProvider(SCHEME, new PastFiles(server)),
    registerCommands({ server, hints, similar, next, forgotten, log, context }),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration(SECTION)) {
        void server.configure();
      }
      if (startChanged(event)) {
        void server.reconsider();
      }
    }),
    vscode.workspace.onDidGrantWorkspaceTrust(() => void server.reconsider()),
    watchInterpreter(() => void server.reconsider()),
    vscode.window.onDidChangeWindowState(() => void server.lookAgain()), // back from where it was installed
    vscode.window.onDidCloseTerminal(() => void server.lookAgain()),
    vscode.window.onDidChangeActiveTextEditor(() => void server.lookAgain()),
    server,
  );
  void server.reconsider();
  return { status: () => shownNow(server), onDidChangeStatus: server.onDidChange };
}

export async function deactivate(): Promise<void> {
  await running?.stop();
}
