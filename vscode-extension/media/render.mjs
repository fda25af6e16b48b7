// Draws media/icon.png from media/icon.svg: node media/render.mjs
import { readFile, writeFile } from 'node:fs/promises';
import { chromium } from 'playwright-core';

const folder = new URL('.', import.meta.url);
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] });
const page = await browser.newPage({ viewport: { width: 256, height: 256 } });
const svg = await readFile(new URL('icon.svg', folder), 'utf8');
await page.setContent(`<style>body{margin:0;background:transparent}svg{display:block;width:256px}</style>${svg}`);
await writeFile(new URL('icon.png', folder), await page.screenshot({ omitBackground: true }));
await browser.close();
