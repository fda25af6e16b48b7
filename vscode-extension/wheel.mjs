// Says whether a wheel holds what this checkout does: node wheel.mjs WHEEL [CHECKOUT]. Exits with 1, and names a file
// that differs, where it does not: the .vsix would bring an older server, or another branch's, along.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { openPromise } from 'yauzl';

/** The packages of the wheel, and where the checkout has them: `tool.setuptools.package-dir` of pyproject.toml. */
const FOLDERS = { codewm_lsp: 'codewm_lsp', codewm_model: 'model/codewm_model', codewm_export: 'export/codewm_export' };

const [wheel, checkout = fileURLToPath(new URL('..', import.meta.url))] = process.argv.slice(2);
const different = await difference(wheel, checkout);
if (different !== undefined) {
  const name = path.basename(wheel);
  process.stderr.write(
    `vsix: ${name} was not built from this checkout (${different} differs). ` +
      `Run 'make wheel', or delete it to package the extension without a server.\n`,
  );
  process.exit(1);
}

/** The first file that the wheel and the checkout do not have alike. */
async function difference(wheel, checkout) {
  const held = new Set();
  const zip = await openPromise(wheel);
  for await (const entry of zip.eachEntry()) {
    const [top, ...rest] = entry.fileName.split('/');
    if (!(top in FOLDERS) || entry.fileName.endsWith('/')) continue;
    const file = [FOLDERS[top], ...rest].join('/');
    held.add(file);
    const own = path.join(checkout, file);
    if (!existsSync(own) || !readFileSync(own).equals(await bytes(await zip.openReadStreamPromise(entry)))) return file;
  }
  return Object.values(FOLDERS)
    .flatMap((folder) => sources(checkout, folder))
    .find((file) => !held.has(file));
}

async function bytes(stream) {
  return Buffer.concat(await stream.toArray());
}

function sources(checkout, folder) {
  if (!existsSync(path.join(checkout, folder))) return [];
  return readdirSync(path.join(checkout, folder), { recursive: true })
    .filter((file) => file.endsWith('.py'))
    .map((file) => `${folder}/${file.replaceAll('\\', '/')}`)
    .sort();
}
