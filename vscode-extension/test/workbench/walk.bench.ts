// How long a newcomer waits in VS Code, from a .vsix that brings its server along to the first lens on clones
// that they have: every step of theirs is taken, with its time. Not part of the tests.
//
//   scripts/extension.sh walk    (REPOS="/path/to/a/clone /path/to/another")

import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { packaged, startMachine } from './machine';
import { until, Window } from './window';

const MOST_FILES = 3; // changed by the commit that is made again

/** Make the newest commit that modifies a few Python files again, uncommitted; the first of the files, and its first changed line. */
function change(clone: string): [string, number] {
  const git = (...words: string[]): string => execFileSync('git', words, { cwd: clone, encoding: 'utf8' }).trim();
  const modified = (sha: string): string[] =>
    git('diff-tree', '--no-commit-id', '--name-only', '--diff-filter=M', '-r', sha, '--', '*.py').split('\n').filter(Boolean);
  const sha = git('rev-list', '--no-merges', '-200', 'HEAD', '--', '*.py').split('\n').find((one) => {
    const files = modified(one);
    return files.length > 0 && files.length <= MOST_FILES && files.some((file) => !file.includes('test'));
  });
  if (sha === undefined) {
    throw new Error(`${clone} has no commit that modifies a few Python files.`);
  }
  git('checkout', '--quiet', '--detach', sha);
  git('reset', '--quiet', `${sha}^`);
  const file = modified(sha).find((one) => !one.includes('test')) ?? '';
  const line = /^@@ -\d+(?:,\d+)? \+(\d+)/m.exec(git('diff', '-U0', '--', file))?.[1];
  return [file, Number(line)];
}

for (const source of process.argv.slice(2)) {
  const began = Date.now();
  const said = (what: string): void => console.log(`  ${((Date.now() - began) / 1000).toFixed(0).padStart(4)} s  ${what}`);
  console.log(source);
  const machine = await startMachine({ vsix: packaged() });
  try {
    machine.settings({});
    said('code --install-extension codewm.vsix, and VS Code is running');
    const clone = path.join(machine.folder, 'clone');
    execFileSync('git', ['clone', '--quiet', source, clone]);
    const [file, line] = change(clone);
    const window = await Window.open(machine, clone, file);
    await window.page.locator('.monaco-editor .view-line').first().click();
    await window.page.keyboard.press('Control+G');
    await window.page.keyboard.type(String(line), { delay: 20 });
    await window.page.keyboard.press('Enter');
    said('a file is open, and a function in it changed');
    const toast = await window.notification('CodeWM needs its language server');
    said('the notification is there; Install is pressed');
    await toast.getByRole('button', { name: 'Install', exact: true }).click();
    await until('the server', () => machine.servers(), (seen) => seen.length > 0, 300_000);
    said('the server is installed and running');
    const lens = await until('the first lens', () => window.lenses(), (lenses) => lenses.length > 0, 120_000).catch(() => []);
    said(lens[0] === undefined ? 'no lens: nothing is likely enough here' : `the first lens: ${lens[0].text}`);
    await window.close();
  } finally {
    await machine.stop();
  }
}
