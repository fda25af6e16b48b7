// The Python interpreter that the user selected, asked of the Python extension where that is installed.

import * as vscode from 'vscode';

const PYTHON_EXTENSION = 'ms-python.python';

/** The part of the Python extension's public API that is used here. */
interface PythonApi {
  readonly environments: {
    getActiveEnvironmentPath(resource?: vscode.Uri): { readonly path: string };
    resolveEnvironment(environment: { readonly path: string }): Promise<
      | {
          readonly executable: { readonly uri?: vscode.Uri };
          readonly version?: { readonly major?: number; readonly minor?: number };
        }
      | undefined
    >;
    readonly onDidChangeActiveEnvironmentPath: vscode.Event<unknown>;
  };
}

export interface Interpreter {
  readonly path: string;
  /** `Python 3.12`, as far as known. */
  readonly version: string;
}

async function pythonApi(): Promise<PythonApi | undefined> {
  const extension = vscode.extensions.getExtension<PythonApi>(PYTHON_EXTENSION);
  if (extension === undefined) {
    return undefined;
  }
  const api = extension.isActive ? extension.exports : await extension.activate();
  return typeof api === 'object' && 'environments' in api ? api : undefined;
}

/** The selected interpreter; undefined without the Python extension, or where it has none. */
export async function selectedInterpreter(log: vscode.LogOutputChannel): Promise<Interpreter | undefined> {
  try {
    const api = await pythonApi();
    if (api === undefined) {
      return undefined;
    }
    const folder = vscode.workspace.workspaceFolders?.[0]?.uri;
    const found = await api.environments.resolveEnvironment(api.environments.getActiveEnvironmentPath(folder));
    const file = found?.executable.uri?.fsPath;
    if (file === undefined) {
      return undefined;
    }
    const { major, minor } = found?.version ?? {};
    const version = major !== undefined && minor !== undefined ? `Python ${String(major)}.${String(minor)}` : 'Python';
    return { path: file, version };
  } catch (error) {
    log.warn(`The Python extension did not say which interpreter is selected: ${String(error)}`);
    return undefined;
  }
}

/** Calls back when another interpreter is selected, also when the Python extension comes later. */
export function watchInterpreter(changed: () => void): vscode.Disposable {
  let listening: vscode.Disposable | undefined;
  const listen = async (): Promise<boolean> => {
    const api = await pythonApi().catch(() => undefined);
    if (api !== undefined && listening === undefined) {
      listening = api.environments.onDidChangeActiveEnvironmentPath(changed);
      return true;
    }
    return false;
  };
  void listen();
  const extensions = vscode.extensions.onDidChange(() => {
    void listen().then((isNew) => {
      if (isNew) {
        changed();
      }
    });
  });
  return new vscode.Disposable(() => {
    listening?.dispose();
    extensions.dispose();
  });
}
