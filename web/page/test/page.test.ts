// The page as it is published, from a server of its own in Chromium: build.mjs must have built it.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { Browser, Page } from 'playwright-core';
import { furthest, meanCurve, type Run, spread, ticks, unfinished, valueAt, verdict } from '../src/collapse.ts';
import { breaches, isWide, launch, open, type Opened, PHONE, shifts } from './browser.ts';
import { serve, type Site, SITE } from './site.ts';

const MOST_BYTES = 2.6e6;

let browser: Browser;
let site: Site;

before(async () => {
  site = await serve();
  browser = await launch();
});

after(async () => {
  await browser?.close();
  site?.close();
});

/** The page with the study drawn; and with the model's first answer, where that is looked at. */
async function opened(options: Parameters<typeof open>[2] = {}, { model = true } = {}): Promise<Opened> {
  const found = await open(browser, site.address, options);
  await found.page.waitForFunction(() => (document.getElementById('verdict')?.textContent?.length ?? 0) > 10);
  if (model) await found.page.waitForFunction(() => !document.getElementById('model-state'), undefined, { timeout: 60_000 });
  return found;
}

async function choose(page: Page, arm: string, step: number): Promise<string> {
  await page.check(`input[name="arm"][value="${arm}"]`);
  await page.locator('#step').fill(String(step));
  return (await page.textContent('#verdict')) ?? '';
}

test('all that is published is at most 2.6 MB compressed, and the first visit loads no more', async () => {
  const sizes = readdirSync(SITE, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => gzipSync(readFileSync(path.join(entry.parentPath, entry.name))).length);
  assert.ok(sizes.reduce((sum, size) => sum + size, 0) <= MOST_BYTES);
  const sent = site.sent();
  const { errors, asked, context } = await opened({ serviceWorkers: 'block' });
  assert.ok(site.sent() - sent <= MOST_BYTES, `${site.sent() - sent} bytes`);
  assert.deepEqual(errors.filter((error) => !/service worker/i.test(error)), []);
  assert.deepEqual(asked.filter((one) => !one.startsWith(site.address) && !/^(data|blob):/.test(one)), []);
  await context.close();
});

test('after the first visit it works offline', async () => {
  const { page, errors, context } = await opened();
  await page.evaluate(async () => {
    await navigator.serviceWorker.ready;
  });
  await context.setOffline(true);
  await page.reload();
  await page.waitForFunction(() => (document.getElementById('verdict')?.textContent?.length ?? 0) > 10);
  await page.waitForFunction(() => !document.getElementById('model-state'), undefined, { timeout: 60_000 });
  await page.locator('iframe').scrollIntoViewIfNeeded();
  await page.frameLocator('iframe').locator('html[data-ready]').waitFor({ state: 'attached' });
  assert.deepEqual(errors, []);
  await context.close();
});

test('the study says what a copy indicator is, for each target and at each step', async () => {
  const { page, errors, context } = await opened({}, { model: false });
  assert.match(await choose(page, 'scaled', 300), /^Collapsed: .*The alarm sounded at step 21\. /);
  assert.match(await choose(page, 'frozen', 300), /^Not collapsed: before and after stay \d\d° apart/);
  assert.match(await choose(page, 'fast', 300), /^On its way to a collapse: .*alarm sounded at step 212/);
  assert.match(await choose(page, 'fast', 60), /^Not collapsed/);
  const curves = await page.locator('#curves path.curve').count();
  assert.equal(curves, 5);
  for (const measure of ['gap', 'loss', 'rank', 'found']) {
    await page.selectOption('#measure', measure);
    const drawn = await page.locator('#curves path.curve').evaluateAll((paths) => paths.map((one) => one.getAttribute('d') ?? ''));
    assert.ok(drawn.every((d) => /^M[\d. L-]+$/.test(d)), `${measure}: ${drawn[0]}`);
  }
  assert.equal(await page.locator('#figures tbody tr').count(), 5);
  assert.deepEqual(errors, []);
  await context.close();
});

test('the study at the paper’s length is shown as far as each run has come', async () => {
  const { page, errors, context } = await opened({}, { model: false });
  await page.selectOption('#setting', '1');
  const least = Number(await page.getAttribute('#step', 'min'));
  const last = Number(await page.getAttribute('#step', 'max'));
  assert.ok(last >= 6000);
  assert.equal(await page.locator('#curves path.curve').count(), await page.locator('#arms input').count());
  assert.match(await choose(page, 'fast', least), /^Not collapsed/);
  assert.match(await choose(page, 'fast', 3000), /^Collapsed: .*The alarm sounded at step 312\. /);
  const names = await page.locator('#arms input').evaluateAll((all) => all.map((one) => (one as HTMLInputElement).value));
  for (const arm of names)
    for (const step of [least, 1500, last]) {
      assert.match(await choose(page, arm, step), /^(Not collapsed|Collapsed|On its way to a collapse)\b.* in \d+ %; .* in \d+ %/, `${arm} at ${step}`);
      const drawn = await page.locator('#curves path.curve').evaluateAll((paths) => paths.map((one) => one.getAttribute('d') ?? ''));
      assert.ok(drawn.every((d) => /^M[\d. L-]+$/.test(d)), drawn.join('\n'));
    }
  const cells = await page.locator('#figures tbody tr').evaluateAll((rows) => rows.map((row) => [...row.children].map((cell) => cell.textContent ?? '')));
  assert.ok(cells.every((row) => row.length === 9 && row.slice(1).every((cell) => /^(–|-?[\d.]+)$/.test(cell))), JSON.stringify(cells));
  await page.selectOption('#setting', '0');
  assert.equal(await page.textContent('#step-said'), '300');
  assert.deepEqual(errors, []);
  await context.close();
});

test('what the captions say of the runs is what the table holds', async () => {
  const { page, context } = await opened({}, { model: false });
  for (const setting of ['0', '1']) {
    await page.selectOption('#setting', setting);
    for (const measure of ['rank', 'honest', 'found', 'copied']) {
      await page.selectOption('#measure', measure);
      const name = (await page.locator('#measure option:checked').textContent()) ?? '';
      const heads = await page.locator('#figures thead th').allTextContents();
      const rows = await page.locator('#figures tbody tr').evaluateAll((all) => all.map((row) => [...row.children].map((cell) => cell.textContent ?? '')));
      const values = rows.flatMap((row) => (row[heads.indexOf(name)] === '–' ? [] : [Number(row[heads.indexOf(name)])]));
      const [, low, high] = / range from ([\d.]+) \(.+?\) to ([\d.]+) \(/.exec((await page.textContent('#curves-words')) ?? '') ?? [];
      assert.deepEqual([Number(low), Number(high)], [Math.min(...values), Math.max(...values)], `${setting}, ${measure}`);
    }
  }
  const found = /nearest five in (\d+) %; a copy of the state before finds it in (\d+) %/.exec((await page.textContent('#verdict')) ?? '')?.slice(1).map(Number);
  const row = (await page.locator('#figures tr.chosen').locator('td, th').allTextContents()).slice(-2).map((cell) => Math.round(100 * Number(cell)));
  assert.deepEqual(found, row);
  await context.close();
});

test('a copy indicator is explained by a small example that moves, before anything else is said of it', async () => {
  const { page, errors, context } = await opened({}, { model: false });
  const order = await page.evaluate(() => {
    const explained = document.getElementById('idea');
    return ['study', 'copying', 'arms', 'figures'].every((id) => explained!.compareDocumentPosition(document.getElementById(id)!) & Node.DOCUMENT_POSITION_FOLLOWING);
  });
  assert.ok(order);
  const indicator = async (): Promise<number> => Number(await page.textContent('#idea-indicator-said'));
  await page.locator('#idea-arrows').scrollIntoViewIfNeeded();
  await page.waitForFunction(() => Number(document.getElementById('idea-indicator-said')?.textContent) > 0.55);
  await page.click('#idea-play'); // it moves by itself, and stops when asked
  const paused = await indicator();
  await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 300)));
  assert.equal(await indicator(), paused);
  await page.locator('#idea-step').fill('100');
  assert.deepEqual([await indicator(), await page.textContent('#idea-loss-said')], [1, '0.00']);
  assert.match((await page.textContent('#idea-words')) ?? '', /^One arrow .*it has collapsed\.$/);
  await page.locator('#idea-step').fill('0');
  assert.deepEqual([await indicator(), await page.textContent('#idea-loss-said')], [0.5, '0.50']);
  assert.deepEqual(errors, []);
  await context.close();
});

test('what is said of many edits is what the evaluation found', async () => {
  const report = readFileSync(path.resolve(import.meta.dirname, '../../../docs/evaluation/transitions/report.md'), 'utf8');
  const row = (name: string): string[] => (report.split('\n').find((line) => line.startsWith(`| ${name}`)) ?? '').split('|').map((cell) => cell.trim());
  const heads = row('system');
  const [model, copy] = [row('codewm-base-3 dd55ea | model alone'), row('copy of the state before (codewm-base-3 dd55ea)')];
  const percent = (cells: string[]): string => `${Math.round(100 * Number(cells[heads.indexOf('KNN@5')]))} %`;
  const indicator = Number(model[heads.indexOf('copy indicator')]).toFixed(2);
  const { page, context } = await opened();
  const said = (await page.textContent('#copying')) ?? '';
  assert.ok(said.includes(`in ${percent(model)}, a copy in ${percent(copy)}, and the mean copy indicator is ${indicator}.`), said);
  await context.close();
});

test('who wants no motion gets none', async () => {
  const { page, context } = await opened({ reducedMotion: 'reduce' }, { model: false });
  await page.locator('#idea-arrows').scrollIntoViewIfNeeded();
  await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 300)));
  assert.equal(await page.textContent('#idea-indicator-said'), '0.50');
  await context.close();
});

test('the training plays from its beginning to its end, and can be paused', async () => {
  const { page, context } = await opened({}, { model: false });
  await page.click('#play');
  assert.equal(await page.textContent('#play'), '❚❚ Pause');
  await page.waitForFunction(() => document.getElementById('step-said')?.textContent !== '60');
  await page.click('#play');
  assert.match((await page.textContent('#play')) ?? '', /Play/);
  await page.click('#play');
  await page.waitForFunction(() => document.getElementById('step-said')?.textContent === '300' && document.getElementById('play')?.textContent?.includes('Play'));
  await context.close();
});

test('the study is for the keyboard', async () => {
  const { page, context } = await opened({}, { model: false });
  await page.focus('#step');
  await page.keyboard.press('Home');
  assert.equal(await page.textContent('#step-said'), '60');
  await page.keyboard.press('ArrowRight');
  assert.equal(await page.textContent('#step-said'), '120');
  await page.focus('input[name="arm"]:checked');
  const before = await page.textContent('#arrows-words');
  await page.keyboard.press('ArrowRight');
  assert.notEqual(await page.textContent('#arrows-words'), before);
  await context.close();
});

for (const colorScheme of ['light', 'dark'] as const) {
  test(`axe finds nothing in the ${colorScheme} theme`, async () => {
    const { page, errors, context } = await opened({ colorScheme });
    assert.deepEqual(await breaches(page), []);
    assert.deepEqual(errors, []);
    await context.close();
  });
}

test('nothing shifts, and it fits a phone', async () => {
  for (const options of [{}, { viewport: PHONE, isMobile: true, hasTouch: true }]) {
    const { page, errors, context } = await opened(options);
    assert.ok((await shifts(page)) < 0.02, `${await shifts(page)}`);
    assert.equal(await isWide(page), false);
    assert.deepEqual(errors, []);
    await context.close();
  }
});

test('the map of this project holds its edits', async () => {
  const { page, context } = await opened({}, { model: false });
  await page.locator('iframe').scrollIntoViewIfNeeded();
  const frame = page.frameLocator('iframe');
  await frame.locator('html[data-ready]').waitFor({ state: 'attached' });
  assert.match((await frame.locator('#summary').textContent()) ?? '', /^[\d,]+ edits in [\d,]+ commits/);
  await context.close();
});

test('curves are means, and values are those of the last step before', () => {
  const run = (values: number[]) => ({ arm: '', seed: 0, alarm: null, evaluations: [], loss_steps: [10, 20], losses: values });
  const curve = meanCurve([run([1, 2]), run([3, 6])], (one) => one.loss_steps.map((step, at) => [step, one.losses[at]!]));
  assert.deepEqual(curve, [[10, 2], [20, 4]]);
  assert.deepEqual(meanCurve([run([1, 2]), { ...run([3]), loss_steps: [10] }, run([NaN, 4])], (one) => one.loss_steps.map((step, at) => [step, one.losses[at]!])), [[10, 2], [20, 3]]);
  assert.equal(verdict({ indicator: NaN, step: 250, alarm: null, found: NaN, copied: NaN }), 'There are no figures of this run at step 250.');
  assert.deepEqual([5, 10, 15, 20, 99].map((step) => valueAt(curve, step)), [2, 2, 2, 4, 4]);
  assert.deepEqual(ticks(0, 1, false), [0, 0.2, 0.4, 0.6000000000000001, 0.8, 1]);
  assert.deepEqual(ticks(-4.5, 0, true), [1e-4, 1e-3, 1e-2, 1e-1, 1]);
  const judged = { indicator: 0.9999, step: 300, alarm: 21, found: 0.03, copied: 0.2 };
  assert.match(verdict(judged), /^Collapsed: .*are one arrow.*alarm sounded at step 21\. .* in 3 %; a copy .* in 20 %, so the model is worse than copying\.$/);
  assert.match(verdict({ ...judged, indicator: 0.97, alarm: null }), /nearly one arrow, 14° apart, so copying is nearly perfect\. The alarm has not sounded/);
  assert.match(verdict({ ...judged, indicator: 0.68, step: 1500, alarm: null, ended: true }), /^Not collapsed as far as it has run, to step 1,500: /);
  assert.match(verdict({ ...judged, indicator: 0.68, alarm: null }), /^Not collapsed: before and after stay 47° apart\..*a copy .* in 20 %, so the model is worse than copying\.$/);
  assert.match(verdict({ ...judged, indicator: 0.8 }), /^On its way to a collapse: before and after are 37° apart, and the alarm sounded at step 21\./);
  const equal = { ...judged, indicator: 0.68, found: 0.2783, copied: 0.2846 };
  assert.match(verdict(equal), / in 28 %; a copy of the state before finds it in 28 %, so the model is no better than a copy\.$/);
  assert.match(verdict({ ...equal, found: 0.2846, copied: 0.2783 }), / in 28 %; .* in 28 %, so the model is no better than a copy\.$/);
  assert.match(verdict({ ...equal, found: 0.29 }), / in 29 %; .* in 28 %\.$/);
  const arm = (name: string, indicator: number, value: number) => ({ name, indicator, value });
  assert.equal(spread([arm('a', 0.99, 0.1), arm('b', 0.5, 0.3), arm('c', 0.6, 0.2)], 1500, 2), 'At step 1,500 the runs range from 0.10 (a, collapsed) to 0.30 (b).');
  assert.equal(spread([arm('b', 0.5, 0.3), arm('c', 0.6, 0.2)], 60, 1), 'At step 60 the runs range from 0.2 (c) to 0.3 (b).');
});

test('a run that is not as far as the furthest of its target is in no mean, and is said to be training', () => {
  const run = (arm: string, seed: number, last: number): Run => ({
    arm,
    seed,
    alarm: null,
    evaluations: [250, 500, 750, 1000].filter((step) => step <= last).map((step) => ({ step }) as Run['evaluations'][number]),
    loss_steps: [],
    losses: [],
  });
  const seeds = (runs: readonly Run[]): number[] => furthest(runs).map(({ seed }) => seed);
  const [whole, other, begun] = [run('fast', 1, 1000), run('fast', 2, 1000), run('fast', 3, 250)];
  assert.deepEqual(seeds([whole, begun, other]), [1, 2]);
  assert.deepEqual(seeds([run('frozen', 1, 250), run('frozen', 2, 750)]), [2]);
  assert.equal(unfinished([whole, other]), '');
  assert.match(unfinished([{ ...whole, complete: false }]), /^Still training: 0\.996 with seed 1 \(step 1,000, shown/);
  assert.equal(
    unfinished([whole, begun, run('frozen', 1, 250), run('frozen', 2, 750)]),
    'Still training: 0.996 with seed 3 (step 250, left out); 1, frozen with seed 1 (step 250, left out); 1, frozen with seed 2 (step 750, shown as far as it has come).',
  );
});

test('at the paper’s length the captions, the note and the lines speak of the same runs', async () => {
  const { runs } = JSON.parse(readFileSync(path.resolve(import.meta.dirname, '../../../docs/study/long.json'), 'utf8')) as { runs: Run[] };
  const { page, context } = await opened({}, { model: false });
  await page.selectOption('#setting', '1');
  const [least, last] = [await page.getAttribute('#step', 'min'), await page.getAttribute('#step', 'max')].map(Number) as [number, number];
  const note = (await page.textContent('#study-note')) ?? '';
  const arms = [...new Set(runs.map(({ arm }) => arm))];
  const shown = arms.map((arm) => furthest(runs.filter((run) => run.arm === arm)));
  assert.ok(note.includes(` ${shown.flat().length} runs`), note);
  assert.equal(note.includes('Still training'), unfinished(runs) !== '');
  for (const [at, arm] of arms.entries()) {
    const said = shown[at]!.length > 1 ? `means of ${shown[at]!.length} seeds` : 'one seed';
    for (const step of [least, 2 * least, last]) {
      await choose(page, arm, step);
      assert.ok(((await page.textContent('#curves-words')) ?? '').includes(`, ${said}. `), `${arm} at ${step}`);
    }
  }
  await context.close();
});
