// Where the language server is. No `vscode` in here.
//
// 1. `codewm.path`, when it is set. What it names has to be there: nothing else is tried in its place.
// 2. The selected Python interpreter (not in a workspace that is not trusted): `codewm-lsp` beside it, else its module
//    `codewm_lsp.server`.
// 3. `codewm-lsp` on PATH; folders of PATH that are relative, or inside the workspace, are passed over.
// 4. The same on the PATH that a terminal of the user has: an editor started from a desktop often has a shorter one.
// 5. The environment that the extension made for it.

import { execFile } from 'node:child_process';
import * as fs from 'node:fs/promises';
import * as path from 'node:path';

export interface Wanted {
  /** The setting `codewm.path`; empty: not set. */
  readonly setting: string;
  readonly interpreter: string | undefined;
  readonly searchPath: string;
  readonly workspaceFolders: readonly string[];
  /** The PATH of the user's shell; asked for only where nothing else was found. */
  readonly shellPath: () => Promise<string>;
  /** The folder of programs in the environment that the extension makes. */
  readonly ownPrograms: string;
  /** A folder that holds no Python: `python -m` would import from the one it is started in. */
  readonly neutralFolder: string;
}

export interface Found {
  readonly kind: 'found';
  readonly command: string;
  readonly args: readonly string[];
  /** Where it was found, in words. */
  readonly where: string;
}

export interface Missing {
  readonly kind: 'missing';
  /** One line for each place that was looked at. */
  readonly tried: readonly string[];
}

export interface WrongPath {
  readonly kind: 'wrongPath';
  readonly setting: string;
}

const SERVER = 'codewm-lsp';
const MODULE = ['-m', 'codewm_lsp.server'];
const PATIENCE = 20_000; // milliseconds for an interpreter to say whether it has the module

export async function findServer(wanted: Wanted): Promise<Found | Missing | WrongPath> {
  const tried: string[] = [];

  if (wanted.setting) {
    const command = await named(wanted.setting, wanted);
    return command === undefined
      ? { kind: 'wrongPath', setting: wanted.setting }
      : { kind: 'found', command, args: [], where: 'codewm.path' };
  }
  tried.push('codewm.path is not set');

  if (wanted.interpreter === undefined) {
    tried.push('no Python interpreter is selected');
  } else {
    const beside = await executableIn(path.dirname(wanted.interpreter), SERVER);
    if (beside !== undefined) {
      return { kind: 'found', command: beside, args: [], where: 'the selected interpreter' };
    }
    if (await canImport(wanted.interpreter, wanted.neutralFolder)) {
      return { kind: 'found', command: wanted.interpreter, args: MODULE, where: 'the selected interpreter' };
    }
    tried.push(`${wanted.interpreter} does not have codewm`);
  }

  const command = await onPath(SERVER, wanted);
  if (command !== undefined) {
    return { kind: 'found', command, args: [], where: 'PATH' };
  }
  const known = await onPath(SERVER, { ...wanted, searchPath: await wanted.shellPath() });
  if (known !== undefined) {
    return { kind: 'found', command: known, args: [], where: 'the PATH of your shell' };
  }
  tried.push('codewm-lsp is not on PATH');

  const own = await executableIn(wanted.ownPrograms, SERVER);
  if (own !== undefined) {
    return { kind: 'found', command: own, args: [], where: 'the environment of the extension' };
  }
  return { kind: 'missing', tried };
}

/** A program that came with the server: `codewm-train` stands in the same folder as `codewm-lsp`. */
export async function companion(server: Found, name: string): Promise<string | undefined> {
  return executableIn(path.dirname(server.command), name);
}

/** `name` in the folders of PATH. */
export async function onPath(
  name: string,
  wanted: Pick<Wanted, 'searchPath' | 'workspaceFolders'>,
): Promise<string | undefined> {
  for (const folder of wanted.searchPath.split(path.delimiter)) {
    if (path.isAbsolute(folder) && !wanted.workspaceFolders.some((outer) => isInside(folder, outer))) {
      const found = await executableIn(folder, name);
      if (found !== undefined) {
        return found;
      }
    }
  }
  return undefined;
}

async function named(setting: string, wanted: Wanted): Promise<string | undefined> {
  if (path.isAbsolute(setting)) {
    return (await isExecutable(setting)) ? setting : executableIn(setting, SERVER);
  }
  return setting.includes('/') || setting.includes(path.sep) ? undefined : onPath(setting, wanted);
}

async function executableIn(folder: string, name: string): Promise<string | undefined> {
  for (const ending of process.platform === 'win32' ? ['.exe'] : ['']) {
    const file = path.join(folder, name + ending);
    if (await isExecutable(file)) {
      return file;
    }
  }
  return undefined;
}

async function isExecutable(file: string): Promise<boolean> {
  try {
    await fs.access(file, fs.constants.X_OK);
    return (await fs.stat(file)).isFile();
  } catch {
    return false;
  }
}

function canImport(interpreter: string, cwd: string): Promise<boolean> {
  return new Promise((resolve) => {
    execFile(interpreter, ['-c', 'import codewm_lsp.server'], { cwd, timeout: PATIENCE }, (error) => {
      resolve(error === null);
    });
  });
}

function isInside(folder: string, outer: string): boolean {
  const relative = path.relative(outer, folder);
  return relative === '' || (!relative.startsWith('..') && !path.isAbsolute(relative));
}
