// What `codewm explore` writes, opened from the disk in Chromium.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { breaches, isWide, launch, open, type Opened, PHONE, shifts } from './browser.ts';

const PYTHON = path.resolve('../..', process.env['VENV'] ?? '.venv', 'bin/python');
const SLICE = 16_384; // points of a frame: viewer/stage.js

let browser: Browser;
let folder: string;

before(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'codewm-pages-'));
  execFileSync(PYTHON, ['test/make_pages.py', folder], { stdio: ['ignore', 'inherit', 'inherit'] });
  browser = await launch();
});

after(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
});

async function opened(name: string, options: Parameters<typeof open>[2] = {}): Promise<Opened> {
  const found = await open(browser, pathToFileURL(path.join(folder, name, 'index.html')).href, options);
  await found.page.waitForSelector('html[data-ready]');
  await whole(found.page, '#map');
  return found;
}

/** Waits until all points are drawn. */
async function whole(page: Page, canvas: string): Promise<void> {
  await page.waitForSelector(`${canvas}[data-whole="true"]`, { state: 'attached' });
}

async function search(page: Page, words: string): Promise<void> {
  await page.fill('#query', words);
}

test('a page opens from the disk, asks for nothing else and has no errors', async () => {
  const { page, errors, asked, context } = await opened('real');
  assert.match((await page.textContent('#summary')) ?? '', /^12 edits in 7 commits by 1 author · 2023-11-14 to 2023-11-20, without commits of more than 30 Python files · /);
  assert.deepEqual(asked.filter((address) => !address.startsWith('data:')), [page.url()]);
  assert.deepEqual(errors, []);
  assert.ok((await shifts(page)) < 0.01);
  await context.close();
});

test('a search lists edits, and one that is chosen shows its diff, its definition and what is like it', async () => {
  const { page, errors, context } = await opened('real');
  await search(page, 'timeouts put');
  assert.equal(await page.textContent('#status'), '1 edit');
  await page.click('#results .edit');
  assert.equal(await page.textContent('#detail h2'), 'put');
  const diff = await page.locator('#detail .diff span').allTextContents();
  assert.ok(diff.includes('+def put(url, timeout=30):'), diff.join('\n'));
  assert.match((await page.textContent('#detail')) ?? '', /History of this definition: 2 edits/);
  await page.locator('#detail h3:has-text("History") + ul .edit').last().click();
  assert.match((await page.textContent('#detail')) ?? '', /Start <img src=x onerror=alert\(1\)>/);
  await search(page, 'grace');
  assert.equal(await page.textContent('#status'), '12 edits', 'by their author');
  await search(page, 'grace timeouts');
  assert.equal(await page.textContent('#status'), '6 edits', 'by the author and a word');
  assert.match((await page.locator('#results .where').first().textContent()) ?? '', /by Grace \(b\)/);
  await search(page, 'nothingofthekind');
  assert.equal(await page.textContent('#status'), 'No edits match these words.');
  assert.deepEqual(errors, []);
  await context.close();
});

test('edits with all words are found in any order of the words, and only without one those with some', async () => {
  const { page, errors, context } = await opened('real');
  const listed = async (words: string): Promise<[string, string, string[]]> => {
    await search(page, words);
    const [status, title] = await Promise.all([page.textContent('#status'), page.textContent('#results-title')]);
    return [status ?? '', title ?? '', await page.locator('#results .edit').allTextContents()];
  };
  const one = await listed('put timeout');
  assert.deepEqual(one.slice(0, 2), ['1 edit', 'Search results']);
  assert.deepEqual(await listed('timeout put'), one);
  assert.deepEqual(await listed('timeo put'), one, 'a word that no edit has begins one');
  // No edit is of both; each word by itself has one with a timeout and the one that starts it.
  for (const words of ['put delete', 'delete put']) {
    const [status, title, edits] = await listed(words);
    assert.equal(status, 'No edit has all of these words. These have some. (4 edits)');
    assert.equal(title, 'With some of these words');
    assert.equal(edits.length, 4);
  }
  const [status, , edits] = await listed('delete nothingofthekind timeout');
  assert.match(status, /^No edit has all/);
  assert.match(edits[0] ?? '', /Add a timeout to delete\(\)/, 'the most words first');
  assert.deepEqual(errors, []);
  await context.close();
});

test('as many edits are listed as are counted, and those of an exact name or path lead, the newest first', async () => {
  const { page, errors, context } = await opened('many');
  await search(page, 'timeouts');
  assert.equal(await page.textContent('#status'), '49,996 edits'); // all but those of the commit whose subject is markup
  assert.equal(await page.textContent('#results .more'), 'Show more of 49,996 edits');
  for (const text of ['Class12.run', 'src/c/module_2.py', 'module_2.py']) {
    await search(page, text);
    const found = await page.locator('#results .where').allTextContents();
    const exact = found.filter((where) => where.split(' · ').some((part) => part === text || part.endsWith(`/${text}`)));
    const dates = (some: readonly string[]): string[] => some.map((where) => where.slice(0, 10));
    assert.deepEqual(found.slice(0, exact.length), exact, text);
    for (const some of [exact, found.slice(exact.length)]) assert.deepEqual(dates(some), dates(some).toSorted().reverse(), text);
    assert.ok(new Set(dates(exact)).size > 1, text);
  }
  assert.deepEqual(errors, []);
  await context.close();
});

test('arrows of a selected edit lead from the older to the newer edits of its definition', async () => {
  const { page, errors, context } = await opened('many');
  await page.locator('#map').click({ position: { x: 300, y: 300 } });
  await page.waitForFunction(() => Number(document.getElementById('map')?.dataset['arrows']) > 0);
  const [tip, left, right] = (await page.evaluate('arrowhead([0, 10], [100, 10])')) as Array<[number, number]>;
  assert.ok(tip && left && right && tip[0] > left[0] && tip[0] > right[0] && tip[1] === 10, JSON.stringify([tip, left, right]));
  assert.deepEqual(await page.evaluate('arrowhead([0, 0], [5, 5])'), []);
  assert.deepEqual(errors, []);
  await context.close();
});

test('deleted files are grey in the graph, which its legend says where there are any', async () => {
  const { page, errors, context } = await opened('many');
  await page.click('#tab-files');
  await whole(page, '#graph');
  assert.match((await page.locator('#graph-legend:visible').textContent()) ?? '', /deleted files/);
  const grey = await page.evaluate('getComputedStyle(document.querySelector(".swatch.deleted")).backgroundColor');
  const drawn = await page.$eval('#graph', (canvas) => {
    const { data } = (canvas as HTMLCanvasElement).getContext('2d')?.getImageData(0, 0, (canvas as HTMLCanvasElement).width, (canvas as HTMLCanvasElement).height) ?? { data: [] };
    const counts = new Map<string, number>();
    for (let at = 0; at < data.length; at += 4) {
      const colour = `rgb(${data[at]}, ${data[at + 1]}, ${data[at + 2]})`;
      if ((data[at + 3] ?? 0) > 200) counts.set(colour, (counts.get(colour) ?? 0) + 1);
    }
    return [...counts].toSorted((one, other) => other[1] - one[1]).slice(0, 40).map(([colour]) => colour);
  });
  const near = (one: string, other: string): boolean => {
    const [these, those] = [one, other].map((colour) => [...colour.matchAll(/\d+/g)].map(Number));
    return these?.every((part, at) => Math.abs(part - (those?.[at] ?? -9)) <= 3) ?? false;
  };
  assert.ok(drawn.some((colour) => near(colour, String(grey))), `${grey} among ${drawn.join(' ')}`);
  await context.close();
  const other = await opened('real');
  await other.page.click('#tab-files');
  assert.equal(await other.page.isVisible('#graph-legend'), false);
  assert.deepEqual([...errors, ...other.errors], []);
  await other.context.close();
});

test('names with markup are texts', async () => {
  for (const name of ['real', 'many']) {
    const { page, errors, context } = await opened(name);
    await search(page, 'alert');
    await page.waitForSelector('#results .edit');
    await page.click('#results .edit');
    await page.click('#tab-files');
    await page.click('#tab-places');
    assert.deepEqual(errors, []);
    assert.equal(await page.locator('img').count(), 0);
    await context.close();
  }
});

test('50,000 edits are drawn in frames of a bounded number of points, also while they are moved', async () => {
  const { page, errors, context } = await opened('many');
  assert.match((await page.textContent('#summary')) ?? '', /50,000 edits in 12,500 commits by 41 authors.*12 older edits left out/);
  const box = await page.locator('#map').boundingBox();
  assert.ok(box);
  await page.mouse.move(box.x + 300, box.y + 300);
  await page.mouse.wheel(0, -400);
  await page.mouse.down();
  for (let step = 0; step < 20; step++) await page.mouse.move(box.x + 300 + 5 * step, box.y + 300 + 2 * step);
  await page.mouse.up();
  await whole(page, '#map');
  await page.selectOption('#colour', 'time');
  await search(page, 'timeouts number12001');
  await whole(page, '#map');
  const work = await page.$eval('#map', (canvas) => ({ most: Number(canvas.dataset['mostPoints']), frames: Number(canvas.dataset['frames']) }));
  assert.ok(work.most <= SLICE, `${work.most} points in a frame`);
  assert.ok(work.frames >= 8);
  assert.equal(await page.textContent('#status'), '4 edits');
  await search(page, 'timeouts');
  const subjects = await page.locator('#results .what').allTextContents();
  const most = Math.max(...subjects.map((subject) => subjects.filter((other) => other === subject).length));
  assert.deepEqual([subjects.length, most], [40, 2]); // few edits of each commit lead the list
  assert.deepEqual(errors, []);
  await context.close();
});

type Box = [number, number, number, number];

/** The labels of a canvas, and how many pairs of them cover each other. */
async function labels(page: Page, canvas: string): Promise<{ count: number; covering: number; outside: number }> {
  const [boxes, width, buttons] = await page.$eval(canvas, (one) => {
    const [own, over] = [one.getBoundingClientRect(), one.parentElement?.querySelector('.zoom')?.getBoundingClientRect()];
    const buttons: Box[] = over ? [[over.left - own.left, over.top - own.top, over.right - own.left, over.bottom - own.top]] : [];
    return [JSON.parse((one as HTMLElement).dataset['labels'] ?? '[]') as Box[], one.clientWidth, buttons] as const;
  });
  const covers = (a: Box, b: Box): boolean => a[0] < b[2] - 1 && a[2] - 1 > b[0] && a[1] < b[3] - 1 && a[3] - 1 > b[1];
  const covering = boxes.reduce((sum, box, at) => sum + [...boxes.slice(0, at), ...buttons].filter((other) => covers(box, other)).length, 0);
  return { count: boxes.length, covering, outside: boxes.filter(([left, , right]) => left < 0 || right > width).length };
}

test('labels cover neither each other nor the edge, whatever is selected and however far the view is zoomed', async () => {
  const { page, errors, context } = await opened('many');
  for (let zoom = 0; zoom < 4; zoom++) {
    await whole(page, '#map');
    const found = await labels(page, '#map');
    assert.ok(zoom || found.count > 20, `${found.count} labels`);
    assert.deepEqual([found.covering, found.outside], [0, 0]);
    if (zoom === 1) await page.locator('#map').click({ position: { x: 300, y: 300 } });
    await page.click('#zoom-in');
  }
  await page.click('#tab-files');
  await whole(page, '#graph');
  await page.focus('#graph');
  for (const key of ['ArrowRight', 'ArrowDown', 'ArrowLeft', 'ArrowUp']) {
    await page.keyboard.press(key);
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
    const found = await labels(page, '#graph');
    assert.ok(found.count > 10);
    assert.deepEqual([found.covering, found.outside], [0, 0]);
  }
  assert.deepEqual(errors, []);
  await context.close();
});

test('the newest edits are listed at first, and the search stays in sight however far a list is scrolled', async () => {
  const { page, errors, context } = await opened('many');
  assert.match((await page.textContent('#status')) ?? '', /^The newest edits/);
  assert.equal(await page.textContent('#results-title'), 'Newest edits');
  assert.equal(await page.locator('#results .edit').count(), 40);
  const [asked, newest] = await Promise.all([page.locator('.asked').boundingBox(), page.locator('#results .edit').first().boundingBox()]);
  assert.ok(asked && newest && newest.y >= asked.y + asked.height, JSON.stringify([asked, newest]));
  await search(page, 'timeouts');
  assert.equal(await page.textContent('#results-title'), 'Search results');
  await page.locator('#results li:last-child button').scrollIntoViewIfNeeded();
  const [query, side] = await Promise.all([page.locator('#query').boundingBox(), page.locator('.side').boundingBox()]);
  assert.ok(query && side && query.y >= side.y && query.y < side.y + 40, JSON.stringify([query, side]));
  assert.ok(await page.$eval('.side', (one) => one.scrollTop > 200));
  await search(page, '');
  assert.equal(await page.$eval('.side', (one) => one.scrollTop), 0);
  assert.deepEqual(errors, []);
  await context.close();
});

test('on a phone the search stays in sight as well', async () => {
  const { page, context } = await opened('many', { viewport: PHONE, hasTouch: true, isMobile: true });
  await search(page, 'timeouts');
  await page.locator('#results li').nth(30).scrollIntoViewIfNeeded();
  const query = await page.locator('#query').boundingBox();
  assert.ok(query && query.y >= 0 && query.y < 40, JSON.stringify(query));
  await context.close();
});

test('places show what they are ordered by', async () => {
  const { page, errors, context } = await opened('many');
  await page.click('#tab-places');
  for (const unit of ['definition', 'file']) {
    await page.selectOption('#unit', unit);
    const heat = (await page.locator('#hot td:nth-child(2)').allTextContents()).map(Number);
    assert.ok(heat.length === 25 && heat.every((one, at) => one >= 0.5 && one <= (heat[at - 1] ?? Infinity)), heat.join());
    assert.deepEqual(await page.locator('#hot th').allTextContents(), [unit === 'file' ? 'File' : 'Definition', 'Heat', 'Edits', 'Last']);
  }
  await page.selectOption('#unit', 'definition');
  const last = await page.locator('#forgotten td:nth-child(4)').allTextContents();
  assert.deepEqual(last, last.toSorted(), 'left alone for the longest time first');
  assert.match((await page.locator('#forgotten td:nth-child(2)').first().textContent()) ?? '', /^\d+ (days|months)$|^\d\.\d years$/);
  const edits = (await page.locator('#forgotten td:nth-child(3)').allTextContents()).map(Number);
  assert.ok(edits.length === 25 && edits.every((one) => one >= 5), edits.join());
  assert.match((await page.textContent('#forgotten caption')) ?? '', /Changed at least 5 times, still exists/);
  assert.match((await page.textContent('#hot caption')) ?? '', /weight halves every 120 days, and commits of more than 20 files/);
  assert.deepEqual(errors, []);
  await context.close();
});

test('commits of many files make no hot spot, and what is gone is no place', async () => {
  const { page, context } = await opened('many');
  // 21 files that one commit changed, the first of them by a commit of its own, too; the last one is gone.
  const paths = Array.from({ length: 21 }, (_, number) => `${number}.py`);
  const numbers = [0, ...paths.keys()];
  const record = {
    grid: 1,
    paths,
    in_head: paths.map((_, number) => Number(number < 20)),
    commits: { sha: ['b', 'a'], author: [0, 0], date: [1000, 1000], subject: ['', ''] },
    definitions: { path: [...paths.keys()], name: paths, alive: paths.map((_, number) => Number(number < 19)) },
    edits: { x: numbers, y: numbers, commit: numbers.map((_, edit) => Number(edit > 0)), definition: numbers },
  };
  const places = (files: boolean): Promise<[number, number][]> =>
    page.evaluate(`placesOf(new Atlas(${JSON.stringify(record)}), ${files}).map((place) => [place.edits.length, place.heat])`);
  assert.deepEqual(await places(false), [[2, 1], ...Array.from({ length: 18 }, () => [1, 0])]);
  assert.equal((await places(true)).length, 20);
  await context.close();
});

test('files of one name are told apart by their folders', async () => {
  const { page, context } = await opened('many');
  const names = await page.evaluate("shortNames(['a/__init__.py', 'b/c/__init__.py', 'd/c/__init__.py', 'x/e.py', 'y/f/e.py', 'z/g.py'])");
  assert.deepEqual(names, ['a/__init__.py', 'b/c/__init__.py', 'd/c/__init__.py', 'x/e.py', 'f/e.py', 'g.py']);
  await context.close();
});

test('on a phone the details come into sight when the map is tapped', async () => {
  const { page, context } = await opened('many', { viewport: PHONE, hasTouch: true, isMobile: true });
  const map = await page.locator('#map').boundingBox();
  assert.ok(map);
  await page.touchscreen.tap(map.x + map.width / 2, map.y + map.height / 2);
  await page.waitForFunction(() => {
    const box = document.querySelector('#detail h2')?.getBoundingClientRect();
    return box !== undefined && box.top > 0 && box.bottom < innerHeight;
  });
  await context.close();
});

test('the keyboard reaches all of it', async () => {
  const { page, errors, context } = await opened('real');
  await page.focus('#map');
  await page.keyboard.press('ArrowRight');
  const first = await page.textContent('#status');
  assert.match(first ?? '', /^Selected: /);
  for (const key of ['ArrowLeft', 'ArrowUp', 'ArrowRight', 'ArrowDown']) await page.keyboard.press(key);
  await page.keyboard.press('+');
  await page.keyboard.press('0');
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => document.activeElement?.id), 'detail');
  await page.focus('#tab-map');
  await page.keyboard.press('ArrowRight');
  assert.equal(await page.evaluate(() => document.activeElement?.id), 'tab-files');
  await whole(page, '#graph');
  await page.focus('#graph');
  await page.keyboard.press('ArrowRight');
  assert.match((await page.textContent('#detail')) ?? '', /(client\.py|guide\.md)changed in 7 commits.*Changes together with/);
  await page.keyboard.press('Escape');
  assert.equal(await page.textContent('#detail'), '');
  await page.focus('#tab-files');
  await page.keyboard.press('ArrowRight');
  await page.focus('#hot button');
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => document.activeElement?.id), 'detail');
  assert.deepEqual(errors, []);
  await context.close();
});

for (const colorScheme of ['light', 'dark'] as const) {
  test(`axe finds nothing in the ${colorScheme} theme, in any view`, async () => {
    const { page, errors, context } = await opened('real', { colorScheme });
    await search(page, 'timeout');
    await page.click('#results .edit');
    await page.waitForSelector('#detail .diff');
    assert.deepEqual(await breaches(page), []);
    for (const tab of ['#tab-files', '#tab-places']) {
      await page.click(tab);
      assert.deepEqual(await breaches(page), []);
    }
    assert.deepEqual(errors, []);
    await context.close();
  });
}

test('it fits a phone', async () => {
  const { page, errors, context } = await opened('many', { viewport: PHONE, hasTouch: true, isMobile: true });
  assert.equal(await isWide(page), false);
  await page.tap('#tab-places');
  await page.waitForSelector('#hot td button');
  assert.equal(await isWide(page), false);
  await page.tap('#hot td button');
  assert.match((await page.textContent('#detail h2')) ?? '', /^Class\d+\.run$/);
  assert.equal(await isWide(page), false);
  assert.deepEqual(errors, []);
  await context.close();
});

test('a place of the map that is clicked selects the edit there', async () => {
  const { page, context } = await opened('many');
  await page.click('#zoom-in');
  await whole(page, '#map');
  await page.locator('#map').click({ position: { x: 300, y: 300 } });
  assert.match((await page.textContent('#status')) ?? '', /^Selected: Class\d+\.run/);
  await page.locator('#legend button').first().click();
  assert.equal(await page.locator('#legend button[aria-pressed="true"]').count(), 1);
  await context.close();
});
