// What the page takes for Python: texts of build/web/vectors.json, whole and damaged, beside this repository's own files of
// other languages.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { engine, vectors } from '../../engine/test/files.ts';
import { isPython } from '../src/model/python.ts';

const ROOT = path.resolve(import.meta.dirname, '../../..');
const WHOLE = 2000; // definitions, of which the next ones are damaged: scripts/web_data.py
const DAMAGED = 500;

test('what is half typed or damaged reads as Python, and other languages do not', async () => {
  const model = await engine();
  const foreign = (texts: readonly string[]): number => texts.filter((text) => !isPython(model, text)).length;
  const texts = vectors.texts.map(({ text }) => text);
  const [whole, damaged] = [texts.slice(0, WHOLE), texts.slice(WHOLE, WHOLE + DAMAGED)];
  assert.equal(foreign(whole), 0);
  assert.ok(foreign(damaged) <= DAMAGED / 100, `${foreign(damaged)} of ${damaged.length}`);
  console.log(`damaged Python: ${foreign(damaged)} of ${damaged.length} read as something else`);
  for (const ending of ['ts', 'js', 'sh', 'md']) {
    const files = execFileSync('git', ['ls-files', `*.${ending}`], { cwd: ROOT, encoding: 'utf8' }).trim().split('\n');
    const read = files.map((file) => readFileSync(path.join(ROOT, file), 'utf8')).filter((text) => text.length > 200);
    const begun = read.map((text) => text.split('\n').slice(0, 60).join('\n'));
    console.log(`${ending}: ${foreign(read)} of ${read.length} files, and ${foreign(begun)} of their first sixty lines`);
    assert.ok(read.length >= 5 && foreign(read) >= 0.9 * read.length, ending);
  }
});
