// The Python environment that the extension makes for its server, where the user wants none of their own for it.

import { execFile } from 'node:child_process';
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { onPath, type Wanted } from './lookup';

const OLDEST: readonly [number, number] = [3, 10];
const PATIENCE = 10_000; // milliseconds for a Python to say its version
const NAMES = ['python3', 'python', 'python3.14', 'python3.13', 'python3.12', 'python3.11', 'python3.10'];
const FOLDER = 'server';

/** Where that environment is, made or not. */
export function environmentIn(storage: string): string {
  return path.join(storage, FOLDER);
}

/** The folder of the programs in an environment, and its interpreter. */
export function programsOf(environment: string): { readonly folder: string; readonly python: string } {
  const windows = process.platform === 'win32';
  const folder = path.join(environment, windows ? 'Scripts' : 'bin');
  return { folder, python: path.join(folder, windows ? 'python.exe' : 'python') };
}

/** The first Python on PATH that the server can run on. */
export async function suitablePython(wanted: Pick<Wanted, 'searchPath' | 'workspaceFolders'>): Promise<string | undefined> {
  for (const name of NAMES) {
    const found = await onPath(name, wanted);
    if (found !== undefined && (await isNewEnough(found))) {
      return found;
    }
  }
  return undefined;
}

/** What `pip install` is told: the wheel that came with the extension, else the published package; neither: undefined. */
export async function requirement(extensionPath: string, published: boolean): Promise<string | undefined> {
  const folder = path.join(extensionPath, 'server');
  const files = await fs.readdir(folder).catch(() => []);
  const wheel = files.find((name) => name.endsWith('.whl'));
  return wheel !== undefined ? path.join(folder, wheel) : published ? 'codewm' : undefined;
}

function isNewEnough(python: string): Promise<boolean> {
  return new Promise((resolve) => {
    const test = `import sys, venv, ensurepip; sys.exit(sys.version_info < (${OLDEST.join(', ')}))`;
    execFile(python, ['-I', '-c', test], { timeout: PATIENCE }, (error) => {
      resolve(error === null);
    });
  });
}
