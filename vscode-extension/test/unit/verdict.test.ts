import assert from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { it } from 'node:test';
import { inWords, isBetter, readVerdict } from '../../src/verdict';

function model(text: string): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'codewm-model-'));
  writeFileSync(path.join(folder, 'model.json'), text);
  return folder;
}

void it('says whether a new model beats the shipped one, by the first row of its evaluation', async () => {
  const rows = [
    { what: 'newest 300 edits', mine: 0.71, shipped: 0.655 },
    { what: 'newest 3,000 edits', mine: 0.1, shipped: 0.9 },
  ];
  const better = await readVerdict(model(JSON.stringify({ name: 'mine', evaluation: { rows } })));
  assert.ok(isBetter(better));
  assert.equal(inWords(better), '0.710 against 0.655');
  const worse = await readVerdict(model(JSON.stringify({ name: 'mine', evaluation: { rows: rows.slice(1) } })));
  assert.ok(!isBetter(worse));
});

void it('claims nothing where nothing was compared, and rejects what is no model', async () => {
  for (const text of ['{}', '{"name":"a","evaluation":{"rows":[]}}', '{"name":"a","evaluation":{"rows":[{"a":0.5}]}}']) {
    assert.ok(!isBetter(await readVerdict(model(text))));
  }
  await assert.rejects(readVerdict(model('no json')));
  await assert.rejects(readVerdict('/no/such/folder'));
});
