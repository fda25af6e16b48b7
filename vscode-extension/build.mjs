// Bundles the extension into dist; with --tests-only its tests instead, into dist-test.
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { build } from 'esbuild';

const common = { bundle: true, platform: 'node', logLevel: 'warning' };
const inEditor = { ...common, format: 'cjs', target: 'node20', external: ['vscode'] };
const minify = process.argv.includes('--minify');

if (!process.argv.includes('--tests-only')) {
  await build({ ...inEditor, entryPoints: ['src/extension.ts'], outfile: 'dist/extension.js', minify });
  packReadme();
} else {
  const tests = ['unit', 'workbench'].flatMap((room) =>
    readdirSync(`test/${room}`)
      .filter((file) => /\.(test|bench)\.ts$/.test(file))
      .map((file) => ({ in: `test/${room}/${file}`, out: `${room}-${file.replace(/\.ts$/, '')}` })),
  );
  await build({
    ...common,
    format: 'esm',
    target: 'node24',
    packages: 'external',
    sourcemap: 'inline',
    entryPoints: tests,
    outdir: 'dist-test',
    outExtension: { '.js': '.mjs' },
  });
  await build({ ...inEditor, entryPoints: ['test/host/index.ts'], outfile: 'dist-test/host.js', sourcemap: 'inline' });
}

/** The README as it is packaged, in dist: its pictures, which are in ../docs, come along. */
function packReadme() {
  mkdirSync('dist/images', { recursive: true });
  const text = readFileSync('README.md', 'utf8').replaceAll(/\]\((\.\.\/docs\/images\/[^)]+)\)/g, (_, picture) => {
    const name = path.basename(picture);
    copyFileSync(picture, `dist/images/${name}`);
    return `](dist/images/${name})`;
  });
  writeFileSync('dist/README.md', text);
}
