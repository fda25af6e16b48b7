// How long a newcomer waits in VS Code, from a .vsix that brings its server along (`make wheel vsix`) to the first lens on clones
// that they have: every step of theirs is taken, with its time. Not part of the tests.
//
//   scripts/extension.sh walk    (REPOS="/path/to/a/clone /path/to/another")

import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { packaged, startMachine } from './machine';
import { until, Window } from './window';

const LARGEST = 500_000; // characters of a file; far larger ones get no lenses

/** Add a parameter to the first method with one in the largest file that has such a method; the file, and the method's line. */
function change(clone: string): [string, number] {
  const files = execFileSync('git', ['ls-files', '*.py'], { cwd: clone, encoding: 'utf8' }).trim().split('\n');
  const method = /^( +def \w+\(\s*self, \w+: \w+)(,|\))/m;
  const texts = files
    .filter((file) => !file.includes('test'))
    .map((file): [string, string] => [file, readFileSync(path.join(clone, file), 'utf8')])
    .filter(([, text]) => text.length < LARGEST && method.test(text));
  const [[file, text] = ['', '']] = texts.sort(([, one], [, other]) => other.length - one.length);
  const full = path.join(clone, file);
  writeFileSync(full, text.replace(method, '$1, timeout: float = 30.0$2'));
  return [file, text.slice(0, text.search(method)).split('\n').length];
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
    const lens = await until('the first lens', () => window.lenses(), (lenses) => lenses.length > 0, 120_000);
    said(`the first lens: ${lens[0]?.text ?? ''}`);
    await window.close();
  } finally {
    await machine.stop();
  }
}
