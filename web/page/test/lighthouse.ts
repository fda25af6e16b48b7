// What Lighthouse says of the page, from npm and not among what is installed here: `node test/lighthouse.ts`, after
// `scripts/web.sh page`. LIGHTHOUSE: its command, npx lighthouse@12 otherwise. Needs Chromium, and nothing else from outside.
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { CHROMIUM } from './browser.ts';
import { serve } from './site.ts';

interface Report {
  readonly categories: Readonly<Record<string, { readonly title: string; readonly score: number | null }>>;
  readonly audits: Readonly<Record<string, { readonly title: string; readonly score: number | null; readonly displayValue?: string; readonly scoreDisplayMode: string }>>;
}

const MEASURES = ['first-contentful-paint', 'largest-contentful-paint', 'total-blocking-time', 'cumulative-layout-shift', 'speed-index', 'total-byte-weight'];

const [command, ...first] = (process.env['LIGHTHOUSE'] ?? 'npx --yes lighthouse@12').split(' ');
const site = await serve();
const folder = mkdtempSync(path.join(tmpdir(), 'codewm-lighthouse-'));
for (const preset of ['desktop', 'mobile']) {
  const output = path.join(folder, `${preset}.json`);
  await promisify(execFile)(
    command ?? '',
    [
      ...first,
      site.address,
      '--quiet',
      '--output=json',
      `--output-path=${output}`,
      '--max-wait-for-load=120000',
      '--chrome-flags=--headless --no-sandbox --disable-dev-shm-usage',
      ...(preset === 'desktop' ? ['--preset=desktop'] : []),
    ],
    { env: { ...process.env, CHROME_PATH: CHROMIUM }, maxBuffer: 1 << 26 },
  );
  const { categories, audits } = JSON.parse(readFileSync(output, 'utf8')) as Report;
  const scores = Object.values(categories).map(({ title, score }) => `${title} ${Math.round(100 * (score ?? NaN))}`);
  console.log(`${preset}: ${scores.join(', ')}`);
  console.log(`  ${MEASURES.map((name) => `${audits[name]?.title ?? name} ${audits[name]?.displayValue ?? ''}`).join('; ')}`);
  for (const { title, score, scoreDisplayMode } of Object.values(audits))
    if (score !== null && score < 0.9 && scoreDisplayMode !== 'informative') console.log(`  - ${title}: ${score}`);
}
site.close();
rmSync(folder, { recursive: true, force: true });
