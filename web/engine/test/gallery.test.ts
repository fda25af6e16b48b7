/**
 * Search among past edits is that of `codewm_lsp.index`: the whitened cosine, words with and without signs, the place,
 * and the network that ranks the first hundred anew.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadGallery, measureOf, setMeasure } from '../src/index.ts';
import { bytes, difference, engine, file, floats, json, vectors } from './files.ts';

const CLOSE = 1e-4;
const APART = 0.1; // of a chance, at the most, where two sides of a rounding are chosen

test('products under the measure of the gallery are those of Python', async () => {
  const model = await engine();
  const { gallery, bytes: numbers, query, products } = vectors.whitening;
  const loaded = loadGallery(gallery, bytes(numbers));
  const asked = (): number[] =>
    model
      .nearestTo(loaded, floats(query), loaded.size)
      .sort((a, b) => a.entry - b.entry)
      .map((one) => one.meaning);
  const iterated = asked();
  assert.ok(difference(iterated, products) < 1e-3);
  assert.ok(Math.abs(iterated[7] - 1) < 1e-3);
  setMeasure(loaded, measureOf(bytes(numbers)));
  assert.ok(difference(asked(), iterated) < 1e-5, 'the same with the measure and without it');
});

test('the past edits most like an edit are those of Python, in their order, with their chances', async () => {
  const model = await engine();
  const { gallery, bytes: numbers, answers } = vectors.similar;
  const loaded = loadGallery(gallery, bytes(numbers));
  const beside: string[] = [];
  for (const { entries, scores, before, after, path, definition } of answers) {
    const near = model.nearest(loaded, model.encodeEdit(before, after).vector, { path, definition, before, after }, loaded.size);
    const own = new Map(near.map((one) => [one.entry, one.score]));
    assert.deepEqual(new Set(own.keys()), new Set(entries));
    // Log-odds are in whole steps, so of two that fall on both sides of where rounding changes, one is a step away. In few
    // answers, in which no past edit is likely, many chances are further apart.
    const most = Math.max(...entries.map((entry, i) => Math.abs(own.get(entry)! - scores[i])));
    assert.ok(most < APART, `${definition}: ${most}`);
    if (most > CLOSE) beside.push(`${definition}: ${most.toFixed(3)}`);
    else assert.ok(near.slice(0, 6).every(({ entry, score }, i) => entry === entries[i] || Math.abs(score - scores[i]) < CLOSE), `${definition}: ${near.slice(0, 6).map((one) => one.entry)} for ${entries.slice(0, 6)}`);
  }
  console.log(`other chances in ${beside.length} of ${answers.length} answers: ${beside.join('; ')}`);
  assert.ok(answers.length >= 50);
  assert.ok(beside.length <= answers.length / 10, beside.join('; '));
});

test('vectors of four bits seldom change what is shown', () => {
  const { answers } = vectors.similar;
  const first = answers.filter(({ entries, unrounded }) => entries[0] === unrounded[0]).length;
  const shared = answers.map(({ entries, unrounded }) => entries.slice(0, unrounded.length).filter((entry) => unrounded.includes(entry)).length);
  const kept = shared.reduce((sum, one) => sum + one, 0) / answers.reduce((sum, { unrounded }) => sum + unrounded.length, 0);
  console.log(`the same first past edit in ${first} of ${answers.length} answers; ${(100 * kept).toFixed(0)} % of the first six`);
  assert.ok(first >= 0.9 * answers.length && kept >= 0.9);
});

test('edits that are not allowed are in no answer, and others take their places', async () => {
  const model = await engine();
  const { gallery, bytes: numbers, answers } = vectors.similar;
  const loaded = loadGallery(gallery, bytes(numbers));
  const { before, after, path, definition } = answers[0];
  const { vector } = model.encodeEdit(before, after);
  const edit = { path, definition, before, after };
  const [best] = model.nearest(loaded, vector, edit, 1);
  const others = model.nearest(loaded, vector, edit, loaded.size, (entry) => entry !== best.entry);
  assert.equal(others.length, loaded.size - 1);
  assert.ok(others.every(({ entry }) => entry !== best.entry));
});

test('an edit of the gallery finds itself', async () => {
  const model = await engine();
  const loaded = loadGallery(json('build/web/gallery.json'), file('build/web/gallery.bin'));
  assert.ok(loaded.size > 0);
  let [alike, certain] = [0, 0];
  for (let entry = 0; entry < loaded.size; entry += Math.ceil(loaded.size / 40)) {
    const { before, after, path, definition } = loaded.entries[entry];
    const edit = model.encodeEdit(before, after);
    if (edit.empty) continue;
    const near = model.nearest(loaded, edit.vector, { path, definition, before, after }, loaded.size).find((one) => one.entry === entry);
    assert.ok(near, definition);
    assert.ok(Math.abs(near.place - 1) < 1e-6, definition);
    assert.ok(near.meaning > 0.9, `${definition}: ${near.meaning}`);
    // A text that is read by itself can be two definitions, of which the words of one count; and words that only moved do not.
    if (Math.abs(near.signed - 1) < 1e-6 && Math.abs(near.unsigned - 1) < 1e-6 && near.shared.length) {
      alike++;
      if (near.score > 0.999) certain++; // as the same edit made elsewhere, for all the rounding of its vector
    }
  }
  assert.ok(alike > 30, String(alike));
  assert.equal(certain, alike);
});

test('files that do not belong together are refused', () => {
  assert.throws(() => loadGallery(json('build/web/gallery.json'), new Uint8Array(8)), /do not belong together/);
});
