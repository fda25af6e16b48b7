/** What the engine makes of texts is what Python makes of them: build/web/vectors.json. */

import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { ROLES, type Engine } from '../src/index.ts';
import { difference, engine, engineFiles, floats, vectors } from './files.ts';

const CLOSE = 1e-4;

describe('as Python', () => {
  let model: Engine;
  before(async () => {
    model = await engine();
  });

  test('tokens are the same, id for id', () => {
    assert.ok(vectors.texts.length >= 2500);
    for (const expected of vectors.texts) {
      const found = model.tokenise(expected.text);
      assert.deepEqual(found.ids, expected.ids, expected.text);
      assert.deepEqual(found.depths, expected.depths, expected.text);
      const leaves = found.leaves.map((leaf) => [leaf.text, ROLES.indexOf(leaf.role), leaf.line]);
      assert.deepEqual(leaves, expected.leaves, expected.text);
    }
  });

  test('leaves stand where they say', () => {
    for (const { text } of vectors.texts) {
      if (/\p{Cs}/u.test(text)) continue;
      const elsewhere = model.tokenise(text).leaves.filter((leaf) => leaf.role !== 'syntax' && text.slice(leaf.start, leaf.end) !== leaf.text);
      assert.deepEqual(elsewhere, []);
    }
  });

  test('definitions are the same', () => {
    for (const { text, definitions } of vectors.texts) {
      const found = model.definitions(text).map((one) => [one.name, one.kind, one.line, one.start, one.end, one.source]);
      assert.deepEqual(found, definitions, text);
    }
  });

  test('states are within 1e-4', () => {
    let largest = 0;
    for (const { text, state } of vectors.texts) largest = Math.max(largest, difference(model.encodeState(text), floats(state)));
    console.log(`largest difference of ${vectors.texts.length} states: ${largest}`);
    assert.ok(largest <= CLOSE, String(largest));
  });

  test('edits have the same words and actions, and vectors within 1e-4', () => {
    let largest = 0;
    for (const expected of vectors.edits) {
      const found = model.encodeEdit(expected.before, expected.after);
      const words = found.words.map(({ word, role }) => [word, ROLES.indexOf(role)]);
      assert.deepEqual(words, [...expected.changed, ...expected.context], expected.after);
      assert.deepEqual([found.before, found.after], expected.largest);
      assert.ok(difference(found.action, floats(expected.action)) < 1e-6, `${expected.before}\n---\n${expected.after}`);
      largest = Math.max(largest, difference(found.vector, floats(expected.vector)));
    }
    console.log(`largest difference of ${vectors.edits.length} edits: ${largest}`);
    assert.ok(largest <= CLOSE, String(largest));
  });

  test('what comes next is within 1e-4', () => {
    for (const expected of vectors.next) {
      const found = model.predictNext(expected.texts, expected.recent.map(floats));
      found.forEach(({ vector, logit, action }, i) => {
        assert.ok(difference(vector, floats(expected.vectors[i])) <= CLOSE);
        assert.ok(difference([logit], [expected.logits[i]]) <= CLOSE);
        assert.ok(difference(action, floats(expected.actions[i])) <= CLOSE);
      });
    }
  });

  test('roll-outs are within 1e-4', () => {
    for (const { text, actions, states } of vectors.rollOuts) {
      const found = model.rollOut(model.encodeState(text), actions.map(floats));
      states.forEach((state, step) => assert.ok(difference(found[step], floats(state)) <= CLOSE));
    }
  });
});

test('damaged files are refused', async () => {
  const { loadEngine } = await import('../src/index.ts');
  const files = engineFiles();
  const graph = files.bundle['state.onnx'];
  for (const damaged of [graph.slice(0, 9000), new Uint8Array(64).fill(7), new Uint8Array()])
    await assert.rejects(loadEngine({ ...files, bundle: { ...files.bundle, 'state.onnx': damaged } }), /state\.onnx/);
  const other = new TextEncoder().encode(JSON.stringify({ format: 1, tokeniser_version: 99 }));
  await assert.rejects(loadEngine({ ...files, bundle: { ...files.bundle, 'model.json': other } }), /tokeniser_version 99/);
});
