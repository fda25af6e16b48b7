// Builds the page into build/site/page: the shell, the study, the model's worker, the map of this project's own edits.
//
// Needs build/web (scripts/web_data.py) and `codewm` in VENV: scripts/web.sh calls it with both. COMMITS: how many of the newest
// commits the map is made of (all). Nothing is fetched.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const ROOT = path.resolve(import.meta.dirname, '../..');
const OUT = path.join(ROOT, 'build/site/page');
const CODEWM = path.join(path.resolve(ROOT, process.env['VENV'] ?? '.venv'), process.platform === 'win32' ? 'Scripts' : 'bin', 'codewm');
const MOST_BYTES = 2.6e6; // of everything, compressed: the page that the paper ships needs more

const codewm = (...command) => execFileSync(CODEWM, [...command, '--cache', path.join(ROOT, 'build/web/index')], { stdio: ['ignore', 'inherit', 'inherit'] });

process.chdir(import.meta.dirname);
rmSync(OUT, { recursive: true, force: true });
mkdirSync(OUT, { recursive: true });

const common = { bundle: true, format: 'iife', target: ['chrome112', 'firefox115', 'safari16.4'], minify: true, legalComments: 'linked', logLevel: 'warning' };
await build({ ...common, entryPoints: { boot: 'src/boot.ts', page: 'src/main.ts', study: 'src/study.ts' }, outdir: OUT });
await build({ ...common, entryPoints: { page: 'src/page.css' }, outdir: OUT });
await build({
  ...common,
  entryPoints: { 'model-worker': 'src/model/worker.ts', 'measure-worker': 'src/model/measure.ts' },
  outdir: OUT,
  // What the parser's package would ask of Node, and never does here.
  external: ['fs/promises', 'module', 'fs', 'path', 'url'],
  define: { 'import.meta.url': '""' },
});
copyFileSync('index.html', path.join(OUT, 'index.html'));
mkdirSync(path.join(OUT, 'model'));
for (const file of [
  ...['words.bin', 'state.onnx', 'edit.onnx', 'transition.onnx', 'next.onnx'].map((name) => path.join(ROOT, 'codewm_lsp/models/base-3', name)),
  ...['gallery.bin', 'gallery.json'].map((name) => path.join(ROOT, 'build/web', name)),
  ...['web-tree-sitter/web-tree-sitter.wasm', 'tree-sitter-python/tree-sitter-python.wasm'].map((name) => path.join(ROOT, 'web/engine/node_modules', name)),
])
  copyFileSync(file, path.join(OUT, 'model', path.basename(file)));
codewm('index', ROOT, ...(process.env['COMMITS'] ? ['--limit', process.env['COMMITS']] : []));
codewm('explore', ROOT, '--no-index', '--no-open', '--output', path.join(OUT, 'history'));

const files = readdirSync(OUT, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && !entry.name.startsWith('.') && !entry.name.endsWith('.LEGAL.txt'))
  .map((entry) => path.relative(OUT, path.join(entry.parentPath, entry.name)).replaceAll(path.sep, '/'))
  .sort();
const digest = createHash('sha256');
for (const file of files) digest.update(readFileSync(path.join(OUT, file)));
await build({
  ...common,
  entryPoints: { offline: 'src/offline.ts' },
  outdir: OUT,
  define: { FILES: JSON.stringify(['./', ...files]), BUILD: JSON.stringify(digest.digest('hex').slice(0, 12)) },
});

let total = 0;
for (const file of [...files, 'offline.js']) {
  const bytes = gzipSync(readFileSync(path.join(OUT, file)), { level: 9 }).length;
  total += bytes;
  console.log(`${String(bytes).padStart(9)}  ${file}`);
}
console.log(`${String(total).padStart(9)}  compressed, of at most ${MOST_BYTES}`);
if (total > MOST_BYTES) throw new Error('the page is too large');
