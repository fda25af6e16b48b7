// Draws docs/images/explore-*.png, what `codewm explore` writes of this repository, page-model-*.png, page-idea-*.png and
// page-study-*.png: the model, a copy indicator and the study on the page (which must be built), in both themes.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { launch, open } from './browser.ts';
import { serve } from './site.ts';

const ROOT = path.resolve('../..');
const CODEWM = path.resolve(ROOT, process.env['VENV'] ?? '.venv', 'bin/codewm');
const folder = mkdtempSync(path.join(tmpdir(), 'codewm-pictures-'));
const cache = path.join(ROOT, 'build/web/index'); // which build.mjs has filled
execFileSync(CODEWM, ['explore', ROOT, '--with-diffs', '--no-open', '--cache', cache, '--output', path.join(folder, 'codewm')], { stdio: 'inherit' });
const browser = await launch();
const page = await serve();
for (const colorScheme of ['light', 'dark'] as const) {
  const address = pathToFileURL(path.join(folder, 'codewm', 'index.html')).href;
  const { page: map } = await open(browser, address, { colorScheme, viewport: { width: 1200, height: 720 } });
  await map.waitForSelector('html[data-ready]');
  await map.evaluate(() => (document.getElementById('name')!.textContent = 'codewm')); // whatever this clone's folder is called
  await map.fill('#query', 'half typed edits');
  await map.click('#results .edit');
  await map.fill('#query', '');
  await map.locator('#map').click({ position: { x: 345, y: 330 } });
  await map.waitForSelector('#detail h2');
  await map.waitForSelector('#map[data-whole="true"]');
  await map.screenshot({ path: path.join(ROOT, `docs/images/explore-map-${colorScheme}.png`) });

  const { page: shown } = await open(browser, page.address, { colorScheme, viewport: { width: 1200, height: 860 } });
  await shown.waitForFunction(() => !document.getElementById('model-state'), undefined, { timeout: 60_000 });
  await shown.locator('#model-before').evaluate((area) => area.scrollIntoView({ behavior: 'instant' }));
  await shown.screenshot({ path: path.join(ROOT, `docs/images/page-model-${colorScheme}.png`) });
  await shown.locator('#idea').scrollIntoViewIfNeeded();
  await shown.locator('#idea-step').fill('62');
  await shown.locator('#idea-step').blur();
  await shown.locator('#idea').screenshot({ path: path.join(ROOT, `docs/images/page-idea-${colorScheme}.png`) });
  await shown.locator('input[name="arm"][value="fast"]').check();
  await shown.selectOption('#measure', 'gap');
  await shown.locator('#study').screenshot({ path: path.join(ROOT, `docs/images/page-study-${colorScheme}.png`) });
}
await browser.close();
page.close();
rmSync(folder, { recursive: true, force: true });
