import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, it } from 'node:test';
import { inWords, isBetter, readVerdict } from '../../src/verdict';

const folders: string[] = [];

after(() => {
  folders.forEach((folder) => {
    rmSync(folder, { recursive: true });
  });
});

function model(text: string): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'codewm-model-'));
  folders.push(folder);
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
  for (const [low, beyond] of [[0.01, true], [-0.01, false]] as const) {
    const gain = { mean: 0.055, low, high: 0.1 };
    assert.equal(isBetter(await readVerdict(model(JSON.stringify({ name: 'mine', evaluation: { rows, gain } })))), beyond);
  }
});

void it('claims nothing where nothing was compared, and rejects what is no model', async () => {
  for (const text of ['{}', '{"name":"a","evaluation":{"rows":[]}}', '{"name":"a","evaluation":{"rows":[{"a":0.5}]}}']) {
    assert.ok(!isBetter(await readVerdict(model(text))));
  }
  await assert.rejects(readVerdict(model('no json')));
  await assert.rejects(readVerdict('/no/such/folder'));
});
