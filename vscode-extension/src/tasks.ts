// A program in a terminal of its own, and how it ended.

import * as vscode from 'vscode';

/** Run it where the user sees it. The exit code; undefined when the user ended it. */
export async function runInTerminal(
  name: string,
  command: string,
  args: readonly string[],
  cwd: string | undefined,
): Promise<number | undefined> {
  const execution = new vscode.ProcessExecution(command, [...args], cwd === undefined ? {} : { cwd });
  const task = new vscode.Task({ type: 'codewm' }, vscode.TaskScope.Workspace, name, 'CodeWM', execution, []);
  task.presentationOptions = { reveal: vscode.TaskRevealKind.Always, panel: vscode.TaskPanelKind.Dedicated, clear: true };
  return new Promise((resolve, reject) => {
    let running: vscode.TaskExecution | undefined;
    const listening = vscode.Disposable.from(
      vscode.tasks.onDidEndTaskProcess((event) => {
        if (event.execution.task.name === name && (running === undefined || event.execution === running)) {
          listening.dispose();
          resolve(event.exitCode);
        }
      }),
      vscode.tasks.onDidEndTask((event) => {
        if (event.execution === running) {
          setTimeout(() => {
            listening.dispose();
            resolve(undefined); // ended without a process that ended: it never ran
          }, 1000);
        }
      }),
    );
    vscode.tasks.executeTask(task).then(
      (execution_) => {
        running = execution_;
      },
      (error: unknown) => {
        listening.dispose();
        reject(error instanceof Error ? error : new Error(String(error)));
      },
    );
  });
}
