// The pictures of the README: the extension on a real repository, in a light and in a dark theme.
//
// Drawn by `CODEWM_REPOS=/folder sh scripts/extension.sh pictures`; the folder holds a clone called encode+httpx.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type Machine, packaged, SERVER, startMachine } from './machine';
import { until, Window } from './window';

const CLONES = process.env['CODEWM_REPOS'];
/** "Support HTTP/2 prior-knowledge" gave two transports the argument `http1`. The first of them is being edited. */
const COMMIT = '9b17671f15';
const FILE = 'httpx/_transports/default.py';
const EDITED = /^class HTTPTransport\(.*?\n {4}def __init__\(.*?(?=\n {4}def )/ms;
/** The commit that gave the clients `http2`, a year before. */
const EVIDENCE = /^like .*"Add 'http2' for Client/;
/** The editor around the lens. */
const LENS = { x: 352, y: 402, width: 928, height: 290 };
const THEMES = [
  ['light', 'Default Light Modern'],
  ['dark', 'Default Dark Modern'],
] as const;

describe('a real repository', { skip: CLONES === undefined ? 'CODEWM_REPOS is not set' : false }, () => {
  let machine: Machine;
  let clone: string;

  before(async () => {
    machine = await startMachine({ vsix: packaged() });
    clone = path.join(machine.folder, 'httpx');
    const git = (...args: string[]): string => execFileSync('git', args, { encoding: 'utf8', env: machine.environment });
    git('clone', '--quiet', '--no-checkout', repository(CLONES ?? '', 'encode+httpx'), clone);
    git('-C', clone, 'checkout', '--quiet', `${COMMIT}~1`);
    const was = readFileSync(path.join(clone, FILE), 'utf8');
    const edit = EDITED.exec(git('-C', clone, 'show', `${COMMIT}:${FILE}`))?.[0] ?? '';
    assert.match(edit, /http1: bool/);
    writeFileSync(path.join(clone, FILE), was.replace(EDITED, () => edit));
    execFileSync(path.join(path.dirname(SERVER), 'codewm'), ['index', clone], { env: machine.environment });
  });
  after(() => machine.stop());

  for (const [theme, name] of THEMES) {
    void it(`has lenses with the right evidence, in a ${theme} theme`, async () => {
      machine.settings({ 'codewm.path': SERVER, 'codewm.pauseWhenBusy': false, 'workbench.colorTheme': name });
      const window = await Window.open(machine, clone, FILE);
      await window.page.locator(`.monaco-workbench.${theme === 'light' ? 'vs' : 'vs-dark'}`).waitFor();
      await reveal(window, /\n {4}def __init__\(.*http1/s);
      await window.lens(EVIDENCE, 'def __init__(');
      await window.picture(`evidence-lens-${theme}`, LENS);
      await window.clickLens(/http2/);
      const rows = await until('the past edits', () => window.rows('Similar Edits'), (seen) => seen.length > 1);
      assert.match(rows[0] ?? '', /Add 'http2' for Client/);
      await until('the diff', () => window.diff(), (seen) => seen.after.includes('http2'));
      await until('why it is listed', () => window.details(), (seen) => /% (likely to fit|alike)/.test(seen));
      await until('where next', () => window.rows('Where Next'), (seen) => seen.some((row) => row.startsWith('AsyncHTTPTransport.__init__')));
      await window.picture(`evidence-edits-${theme}`);
      await window.run('CodeWM: Clear List');
      await window.run('View: Close All Editors');
      await window.close();
    });
  }
});

/** Put the line where the text begins near the top of the editor. */
async function reveal(window: Window, text: RegExp): Promise<void> {
  const whole = readFileSync(path.join(window.folder, FILE), 'utf8');
  const line = whole.slice(0, whole.search(text)).split('\n').length;
  await window.page.locator('.monaco-editor .view-line').first().click();
  await window.page.keyboard.press('Control+G');
  await window.page.keyboard.type(String(line + 14), { delay: 20 });
  await window.page.keyboard.press('Enter');
}

/** A clone, or a bare repository in a folder of its own. */
function repository(clones: string, name: string): string {
  const folder = path.join(clones, name);
  return existsSync(path.join(folder, 'repo', 'HEAD')) ? path.join(folder, 'repo') : folder;
}
