// What a terminal of the user would know: an editor that was not started from one often has a shorter PATH.

import { execFile } from 'node:child_process';
import { homedir } from 'node:os';
import * as path from 'node:path';

const PATIENCE = 5_000; // milliseconds for a shell and what it runs as it starts
const MARK = '--codewm-path--';

/** The PATH of the user's login shell, and where pipx and uv put programs; what could not be found out is left out. */
export async function shellPath(): Promise<string> {
  const usual = path.join(homedir(), '.local', 'bin');
  const shell = process.env['SHELL'];
  if (process.platform === 'win32' || shell === undefined || !path.isAbsolute(shell)) {
    return usual;
  }
  const written = await new Promise<string>((resolve) => {
    const command = `printf '%s' '${MARK}' "$PATH" '${MARK}'`;
    const started = execFile(shell, ['-ilc', command], { timeout: PATIENCE, cwd: homedir() }, (_error, stdout) => {
      resolve(stdout);
    });
    started.stdin?.end();
  });
  const told = written.split(MARK)[1];
  return told === undefined ? usual : [told, usual].join(path.delimiter);
}
