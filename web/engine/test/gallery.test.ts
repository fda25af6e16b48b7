/** Search among past edits is that of `codewm_lsp.index`: the whitened cosine, words with and without signs, the place. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadGallery } from '../src/index.ts';
import { bytes, difference, engine, file, floats, json, vectors } from './files.ts';

test('products under the measure of the gallery are those of Python', async () => {
  const model = await engine();
  const { gallery, bytes: numbers, query, products } = vectors.whitening;
  const loaded = loadGallery(gallery, bytes(numbers));
  const near = model.nearestTo(loaded, floats(query), loaded.size).sort((a, b) => a.entry - b.entry);
  assert.ok(difference(near.map((one) => one.meaning), products) < 1e-3);
  assert.ok(Math.abs(near[7].meaning - 1) < 1e-3);
});

test('an edit of the gallery finds itself', async () => {
  const model = await engine();
  const loaded = loadGallery(json('build/web/gallery.json'), file('build/web/gallery.bin'));
  assert.ok(loaded.size > 0);
  let alike = 0;
  for (let entry = 0; entry < loaded.size; entry += Math.ceil(loaded.size / 40)) {
    const { before, after, path, definition } = loaded.entries[entry];
    const edit = model.encodeEdit(before, after);
    if (edit.empty) continue;
    const near = model.nearest(loaded, edit, 3, { path, definition }).find((one) => one.entry === entry);
    assert.ok(near, definition);
    assert.ok(Math.abs(near.place - 1) < 1e-6, definition);
    assert.ok(near.meaning > 0.9, `${definition}: ${near.meaning}`);
    // A text that is read by itself can be two definitions, of which the words of one count; and words that only moved do not.
    if (Math.abs(near.signed - 1) < 1e-6 && Math.abs(near.unsigned - 1) < 1e-6 && near.shared.length) alike++;
  }
  assert.ok(alike > 30, String(alike));
});

test('files that do not belong together are refused', () => {
  assert.throws(() => loadGallery(json('build/web/gallery.json'), new Uint8Array(8)), /do not belong together/);
});
