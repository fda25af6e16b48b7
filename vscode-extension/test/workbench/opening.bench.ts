// How long it takes from opening a folder to its first lens, cold (no index) and warm; and what a keystroke costs in a file
// of 5,000 lines, without the extension and with it, in one run. Not part of the tests.
//
//   scripts/extension.sh opening    (REPO=/path/to/a/clone)

import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { CHANGED, makeShop } from './history';
import { type Machine, packaged, SERVER, startMachine } from './machine';
import { until, Window } from './window';

const WORDS = '  # the quick brown fox jumps over the lazy dog';
const source = process.argv[2] ?? '';

function seconds(since: number): string {
  return `${((Date.now() - since) / 1000).toFixed(1)} s`;
}

/** Change the first function with parameters of the largest file, and leave it unsaved on disk. */
function change(clone: string): string {
  const files = execFileSync('git', ['ls-files', 'src/*.py', '*.py'], { cwd: clone, encoding: 'utf8' }).trim().split('\n');
  const [file = ''] = files.filter((one) => !one.includes('test')).sort((one, other) => size(clone, other) - size(clone, one));
  const full = path.join(clone, file);
  const text = readFileSync(full, 'utf8');
  writeFileSync(full, text.replace(/^( *def \w+\(self)(\) -> [^:]+:\n|\):\n)/m, '$1, timeout: float = 30.0$2'));
  return file;
}

function size(clone: string, file: string): number {
  return readFileSync(path.join(clone, file)).length;
}

async function opening(machine: Machine, clone: string, file: string): Promise<string> {
  const began = Date.now();
  const window = await Window.open(machine, clone, file);
  const text = seconds(began);
  await until('the first lens', () => window.page.locator('.codelens-decoration a').count(), (count) => count > 0);
  const lens = seconds(began);
  await window.close();
  return `text after ${text}, first lens after ${lens}`;
}

async function keystrokes(machine: Machine, folder: string, withLens: boolean): Promise<number> {
  const window = await Window.open(machine, folder, 'shop/large.py');
  if (withLens) {
    await window.lens(/^like /, 'def fetch_sessions');
  }
  await window.clickBehind('class Sessions0Client:');
  const times: number[] = [];
  for (const letter of WORDS) {
    const line = window.line('class Sessions0Client');
    const before = ((await line.textContent()) ?? '').length;
    const began = performance.now();
    await window.page.keyboard.press(letter === ' ' ? 'Space' : letter);
    await window.page.waitForFunction((length) => {
      const row = [...document.querySelectorAll('.editor-instance .view-line')].find((one) => one.textContent?.includes('Sessions0Client'));
      return (row?.textContent ?? '').length > length;
    }, before);
    times.push(performance.now() - began);
  }
  await window.close();
  return times.sort((one, other) => one - other)[Math.floor(times.length / 2)] ?? 0;
}

for (const vsix of [undefined, packaged()]) {
  const machine = await startMachine({ vsix });
  machine.settings({ 'codewm.path': SERVER });
  try {
    const shop = makeShop(path.join(machine.folder, 'large'));
    const part = readFileSync(path.join(shop.path, CHANGED), 'utf8');
    const text = Array.from({ length: 190 }, (_, number) => part.replace('SessionsClient', `Sessions${String(number)}Client`)).join('\n\n');
    shop.commit('A large file', 'Grace Hopper', 1, { 'shop/large.py': text });
    shop.write('shop/large.py', text.replace('(self, page)', '(self, page, timeout=30)').replace('?page={page}")', '?page={page}", timeout=timeout)'));
    const median = await keystrokes(machine, shop.path, vsix !== undefined);
    console.log(`a keystroke in 5,000 lines, ${vsix === undefined ? 'without' : 'with'} the extension: ${median.toFixed(0)} ms (median)`);
    if (vsix !== undefined) {
      const clone = path.join(machine.folder, 'clone');
      execFileSync('git', ['clone', '--quiet', source, clone]);
      const file = change(clone);
      for (const name of readdirSync(machine.folder).filter((one) => one === 'index')) {
        rmSync(path.join(machine.folder, name), { recursive: true });
      }
      console.log(`${file}, cold: ${await opening(machine, clone, file)}`);
      console.log(`${file}, warm: ${await opening(machine, clone, file)}`);
    }
  } catch (error) {
    console.error(machine.logs());
    throw error;
  } finally {
    await machine.stop();
  }
}
