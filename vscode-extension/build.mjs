// Bundles the extension, and with --tests the suites that run inside the extension host.
import { build } from 'esbuild';

const common = { bundle: true, platform: 'node', format: 'cjs', target: 'node20', external: ['vscode'], logLevel: 'warning' };
const minify = process.argv.includes('--minify');

await build({ ...common, entryPoints: ['src/extension.ts'], outfile: 'dist/extension.js', minify, sourcemap: false });
if (process.argv.includes('--tests')) {
  await build({ ...common, entryPoints: ['test/host/index.ts'], outfile: 'dist-test/index.js', sourcemap: 'inline' });
}
