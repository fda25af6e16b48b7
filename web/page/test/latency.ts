// What a visitor waits for, in Chromium: `node test/latency.ts`, with PAPER=/folder to measure the paper's page beside ours,
// by turns (docs/ of github.com/eren23/codewm2-paper-public). Milliseconds by the clock, so the machine should be quiet.
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import type { Page } from 'playwright-core';
import { launch, open } from './browser.ts';
import { serve } from './site.ts';

const ROUNDS = 3;
const KEYS = 6; // in each round
const PATIENCE = { timeout: 120_000 };
const times = new Map<string, number[]>();

function note(stage: string, ms: number): void {
  times.set(stage, [...(times.get(stage) ?? []), ms]);
}

async function type(page: Page): Promise<void> {
  for (let key = 0; key < KEYS; key++) {
    await page.evaluate(() => {
      document.querySelector('.model-times')?.replaceChildren();
    });
    await page.keyboard.type('x');
    await page.waitForFunction(() => document.querySelectorAll('.model-times li').length === 6, undefined, PATIENCE);
    for (const said of await page.locator('.model-times li').allTextContents()) {
      const [, stage, ms] = /^(.*) ([\d.]+) ms$/.exec(said) ?? [];
      if (stage !== undefined) note(`ours: ${stage}`, Number(ms));
    }
  }
}

async function predict(page: Page): Promise<void> {
  for (let press = 0; press < KEYS; press++) {
    const began = await page.evaluate(() => {
      const start = performance.now();
      document.getElementById('demo-predict')?.click(); // which computes at once, in the page
      return performance.now() - start;
    });
    note("the paper's: two states and a prediction", began);
  }
}

const [browser, site] = await Promise.all([launch(), serve()]);
const first = Date.now();
const ours = await open(browser, site.address);
await ours.page.locator('.model-nearest > li').first().waitFor(PATIENCE);
note('ours: from loading to the first similar edits', Date.now() - first);
await ours.page.locator('#model-state').waitFor({ state: 'detached', ...PATIENCE });
// In the middle of the file, within a definition.
await ours.page.locator('#model-after').evaluate((area) => {
  const text = (area as HTMLTextAreaElement).value;
  const place = text.indexOf('return ', text.length / 2) + 'return '.length;
  (area as HTMLTextAreaElement).focus();
  (area as HTMLTextAreaElement).setSelectionRange(place, place);
});

const folder = process.env['PAPER'];
const papers = createServer((request, response) => {
  const file = path.join(folder ?? '', new URL(request.url ?? '/', 'http://x').pathname);
  const isThere = existsSync(file) && path.extname(file) !== '';
  const type = { '.js': 'text/javascript', '.html': 'text/html', '.css': 'text/css', '.wasm': 'application/wasm' }[path.extname(file)];
  response.writeHead(isThere ? 200 : 404, type ? { 'content-type': type } : {}).end(isThere ? readFileSync(file) : '');
}).listen(0, '127.0.0.1');
let other: Page | undefined;
if (folder) {
  const { page } = await open(browser, 'about:blank');
  await page.route(/^https:/, (route) => route.abort()); // fonts and formulas
  const began = Date.now();
  await page.goto(`http://127.0.0.1:${(papers.address() as AddressInfo).port}/index.html`, { waitUntil: 'domcontentloaded' });
  await page.locator('#demo').scrollIntoViewIfNeeded();
  await page.waitForFunction(() => !(document.getElementById('demo-predict') as HTMLButtonElement).disabled, undefined, PATIENCE);
  note("the paper's: from loading to the first prediction", Date.now() - began);
  other = page;
}
for (let round = 0; round < ROUNDS; round++) {
  await ours.page.bringToFront();
  await type(ours.page);
  if (other) {
    await other.bringToFront();
    await predict(other);
  }
}
for (const [stage, all] of times) {
  const sorted = all.toSorted((a, b) => a - b);
  const at = (share: number): string => (sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0).toFixed(0);
  console.log(`| ${stage} | ${all.length} | least ${at(0)} | median ${at(0.5)} | 95 % ${at(0.95)} |`);
}
await browser.close();
site.close();
papers.close();
papers.closeAllConnections();
