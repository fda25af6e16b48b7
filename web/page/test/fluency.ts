// How fluent a page of `codewm explore` is: `node test/fluency.ts FOLDER`, which it was written into. Drags, zooms, colours and
// searches, and counts the frames that were drawn meanwhile and the points in them; processor time is of the page's main thread.
import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { loadavg } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Page } from 'playwright-core';
import { launch, open } from './browser.ts';

const MOVES = 120;
const folder = process.argv[2];
assert.ok(folder, 'name the folder of a page');
const file = path.join(folder, 'index.html');
const browser = await launch();
const { page, errors } = await open(browser, 'about:blank');
const session = await page.context().newCDPSession(page);
await session.send('Performance.enable', { timeDomain: 'threadTicks' });

async function processor(): Promise<number> {
  const { metrics } = await session.send('Performance.getMetrics');
  return 1000 * (metrics.find(({ name }) => name === 'TaskDuration')?.value ?? NaN);
}

const counters = (one: Page): Promise<{ frames: number; most: number }> =>
  one.$eval('#map', (map) => ({ frames: Number(map.dataset['frames']), most: Number(map.dataset['mostPoints']) }));

async function measured(what: string, act: () => Promise<unknown>): Promise<void> {
  const [before, began, clock] = [await counters(page), await processor(), Date.now()];
  await act();
  await page.waitForSelector('#map[data-whole="true"]');
  const [after, ended] = [await counters(page), await processor()];
  const frames = after.frames - before.frames;
  console.log(
    `| ${what} | ${frames} frames | ${((ended - began) / Math.max(1, frames)).toFixed(1)} ms of the processor a frame | at most ${after.most} points | ${Date.now() - clock} ms by the clock |`,
  );
}

const began = Date.now();
await page.goto(pathToFileURL(file).href);
await page.waitForSelector('html[data-ready]');
await page.waitForSelector('#map[data-whole="true"]');
const opening = await processor();
console.log(`${await page.textContent('#summary')}; ${(statSync(file).size / 1e6).toFixed(1)} MB; load of the machine ${loadavg()[0]?.toFixed(1)}`);
console.log(`opened and drawn: ${opening.toFixed(0)} ms of the processor, ${Date.now() - began} by the clock`);
const box = await page.locator('#map').boundingBox();
assert.ok(box);
const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
/** The next frame, so that each move has one. */
const frame = (): Promise<unknown> => page.evaluate(() => new Promise((resolve) => requestAnimationFrame(resolve)));
await measured('dragged', async () => {
  await page.mouse.move(x, y);
  await page.mouse.down();
  for (let move = 0; move < MOVES; move++) {
    await page.mouse.move(x + 100 * Math.sin(move / 8), y + 60 * Math.cos(move / 8));
    await frame();
  }
  await page.mouse.up();
});
await measured('zoomed', async () => {
  for (let move = 0; move < MOVES; move++) {
    await page.mouse.wheel(0, move < MOVES / 2 ? -60 : 60);
    await frame();
  }
});
for (const by of ['author', 'time', 'kind']) await measured(`coloured by ${by}`, () => page.selectOption('#colour', by));
await measured('searched for the first time', () => page.fill('#query', 'test'));
for (const words of ['error', 'fix a']) await measured(`searched for “${words}”`, () => page.fill('#query', words));
assert.deepEqual(errors, []);
await browser.close();
