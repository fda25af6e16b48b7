/**
 * Processor time and sizes of what a visitor waits for: `node test/speed.bench.ts`. Medians over the presets of the
 * gallery, each edited twenty times.
 */

import { loadEngine, loadGallery, measureOf, setMeasure } from '../src/index.ts';
import { engineFiles, file, json } from './files.ts';

interface Preset {
  readonly before: string;
  readonly after: string;
  readonly path: string;
  readonly definition: string;
}

const EDITS = 20;
const now = (): number => process.cpuUsage().user / 1000;
const times = new Map<string, number[]>();

function timed<Result>(stage: string, run: () => Result): Result {
  const began = now();
  const result = run();
  times.set(stage, [...(times.get(stage) ?? []), now() - began]);
  return result;
}

const files = engineFiles();
const began = now();
const engine = await loadEngine(files);
times.set('load the model', [now() - began]);
const numbers = file('build/web/gallery.bin');
const gallery = timed('load the gallery', () => loadGallery(json('build/web/gallery.json'), numbers));
for (const [i, { before, after, path, definition }] of (json('build/web/presets.json') as readonly Preset[]).entries()) {
  const cold = i ? 'another preset' : 'the first vector';
  const first = timed(`${cold}: encode`, () => engine.encodeEdit(before, after));
  timed(`${cold}: search`, () => engine.nearest(gallery, first.vector, { path, definition, before: first.before, after: first.after }, 6));
  // A page does it in a worker of its own, after the first answer.
  if (!i) setMeasure(gallery, timed('the measure of the past edits', () => measureOf(numbers)));
  for (let i = 1; i <= EDITS; i++) {
    const typed = `${after}${'x'.repeat(i)}`.replace('return', `return ${'y'.repeat(i)}`);
    timed('tokenise', () => engine.tokenise(typed));
    const edit = timed('encode', () => engine.encodeEdit(before, typed));
    timed('search', () => engine.nearest(gallery, edit.vector, { path, definition, before: edit.before, after: edit.after }, 6));
    const texts = engine.definitions(typed).map(({ source }) => source);
    timed('where next', () => engine.predictNext(texts, [edit.vector]));
    const state = engine.encodeState(edit.before);
    timed('roll out three steps', () => engine.rollOut(state, [edit.action, edit.action, edit.action]));
  }
}
console.log(`${engine.name}, ${gallery.size} past edits, Node ${process.version}; milliseconds of processor time`);
for (const [stage, all] of times) {
  const sorted = all.toSorted((a, b) => a - b);
  const at = (share: number): string => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))].toFixed(1);
  console.log(`| ${stage} | ${all.length} | median ${at(0.5)} | 95 % ${at(0.95)} | most ${at(1)} |`);
}
