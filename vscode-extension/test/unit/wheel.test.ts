import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createWriteStream, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, it } from 'node:test';
import { pipeline } from 'node:stream/promises';
import { ZipFile } from 'yazl';

const ROOT = path.resolve(import.meta.dirname, '..');
const folder = mkdtempSync(path.join(tmpdir(), 'codewm-wheel-'));
after(() => rmSync(folder, { recursive: true }));

const SOURCES = { 'codewm_lsp/a.py': 'A = 1\n', 'codewm_lsp/cli/b.py': 'B = 2\n', 'model/codewm_model/c.py': 'C = 3\n' };

/** What is said of a wheel of these files, beside a checkout of `SOURCES`; '' where it is packaged. */
async function said(files: Record<string, string>): Promise<string> {
  const checkout = mkdtempSync(path.join(folder, 'checkout-'));
  for (const [file, text] of Object.entries(SOURCES)) {
    mkdirSync(path.dirname(path.join(checkout, file)), { recursive: true });
    writeFileSync(path.join(checkout, file), text);
  }
  const zip = new ZipFile();
  for (const [file, text] of Object.entries({ ...files, 'codewm-1.dist-info/METADATA': 'Name: codewm\n' }))
    zip.addBuffer(Buffer.from(text), file.replace(/^model\//, ''));
  zip.end();
  const wheel = path.join(checkout, 'codewm-1.whl');
  await pipeline(zip.outputStream, createWriteStream(wheel));
  const done = spawnSync(process.execPath, ['wheel.mjs', wheel, checkout], { cwd: ROOT, encoding: 'utf8' });
  assert.equal(done.status, done.stderr === '' ? 0 : 1);
  return done.stderr;
}

void it('packages a wheel that was built from this checkout', async () => {
  assert.equal(await said(SOURCES), '');
});

void it('packages none that was built from another, and names what differs', async () => {
  const { 'codewm_lsp/cli/b.py': _, ...fewer } = SOURCES;
  const other = [{ ...SOURCES, 'codewm_lsp/cli/b.py': 'B = 3\n' }, fewer, { ...SOURCES, 'codewm_lsp/cli/old.py': '' }];
  for (const [files, file] of other.map((one, at) => [one, at === 2 ? 'old' : 'b'] as const))
    assert.equal(
      await said(files),
      `vsix: codewm-1.whl was not built from this checkout (codewm_lsp/cli/${file}.py differs). ` +
        "Run 'make wheel', or delete it to package the extension without a server.\n",
    );
});
