// Bundles the engine into dist/engine.js. The two .wasm files, the model and tables.json are given to it by who uses it.
import { build } from 'esbuild';

await build({
  entryPoints: ['src/index.ts'],
  outfile: 'dist/engine.js',
  bundle: true,
  format: 'esm',
  target: 'es2022',
  minify: true,
  external: ['fs/promises', 'module'],
  logLevel: 'warning',
});
