// The packaged extension in the real workbench, on a real repository with a real index, as a user sees it.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { CHANGED, client, makeShop, makeStall, type Repository } from './history';
import { type Machine, packaged, SERVER, startMachine } from './machine';
import { PATIENCE, until, Window } from './window';

const LIKE = /^like [0-9a-f]{7} 'Give the \w+ client time-outs' · \d+ (month|week|day)s? ago/;
const LIKELY = /^likely next /;
const VIEW = 'Similar Edits';
const NEXT = 'Where Next';

let machine: Machine;
/** So small a history makes the model doubtful; the threshold is low so that its likeliest guess is seen. */
const SETTINGS = { 'codewm.path': SERVER, 'codewm.threshold': 0.01, 'codewm.lensesPerFile': 6 };

before(async () => {
  machine = await startMachine({ vsix: packaged() });
  machine.settings(SETTINGS);
});
after(() => machine.stop());

/** Show what is on the screen, and what the logs say, when a test fails. */
function withPicture(name: string, window: () => Window, test: () => Promise<void>): () => Promise<void> {
  return async () => {
    try {
      await test();
    } catch (error) {
      console.error(`${name}: on the screen: ${await window().said()}\n${machine.logs()}`);
      await window().picture(`failed-${name}`);
      throw error;
    }
  };
}

describe('a repository in which a function was just changed', () => {
  let shop: Repository;
  let window: Window;
  const step = (name: string, test: () => Promise<void>): void => {
    void it(name, withPicture(name.replaceAll(' ', '-'), () => window, test));
  };

  before(async () => {
    shop = makeShop(path.join(machine.folder, 'shop'));
    shop.write(CHANGED, client('sessions', { timeout: 'fetch' }));
    window = await Window.open(machine, shop.path, CHANGED);
  });
  after(() => window.close());

  step('shows the past edit like it above it, and the definition that is likely to be next', async () => {
    await window.lens(LIKE, 'def fetch_sessions(self, page, timeout=30):');
    await window.lens(LIKELY, 'def store_session(self, session):');
    const lenses = await window.lenses();
    assert.ok(lenses.every((lens) => /^(async )?(def|class) |^"""Talks to/.test(lens.above)), JSON.stringify(lenses));
    assert.equal(new Set(lenses.map((lens) => lens.above)).size, lenses.length, 'one lens a definition');
    await window.picture('lenses');
  });

  step('lists the past edits when the lens is clicked, and previews the first in a diff', async () => {
    const { text } = await window.lens(LIKE);
    await window.clickLens(/^\s*like\s+[0-9a-f]{7}/);
    const rows = await until('rows', () => window.rows(VIEW), (seen) => seen.length > 2);
    const commit = /^like ([0-9a-f]{7})/.exec(text)?.[1] ?? '';
    const subject = shop.git('log', '-1', '--format=%s', commit);
    const [first = ''] = rows;
    assert.match(first, /^fetch_[a-z]+.* · \d+ % · (Ada|Grace|Katherine) \w+ · \d+ (month|week|day)s? ago$/);
    assert.ok(first.includes(subject), first);
    const name = /^fetch_(orders|users|invoices|reports)/.exec(first)?.[0] ?? '';

    const file = shop.git('show', '--name-only', '--format=', commit).split('\n').find((one) => one.startsWith('shop/')) ?? '';
    const diff = await until('the diff', () => window.diff(), (seen) => seen.after.includes(`def ${name}(self, page, timeout=30):`));
    assert.equal(diff.before.trimEnd(), shop.git('show', `${commit}~1:${file}`));
    assert.equal(diff.after.trimEnd(), shop.git('show', `${commit}:${file}`));
    assert.match(diff.title, new RegExp(`${path.basename(file)}: \\w+\\.${name} \\(${commit}\\)`));
    const coloured = window.page.locator('.monaco-diff-editor .editor.modified .view-line', { hasText: 'def fetch' });
    assert.ok((await coloured.first().locator('span[class*=mtk]').count()) > 2, 'the diff is coloured as Python');
    assert.ok(diff.after.includes('timeout=timeout)'), 'the change is on the screen');
    const details = await until('its details', () => window.details(), (seen) => seen.includes(subject));
    assert.match(details, /(Ada Lovelace|Grace Hopper|Katherine Johnson), \d+ \w+ ago, [0-9a-f]{7}/);
    assert.ok(details.includes(`in ${file}, modified`), details);
    assert.match(details, /\d+ % (likely to fit|alike)/);
    await window.picture('similar-edits');
  });

  step('is used from the keyboard: Enter previews, and once more it goes to the diff', async () => {
    const inDiff = (): Promise<boolean> =>
      window.page.evaluate(() => (document.activeElement?.closest('.monaco-diff-editor') ?? null) !== null);
    const first = (await window.diff()).title;
    assert.equal(await inDiff(), false, 'the focus is in the list');
    await window.page.keyboard.press('End');
    await window.page.keyboard.press('Enter');
    await until('another diff', () => window.diff(), (seen) => seen.title !== first && seen.after.includes('class'));
    assert.equal(await inDiff(), false, 'the focus is still in the list');
    await window.page.keyboard.press('Home');
    await window.page.keyboard.press('Enter');
    await until('the first diff again', () => window.diff(), (seen) => seen.title === first);
    await window.page.keyboard.press('ArrowDown');
    await window.page.keyboard.press('Enter');
    await until('the past edit below it', () => window.diff(), (seen) => seen.title !== first);
    await window.page.keyboard.press('ArrowUp');
    await window.page.keyboard.press('Enter');
    await until('the first diff again', () => window.diff(), (seen) => seen.title === first);
    await window.page.keyboard.press('Enter');
    await until('the focus in the diff', inDiff);
    await window.run('CodeWM: Next Past Edit');
    await until('the second diff', () => window.diff(), (seen) => seen.title !== first);
    await window.run('CodeWM: Previous Past Edit');
    await until('the first diff again', () => window.diff(), (seen) => seen.title === first);
  });

  step('tells what else the commit changed', async () => {
    await window.run('CodeWM: Show Other Edits of This Commit');
    await until('its other edits', () => window.rows(VIEW), (seen) => seen.some((row) => row.startsWith('test_fetch')));
    await window.row(VIEW, 'test_fetch').click();
    await until('its diff', () => window.diff(), (seen) => seen.after.includes('assert server.slow('));
  });

  step('copies the commit hash and opens the file as it is now', async () => {
    await window.row(VIEW, 'client time-outs').click();
    await until('its diff', () => window.diff(), (seen) => /^\w+\.py: \w+Client\./.test(seen.title));
    await window.run('CodeWM: Copy Commit Hash');
    const hash = await until('the hash', () => window.page.evaluate(() => navigator.clipboard.readText()), (seen) => /^[0-9a-f]{40}$/.test(seen));
    assert.match(shop.git('log', '-1', '--format=%s', hash), /^Give the \w+ client time-outs$/);
    await window.run('CodeWM: Open File');
    await until('the file', () => window.tab(), (seen) => /^\w+\.py$/.test(seen));
    await until('the place', () => window.page.locator('.statusbar-item', { hasText: 'Ln' }).first().textContent(), (seen) => /Ln 12, Col 5/.test(seen ?? ''));
  });

  step('hides edits like one of them, and brings them back', async () => {
    const before = await until('rows', () => window.rows(VIEW), (seen) => seen.length > 2);
    const subject = /Give the \w+ client time-outs/.exec(before[0] ?? '')?.[0] ?? 'nothing';
    const name = /^fetch_(orders|users|invoices|reports)/.exec(before[0] ?? '')?.[0] ?? 'nothing';
    const toast = await window.press(window.row(VIEW, name), 'Hide Edits Like This', `Edits like '${subject}' are hidden`);
    await until('all rows of its commit to go', () => window.rows(VIEW), (seen) => seen.length > 0 && !seen.some((row) => row.includes(subject)));
    await until('its diff to close', () => window.tab(), (seen) => !seen.includes(`.${name} (`));
    const cited = (): Promise<string[]> => window.lenses().then((lenses) => lenses.map((one) => one.text).filter((one) => one.includes(subject)));
    await until('no lens to cite it', cited, (seen) => seen.length === 0);
    await toast.locator('.monaco-button', { hasText: 'Undo' }).click();
    await until('the row to come back', () => window.rows(VIEW), (seen) => seen[0]?.startsWith(name + subject) === true);
  });

  step('lists where to go next, with the reason in words, and goes there', async () => {
    await window.run('CodeWM: Show Where Next');
    const rows = await until('predictions', () => window.rows(NEXT), (seen) => seen.length > 2);
    assert.ok(rows.some((row) => /^store_session\d+ % · sessions\.py · \w+ \w+/.test(row)), rows.join('\n'));
    await window.row(NEXT, 'store_session').click();
    const details = await until('its reasons', () => window.details(), (seen) => seen.includes('likely to change: '));
    assert.match(details, /\d+ % likely to change next/);
    await window.picture('where-next');
    await until('the file', () => window.tab(), (seen) => seen === 'sessions.py');
    await until('the place', () => window.page.locator('.statusbar-item', { hasText: 'Ln' }).first().textContent(), (seen) => /Ln 18, /.test(seen ?? ''));
  });

  step('hides a hint that is not useful with one click, and brings it back', async () => {
    const hidden = 'Hints on SessionsClient.store_session are hidden';
    const toast = await window.press(window.row(NEXT, 'store_session'), 'Not Useful', hidden);
    await until('its row to go', () => window.rows(NEXT), (seen) => !seen.some((row) => row.startsWith('store_session')));
    const above = (): Promise<string[]> => window.lenses().then((lenses) => lenses.map((one) => one.above));
    await until('its lens to go', above, (seen) => !seen.some((line) => line.includes('def store_session')));
    await toast.locator('.monaco-button', { hasText: 'Undo' }).click();
    await until('its row to come back', () => window.rows(NEXT), (seen) => seen.some((row) => row.startsWith('store_session')));
    await window.lens(LIKELY, 'def store_session');
  });

  step('shows the past edits behind the function in which the cursor is', async () => {
    await window.run('CodeWM: Clear List');
    await until('an empty list', () => window.rows(VIEW), (seen) => seen.length === 0);
    await window.line('response.json()["sessions"]').click();
    await window.run('CodeWM: Show Similar Edits');
    await until('rows', () => window.rows(VIEW), (seen) => seen[0]?.includes('Give the') === true);
  });

  step('hides the hint whose past edits are listed, and lists them again', async () => {
    const before = await window.rows(VIEW);
    await window.run('CodeWM: Not Useful: Hide This Hint');
    const toast = await window.notification('Hints on ');
    await toast.hover(); // else it is gone after some seconds
    await until('an empty list', () => window.rows(VIEW), (seen) => seen.length === 0);
    await toast.locator('.monaco-button', { hasText: 'Undo' }).click();
    await until('the same rows', () => window.rows(VIEW), (seen) => seen[0] === before[0]);
  });
});

describe('a long function', () => {
  it('has past edits whose diffs open at the change, which is far below the definition', async () => {
    const sync = (name: string, timeout = ''): string => {
      const steps = Array.from({ length: 90 }, (_, number) => `    session.note("${name}", ${String(number)})\n`);
      return `def sync_${name}(session):\n${steps.join('')}    return session.push("${name}"${timeout})\n`;
    };
    const shop = makeShop(path.join(machine.folder, 'long'));
    const names = ['users', 'orders', 'invoices'];
    shop.commit('Sync all', 'Ada Lovelace', 1, Object.fromEntries(names.map((name) => [`shop/sync_${name}.py`, sync(name)])));
    for (const name of names.slice(0, 2)) {
      shop.commit(`Wait for ${name}`, 'Ada Lovelace', 1, { [`shop/sync_${name}.py`]: sync(name, ', timeout=30') });
    }
    shop.write('shop/sync_invoices.py', sync('invoices', ', timeout=30'));
    const window = await Window.open(machine, shop.path, 'shop/sync_invoices.py');
    await withPicture('long', () => window, async () => {
      await window.line('def sync_invoices').click();
      await window.run('CodeWM: Show Similar Edits');
      // Asked while the history is being indexed, the list may be empty at first; it fills itself.
      await until('rows', () => window.rows(VIEW), (seen) => seen.some((row) => row.includes('Wait for ')));
      await window.row(VIEW, 'Wait for ').click();
      const diff = await until('its diff', () => window.diff(), (seen) => /, timeout=30\)/.test(seen.after));
      assert.ok(!diff.after.includes('def sync_'), 'the definition is above what is on the screen');
    })();
    await window.close();
  });
});

describe('a function that is being changed', () => {
  let shop: Repository;
  let window: Window;
  const step = (name: string, test: () => Promise<void>): void => {
    void it(name, withPicture(name.replaceAll(' ', '-'), () => window, test));
  };

  before(async () => {
    shop = makeShop(path.join(machine.folder, 'edited'));
    shop.write(CHANGED, client('sessions', { timeout: 'fetch' }));
    window = await Window.open(machine, shop.path, CHANGED);
  });
  after(() => window.close());

  step('gets the past edits like its own, and no other lens moves meanwhile', async () => {
    const fetch = await window.lens(LIKE, 'def fetch_sessions');
    await window.lens(LIKELY, 'def store_session');
    const seen = await watchLenses(window, 'fetch_sessions');
    await window.clickBehind('def store_session(self, session)');
    await window.page.keyboard.press('ArrowLeft');
    await window.page.keyboard.press('ArrowLeft');
    await window.page.keyboard.type(', timeout=30', { delay: 40 });
    await window.clickBehind('json=session)');
    await window.page.keyboard.press('ArrowLeft');
    await window.page.keyboard.type(', timeout=timeout', { delay: 40 });
    await window.lens(LIKE, 'def store_session(self, session, timeout=30):');
    const after = await window.lens(LIKE, 'def fetch_sessions');
    assert.equal(after.top, fetch.top);
    assert.deepEqual(await seen(), [fetch.top], 'the lens of the other function stood still, in every frame');
    const source = await window.page.locator('.editor-instance .view-line', { hasText: 'def store_session' }).textContent();
    assert.equal(source?.replaceAll('\u00a0', ' ').trim(), 'def store_session(self, session, timeout=30):');
  });

  step('says when it is ready, in the language status', async () => {
    await window.page.locator('.statusbar-item [class*=codicon-bracket]').first().click();
    const hover = window.page.locator('.monaco-hover, .hover-language-status');
    await until('the status', () => hover.allTextContents(), (seen) => /CodeWM.*ready · \d+ commits · codewm-base-\d+/.test(seen.join(' ')));
    await window.page.keyboard.press('Escape');
  });

  step('has no lens while hints are switched off or snoozed', async () => {
    for (const [off, on] of [
      ['CodeWM: Toggle Hints', 'CodeWM: Toggle Hints'],
      ['CodeWM: Snooze 10 Minutes', 'CodeWM: End Snooze'],
    ] as const) {
      await window.run(off);
      await until('no lens', () => window.lenses(), (lenses) => lenses.length === 0);
      await window.run(on);
      await window.lens(LIKE, 'def fetch_sessions');
    }
  });

  step('follows the settings at once', async () => {
    const settings = (more: Record<string, unknown>): void => shop.write('.vscode/settings.json', JSON.stringify({ ...SETTINGS, ...more }));
    await window.lens(LIKE, 'def fetch_sessions');
    settings({ 'codewm.display': 'off' });
    await until('no lens', () => window.lenses(), (lenses) => lenses.length === 0);
    settings({ 'codewm.lensesPerFile': 1 });
    await until('one lens', () => window.lenses(), (lenses) => lenses.length === 1);
    settings({ 'codewm.kinds.similar': false });
    await until('likely ones only', () => window.lenses(), (lenses) => lenses.length > 0 && lenses.every((lens) => LIKELY.test(lens.text)));
    settings({ 'codewm.exclude': ['shop/**'] });
    await until('no lens', () => window.lenses(), (lenses) => lenses.length === 0);
    settings({ 'codewm.display': 'hover' });
    await until('no lens', () => window.lenses(), (lenses) => lenses.length === 0);
    await until('the hint on hovering', async () => {
      await window.page.mouse.move(600, 600);
      await window.line('def fetch_sessions').hover({ position: { x: 90, y: 8 } });
      await new Promise((resolve) => setTimeout(resolve, 700));
      return (await window.page.locator('.monaco-hover').allTextContents()).join(' ').replaceAll('\u00a0', ' ');
    }, (seen) => seen.includes('CodeWM: like '));
    settings({ 'codewm.display': 'inlay' });
    const ends = (): Promise<string[]> =>
      window.page.evaluate(() =>
        [...document.querySelectorAll('.editor-instance .view-line span')]
          .map((span) => getComputedStyle(span, '::after').content)
          .filter((text) => text.includes('like '))
          .map((text) => text.replaceAll('\u00a0', ' ')),
      );
    await until('the hint at the end of the line', ends, (seen) => seen.length > 0);
    assert.deepEqual(await window.lenses(), []);
    settings({ 'codewm.display': 'activeLine' });
    await window.line('import http').click();
    await until('no hint on this line', ends, (seen) => seen.length === 0);
    await window.line('def fetch_sessions').click();
    await until('the hint on the line of the cursor', ends, (seen) => seen.length === 1);
    settings({ 'codewm.enable': false });
    await until('no lens', () => window.lenses(), (lenses) => lenses.length === 0);
    const off = 'CodeWM is turned off by the setting codewm.enable.';
    // The window may hear of the setting after the server: until then the toggle is refused in other words.
    await until('what the toggle says', async () => {
      await window.run('CodeWM: Toggle Hints');
      return window.notifications().filter({ hasText: off }).count();
    }, (count) => count > 0);
    const toast = await window.notification(off);
    const buttons = await until('its button', () => toast.locator('.monaco-button').allTextContents(), (seen) => seen.length > 0);
    assert.deepEqual(buttons, ['Open Setting']);
    await window.run('Notifications: Clear All Notifications');
    settings({});
    await window.lens(LIKE, 'def fetch_sessions');
  });

  step('keeps its lenses when the server is killed: it is started again, with one message', async () => {
    const before = await until('the server', () => machine.servers(), (seen) => seen.length > 0);
    for (const process_ of before) {
      process.kill(process_, 'SIGKILL');
    }
    await window.notification('The CodeWM server crashed and was restarted.');
    assert.equal(await window.notifications().count(), 1);
    await until('another server', () => machine.servers(), (seen) => seen.length > 0 && !seen.some((one) => before.includes(one)));
    await window.clickBehind('count_sessions(self, items):');
    await window.page.keyboard.type('  # all', { delay: 20 });
    await window.lens(LIKE, 'def fetch_sessions');
  });
});

describe('a machine without the server', () => {
  it('says so once, and goes on without a reload when it is there', async () => {
    const shop = makeShop(path.join(machine.folder, 'missing'));
    shop.write(CHANGED, client('sessions', { timeout: 'fetch' }));
    machine.settings({});
    const window = await Window.open(machine, shop.path, CHANGED);
    await withPicture('missing', () => window, async () => {
      const toast = await window.notification('CodeWM needs its language server');
      assert.match((await toast.textContent()) ?? '', /Install/);
      assert.equal(await window.notifications().count(), 1);
      await window.picture('no-server');
      await window.page.keyboard.press('Escape');
      await window.clickBehind('class SessionsClient:');
      await window.page.keyboard.type('  # typed', { delay: 20 });
      assert.equal((await window.lenses()).length, 0);

      const setPath = (value: string): void => shop.write('.vscode/settings.json', JSON.stringify({ ...SETTINGS, 'codewm.path': value }));
      setPath(path.join(machine.folder, 'no-such-program'));
      await window.notification('codewm.path names');
      setPath(SERVER);
      await window.lens(LIKE, 'def fetch_sessions');
    })();
    await window.close();
    machine.settings(SETTINGS);
  });
});

describe('a machine without the server, whose user presses Install', () => {
  it('gets an environment with the server that came along, and lenses', async () => {
    const shop = makeShop(path.join(machine.folder, 'install'));
    shop.write(CHANGED, client('sessions', { timeout: 'fetch' }));
    machine.settings({});
    const window = await Window.open(machine, shop.path, CHANGED);
    await withPicture('install', () => window, async () => {
      const toast = await window.notification('CodeWM needs its language server');
      await toast.getByRole('button', { name: 'Install', exact: true }).click();
      // pip has its own pace: what is waited for is a server that answers, for as long as its terminal is at work.
      await until('a server', () => machine.servers(), (seen) => seen.length > 0, 5 * PATIENCE);
      await window.lens(LIKE, 'def fetch_sessions');
    })();
    await window.close();
    machine.settings(SETTINGS);
  });
});

describe('an index over several repositories', () => {
  it('gives the lens of a young repository the past of another one, with its diff', async () => {
    const shop = makeShop(path.join(machine.folder, 'payments'));
    const stall = makeStall(path.join(machine.folder, 'stall'));
    stall.write(CHANGED, client('sessions', { timeout: 'fetch' }));
    const store = path.join(machine.folder, 'store');
    const program = path.join(path.dirname(SERVER), 'codewm');
    execFileSync(program, ['index', '--store', store, shop.path, stall.path], { env: machine.environment, stdio: 'pipe' });
    machine.settings({ ...SETTINGS, 'codewm.store': store });
    const window = await Window.open(machine, stall.path, CHANGED);
    await withPicture('store', () => window, async () => {
      const { text } = await window.lens(/^like payments /, 'def fetch_sessions(self, page, timeout=30):');
      assert.match(text, /'Give the \w+ client time-outs'/);
      await window.clickLens(/^\s*like payments/);
      const rows = await until('rows', () => window.rows(VIEW), (seen) => seen.length > 2);
      assert.match(rows[0] ?? '', /^fetch_[a-z]+payments · Give the \w+ client time-outs · /);
      const diff = await until('the diff', () => window.diff(), (seen) => seen.after.includes('(self, page, timeout=30):'));
      const [, file = '', commit = ''] = /^(\w+\.py): .* \(([0-9a-f]{7})\)/.exec(diff.title) ?? [];
      assert.equal(diff.after.trimEnd(), shop.git('show', `${commit}:shop/${file}`));
    })();
    await window.close();
    machine.settings(SETTINGS);
  });
});

describe('a file of 5,000 lines', () => {
  it('takes what is typed, whole and in order, and keeps its lenses', async () => {
    const shop = makeShop(path.join(machine.folder, 'large'));
    const part = readFileSync(path.join(shop.path, CHANGED), 'utf8');
    const parts = Array.from({ length: 190 }, (_, number) => part.replace('SessionsClient', `Sessions${String(number)}Client`));
    shop.commit('A large file', 'Grace Hopper', 1, { 'shop/large.py': parts.join('\n\n') });
    const changed = parts.join('\n\n').replace('(self, page)', '(self, page, timeout=30)').replace('?page={page}")', '?page={page}", timeout=timeout)');
    assert.ok(changed.split('\n').length > 5000);
    writeFileSync(path.join(shop.path, 'shop/large.py'), changed);
    const window = await Window.open(machine, shop.path, 'shop/large.py');
    await withPicture('large', () => window, async () => {
      await window.lens(LIKE, 'def fetch_sessions');
      const words = 'the quick brown fox jumps over the lazy dog';
      await window.clickBehind('class Sessions0Client:');
      await window.page.keyboard.type(`  # ${words}`);
      await until('the words', () => window.line('class Sessions0Client').textContent(), (seen) => seen?.replaceAll('\u00a0', ' ').includes(words) === true);
      await window.lens(LIKE, 'def fetch_sessions');
    })();
    await window.close();
  });
});

/** Notes where a lens stands in every frame from now on; the function that is returned ends it and gives the places. */
async function watchLenses(window: Window, above: string): Promise<() => Promise<number[]>> {
  await window.page.evaluate((name) => {
    const seen = new Set<number>();
    const watching = { seen, on: true };
    Object.assign(globalThis, { watching });
    const look = (): void => {
      const row = [...document.querySelectorAll('.editor-instance .view-line')].find((line) => (line.textContent ?? '').includes(`def\u00a0${name}`) || (line.textContent ?? '').includes(`def ${name}`));
      const edge = row?.getBoundingClientRect().top ?? -1;
      const lens = [...document.querySelectorAll('.codelens-decoration')].find((one) => Math.abs(one.getBoundingClientRect().bottom - edge) < 8 && one.textContent !== '');
      seen.add(lens === undefined ? -1 : Math.round(lens.getBoundingClientRect().top));
      if (watching.on) {
        requestAnimationFrame(look);
      }
    };
    requestAnimationFrame(look);
  }, above);
  return () =>
    window.page.evaluate(() => {
      const { watching } = globalThis as unknown as { watching: { seen: Set<number>; on: boolean } };
      watching.on = false;
      return [...watching.seen];
    });
}

