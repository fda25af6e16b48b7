// What a visitor waits for, in Chromium: `node test/latency.ts`, with PAPER=/folder to measure the paper's page beside ours,
// by turns (docs/ of github.com/eren23/codewm2-paper-public). Milliseconds by the clock, of which the least are those of a
// quiet machine, and of the processor, of all of the browser's processes together.
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { loadavg } from 'node:os';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import type { CDPSession, Page } from 'playwright-core';
import { launch, open, type Opened } from './browser.ts';
import { serve } from './site.ts';

const LOADS = 6;
const TRACED = 2; // more loads, thread by thread
const ROUNDS = 3;
const KEYS = 6; // in each round
const STAGES = 6;
const PATIENCE = { timeout: 120_000 };
const times = new Map<string, number[]>();

function note(stage: string, ms: number): void {
  times.set(stage, [...(times.get(stage) ?? []), ms]);
}

async function type(page: Page): Promise<void> {
  for (let key = 0; key < KEYS; key++) {
    await page.keyboard.type('x');
    await page.waitForFunction((stages) => document.querySelectorAll('.model-times li:not(.model-old)').length === stages, STAGES, PATIENCE);
    for (const said of await page.locator('.model-times li').allTextContents()) {
      const [, stage, ms] = /^(.*?)(?: <)? ([\d.]+) ms$/.exec(said) ?? [];
      if (stage !== undefined) note(`ours: ${stage}`, Number(ms));
    }
  }
}

async function predict(page: Page): Promise<void> {
  for (let press = 0; press < KEYS; press++) {
    const took = await page.evaluate(() => {
      const start = performance.now();
      document.getElementById('demo-predict')?.click(); // which computes at once, in the page
      return performance.now() - start;
    });
    note("the paper's: two states and a prediction", took);
  }
}

/** Milliseconds of the processor that the browser has taken so far. */
async function processor(session: CDPSession): Promise<number> {
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  return 1000 * processInfo.reduce((sum, { cpuTime }) => sum + cpuTime, 0);
}

/** Opens a page as on a first visit, and notes how long its first answer takes. */
async function loaded(what: string, address: string, answered: (page: Page) => Promise<unknown>): Promise<Opened> {
  const opened = await open(browser, 'about:blank', { serviceWorkers: 'block' });
  await opened.page.route(/^https:/, (route) => route.abort()); // fonts and formulas of the paper's
  const [began, before] = [Date.now(), await processor(session)];
  await opened.page.goto(address, { waitUntil: 'commit' });
  await answered(opened.page);
  note(`${what}: from loading to the first answer, by the clock`, Date.now() - began);
  note(`${what}: the same, of the processor, all processes of the browser`, (await processor(session)) - before);
  return opened;
}

/** Milliseconds of the processor that the threads of the page's own code take to its first answer, one after the other. */
async function traced(what: string, address: string, answered: (page: Page) => Promise<unknown>): Promise<void> {
  const { page, context } = await open(browser, 'about:blank', { serviceWorkers: 'block' });
  await page.route(/^https:/, (route) => route.abort());
  await browser.startTracing(page, { categories: ['toplevel', '__metadata'] });
  await page.goto(address, { waitUntil: 'commit' });
  await answered(page);
  interface Event {
    readonly name: string;
    readonly pid: number;
    readonly tid: number;
    readonly tdur?: number;
    readonly args: { readonly name?: string };
  }
  const { traceEvents } = JSON.parse((await browser.stopTracing()).toString()) as { readonly traceEvents: readonly Event[] };
  const own = new Set(traceEvents.filter(({ name, args }) => name === 'thread_name' && /CrRendererMain|Worker thread$/.test(args.name ?? '')).map(({ pid, tid }) => `${pid} ${tid}`));
  const tasks = traceEvents.filter(({ name, pid, tid }) => name === 'ThreadControllerImpl::RunTask' && own.has(`${pid} ${tid}`));
  note(`${what}: the same, of the processor, by the page's own threads one after the other`, tasks.reduce((sum, { tdur }) => sum + (tdur ?? 0), 0) / 1000);
  await context.close();
}

// Looked for in each frame: what waits for a locator looks twice a second.
const ourFirst = (page: Page): Promise<unknown> => page.waitForFunction(() => document.querySelector('.model-nearest > li') !== null, undefined, PATIENCE);

async function theirFirst(page: Page): Promise<void> {
  await page.waitForLoadState('domcontentloaded');
  await page.locator('#demo').scrollIntoViewIfNeeded();
  await page.waitForFunction(() => !(document.getElementById('demo-predict') as HTMLButtonElement).disabled, undefined, PATIENCE);
  await page.evaluate(() => document.getElementById('demo-predict')?.click());
}

const folder = process.env['PAPER'];
const papers = createServer((request, response) => {
  const file = path.join(folder ?? '', new URL(request.url ?? '/', 'http://x').pathname);
  const isThere = existsSync(file) && path.extname(file) !== '';
  const type = { '.js': 'text/javascript', '.html': 'text/html', '.css': 'text/css', '.wasm': 'application/wasm' }[path.extname(file)];
  response.writeHead(isThere ? 200 : 404, type ? { 'content-type': type } : {}).end(isThere ? readFileSync(file) : '');
});
await new Promise<void>((resolve) => papers.listen(0, '127.0.0.1', resolve));
const their = `http://127.0.0.1:${(papers.address() as AddressInfo).port}/index.html`;

const [browser, site] = await Promise.all([launch(), serve()]);
const session = await browser.newBrowserCDPSession();
let [ours, other]: [Opened | undefined, Opened | undefined] = [undefined, undefined];
for (let load = 0; load < LOADS; load++) {
  await ours?.context.close();
  ours = await loaded('ours', site.address, ourFirst);
  await ours.page.locator('#model-state').waitFor({ state: 'detached', ...PATIENCE });
  if (load < TRACED) await traced('ours', site.address, ourFirst);
  if (!folder) continue;
  await other?.context.close();
  other = await loaded("the paper's", their, theirFirst);
  if (load < TRACED) await traced("the paper's", their, theirFirst);
}
// In the middle of the file, within a definition.
await ours?.page.locator('#model-after').evaluate((area) => {
  const text = (area as HTMLTextAreaElement).value;
  const place = text.indexOf('return ', text.length / 2) + 'return '.length;
  (area as HTMLTextAreaElement).focus();
  (area as HTMLTextAreaElement).setSelectionRange(place, place);
});
for (let round = 0; round < ROUNDS && ours; round++) {
  await ours.page.bringToFront();
  await type(ours.page);
  if (!other) continue;
  await other.page.bringToFront();
  await predict(other.page);
}
console.log(`load of the machine: ${loadavg().map((one) => one.toFixed(1)).join(', ')}`);
for (const [stage, all] of times) {
  const sorted = all.toSorted((a, b) => a - b);
  const at = (share: number): string => (sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0).toFixed(0);
  console.log(`| ${stage} | ${all.length} | least ${at(0)} | median ${at(0.5)} | 95 % ${at(0.95)} |`);
}
await browser.close();
site.close();
papers.close();
papers.closeAllConnections();
