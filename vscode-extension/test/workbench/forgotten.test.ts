// What is asked before a commit, and past edits that are searched for, in the real workbench.

import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { makeGuide, type Repository } from './history';
import { type Machine, packaged, SERVER, startMachine } from './machine';
import { until, Window } from './window';

const VIEW = 'Forgotten Files';
const CODE = 'shop/prices.py';

describe('a repository in which a page always changes with a module', () => {
  let machine: Machine;
  let guide: Repository;
  let window: Window;
  const step = (name: string, test: () => Promise<void>): void => {
    void it(name, async () => {
      try {
        await test();
      } catch (error) {
        console.error(`${name}: on the screen: ${await window.said()}\n${machine.logs()}`);
        await window.picture(`failed-${name}`);
        throw error;
      }
    });
  };

  before(async () => {
    machine = await startMachine({ vsix: packaged() });
    machine.settings({ 'codewm.path': SERVER });
    guide = makeGuide(path.join(machine.folder, 'guide'));
    guide.write(CODE, 'def gross(net):\n    return 2 * net\n');
    window = await Window.open(machine, guide.path, CODE);
  });
  after(async () => {
    await window.close();
    await machine.stop();
  });

  step('names the page in Source Control, with the chance and the reason, and opens it with one click', async () => {
    await window.run('Source Control: Focus on Forgotten Files View');
    const [row = ''] = await until('the file', () => window.rows(VIEW), (seen) => seen.length === 1);
    assert.match(row, /^prices\.md.*\d+ % · changed in 40 of the last 40 commits to shop\/prices\.py$/);
    const message = window.pane(VIEW).locator('.message');
    await until('what it is about', () => message.textContent(), (seen) => (seen ?? '').startsWith('Usually changes with the changed files'));
    await window.picture('forgotten');
    await window.row(VIEW, 'prices.md').click();
    await until('the page', () => window.tab(), (seen) => seen === 'prices.md');
  });

  step('asks about what is staged as soon as something is', async () => {
    guide.git('add', CODE);
    const message = window.pane(VIEW).locator('.message');
    await until('what it is about', () => message.textContent(), (seen) => (seen ?? '').startsWith('Usually changes with the staged files'));
  });

  step('does not name it again once it is said not to be needed, until that is taken back', async () => {
    const toast = await window.press(window.row(VIEW, 'prices.md'), 'Not Needed Here', 'docs/prices.md is hidden for this change');
    await until('no file', () => window.rows(VIEW), (seen) => seen.length === 0);
    await toast.getByRole('button', { name: 'Undo' }).click();
    await until('the file again', () => window.rows(VIEW), (seen) => seen.length === 1);
  });

  step('does not name it with another change either once it is said never to be needed, until that is taken back', async () => {
    await window.chooseOf(window.row(VIEW, 'prices.md'), 'Never Needed');
    const toast = await window.notification('docs/prices.md is hidden for good');
    await toast.hover(); // else it is gone after some seconds
    await until('no file', () => window.rows(VIEW), (seen) => seen.length === 0);
    guide.commit('Double', 'Ada Lovelace', 0, {});
    guide.write(CODE, 'def gross(net):\n    return 3 * net\n');
    await window.run('Source Control: Focus on Forgotten Files View');
    const message = window.pane(VIEW).locator('.message');
    const other = 'No file seems to be missing from the working tree';
    await until('what is said of the other change', () => message.textContent(), (seen) => (seen ?? '').startsWith(other));
    assert.deepEqual(await window.rows(VIEW), []);
    await toast.getByRole('button', { name: 'Undo' }).click();
    await until('the file again', () => window.rows(VIEW), (seen) => seen.length === 1);
    guide.git('add', CODE);
  });

  step('says nothing of it once the page is changed too', async () => {
    guide.write('docs/prices.md', '# 2\n');
    guide.git('add', 'docs/prices.md');
    await until('no file', () => window.rows(VIEW), (seen) => seen.length === 0);
    const message = window.pane(VIEW).locator('.message');
    await until('that all is well', () => message.textContent(), (seen) => (seen ?? '').startsWith('No file seems to be missing from what is staged'));
  });

  step('names nothing while hints are off', async () => {
    guide.git('reset', '--quiet', 'docs/prices.md');
    guide.git('checkout', '--quiet', 'docs/prices.md');
    await until('the file again', () => window.rows(VIEW), (seen) => seen.length === 1);
    const message = window.pane(VIEW).locator('.message');
    await window.run('CodeWM: Toggle Hints');
    await until('that hints are off', () => message.textContent(), (seen) => seen === 'Hints are off.');
    await until('no file', () => window.rows(VIEW), (seen) => seen.length === 0);
    await window.run('CodeWM: Toggle Hints');
    await until('the file again', () => window.rows(VIEW), (seen) => seen.length === 1);
  });

  step('finds past edits by words, lists them, and shows the first in a diff', async () => {
    await until('an index', async () => {
      await window.runWith('CodeWM: Search Past Edits', 'retry timeout', 'price gross');
      const rows = await until('an answer', () => window.rows('Similar Edits'), (seen) => seen.length > 0, 15_000);
      return rows.length > 0;
    });
    const [first = ''] = await window.rows('Similar Edits');
    assert.match(first, /^gross.*Price number \d+ · Ada Lovelace/);
    const message = window.pane('Similar Edits').locator('.message');
    await until('what it is about', () => message.textContent(), (seen) => (seen ?? '').includes('Past edits about "price gross"'));
    await until('the diff', () => window.diff(), (seen) => seen.after.includes('def gross(net):'));
  });
});
