/** One edit through the whole model, stage by stage, each said as soon as it is known. */

import { unmatched, type EncodedEdit, type Engine, type Gallery, type Leaf, type Near, type Vector } from '../../../engine/src/index.ts';
import type { DiffLine, Next, Point, Preset, Reply, Request, Shown, Similar, Step } from './protocol.ts';

const SHOWN_CHARACTERS = 12_000;
const COMPARED = 2_500; // leaves of a text that are compared one by one
const NEAREST = 6;
const PLACED_BY = 5; // past edits whose places on the map say where an edit is
const WORDS = 14;
const NEXT = 8;
const STEPS = 3;
const MOST_DEFINITIONS = 40;
const CONTEXT = 2; // lines around a change
const LONGEST_DIFF = 30;
const COLLAPSED = Array.from({ length: 11 }, (_, i) => i / 10);

export class Thinking {
  private readonly engine: Engine;
  private readonly gallery: Gallery;
  private readonly presets: readonly Preset[];
  private readonly map: readonly Point[];
  private readonly say: (reply: Reply) => void;

  constructor(engine: Engine, gallery: Gallery, presets: readonly Preset[], map: readonly Point[], say: (reply: Reply) => void) {
    this.engine = engine;
    this.gallery = gallery;
    this.presets = presets;
    this.map = map;
    this.say = say;
  }

  think(request: Request): void {
    const { id, before, after, path } = request;
    const edit = this.timed((ms) => {
      const found = this.engine.encodeEdit(before, after);
      const definition = this.nameOf(found, after) ?? this.nameOf(found, before) ?? '';
      const { vector, empty, parts } = found;
      const words = found.words
        .filter((word) => word.added || word.removed)
        .sort((a, b) => b.signed + b.unsigned - a.signed - a.unsigned)
        .slice(0, WORDS)
        .map(({ word, common, added, removed, signed, unsigned }) => ({ word, common, net: added - removed, signed, unsigned }));
      this.say({ kind: 'edit', id, ms: ms(), empty, definition, vector, parts, words });
      return { ...found, definition };
    });
    this.timed((ms) => {
      const found = edit.empty ? [] : this.engine.nearest(this.gallery, edit, NEAREST + 1, { path, definition: edit.definition });
      const near = found.filter(({ entry }) => !this.isSame(entry, edit)).slice(0, NEAREST);
      const took = ms();
      this.say({ kind: 'nearest', id, ms: took, similar: near.map((one) => this.similar(one)), point: this.place(edit.vector) });
    });
    this.timed((ms) => {
      const [was, is] = [before.slice(0, SHOWN_CHARACTERS), after.slice(0, SHOWN_CHARACTERS)];
      const [old, now] = [this.engine.tokenise(was), this.engine.tokenise(is)];
      const took = ms();
      const shown = [compared(old.leaves, now.leaves), compared(now.leaves, old.leaves)];
      const of = (text: string, whole: string, leaves: Shown['leaves']): Shown => ({ text, cut: text.length < whole.length, leaves });
      this.say({ kind: 'tokens', id, ms: took, before: of(was, before, shown[0]), after: of(is, after, shown[1]), count: now.ids.length });
    });
    this.timed((ms) => {
      const found = edit.empty ? [] : this.whereNext(before, after, edit);
      this.say({ kind: 'next', id, ms: ms(), next: found });
    });
    this.timed((ms) => {
      const predicted = edit.empty ? [] : this.predicted(edit);
      const actual = (this.presets[request.preset]?.next ?? []).map((one) => this.engine.encodeEdit(one.before, one.after));
      const points = actual.flatMap((one) => this.place(one.vector) ?? []);
      this.say({ kind: 'rolled', id, ms: ms(), predicted, actual: points, steps: this.steps(edit, actual, request), collapse: this.collapse(edit, after) });
    });
  }

  private timed<Result>(run: (ms: () => number) => Result): Result {
    const began = performance.now();
    return run(() => performance.now() - began);
  }

  private nameOf(edit: EncodedEdit, text: string): string | undefined {
    return this.engine.definitions(text).find(({ source }) => source && (source === edit.after || source === edit.before))?.name;
  }

  /** Whether a past edit is the one at hand, which a visitor need not be told of. */
  private isSame(entry: number, edit: EncodedEdit): boolean {
    const { before, after } = this.gallery.entries[entry];
    return before === edit.before && after === edit.after;
  }

  private similar(near: Near): Similar {
    const { subject, commit, time, path, definition, before, after } = this.gallery.entries[near.entry];
    const { score, meaning, signed, unsigned, place, shared } = near;
    return { score, parts: { meaning, signed, unsigned, place }, shared, subject, commit, time, path, definition, diff: diffOf(before, after) };
  }

  /** Among the past edits that are most like it, by how much they are. */
  private place(vector: Vector): Point | null {
    const near = this.engine.nearestTo(this.gallery, vector, PLACED_BY).filter((one) => one.meaning > 0);
    const weights = near.map((one) => one.meaning ** 4);
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    if (!total) return null;
    const mean = (axis: 'x' | 'y'): number => near.reduce((sum, one, i) => sum + (this.map[one.entry][axis] * weights[i]) / total, 0);
    return { x: mean('x'), y: mean('y') };
  }

  private whereNext(before: string, after: string, edit: EncodedEdit): Next[] {
    const unchanged = new Set(this.engine.definitions(before).map(({ source }) => source));
    const others = this.engine
      .definitions(after)
      .filter(({ source, kind }) => unchanged.has(source) && kind !== 'module')
      .slice(0, MOST_DEFINITIONS);
    const found = this.engine.predictNext(others.map((one) => one.source), [edit.vector]);
    const largest = Math.max(...found.map((one) => one.logit));
    const weights = found.map((one) => Math.exp(one.logit - largest));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    return others
      .map((one, i) => ({ one, i, share: weights[i] / total }))
      .sort((a, b) => b.share - a.share)
      .slice(0, NEXT)
      .map(({ one, i, share }) => {
        const [near] = this.engine.nearestTo(this.gallery, found[i].vector, 1);
        const like = near ? this.gallery.entries[near.entry].subject : '';
        return { definition: one.name, kind: one.kind, line: one.line, share, like };
      });
  }

  /** Where the next three edits of the definition are expected on the map, each after those before it. */
  private predicted(edit: EncodedEdit): Point[] {
    const recent = [edit.vector];
    for (let step = 0; step < STEPS; step++) recent.unshift(this.engine.predictNext([edit.after || edit.before], recent)[0].vector);
    return recent
      .slice(0, STEPS)
      .reverse()
      .flatMap((vector) => this.place(vector) ?? []);
  }

  private steps(edit: EncodedEdit, actual: readonly EncodedEdit[], request: Request): Step[] {
    if (edit.empty || !edit.before || !edit.after) return [];
    const begin = this.engine.encodeState(edit.before);
    const edits = [edit, ...actual].slice(0, STEPS);
    const rolled = this.engine.rollOut(begin, edits.map((one) => one.action));
    const subjects = ['this edit', ...(this.presets[request.preset]?.next ?? []).map((one) => one.subject)];
    return edits.map((one, i) => {
      const truth = this.engine.encodeState(one.after);
      return { subject: subjects[i], predicted: cosine(rolled[i], truth), copied: cosine(begin, truth) };
    });
  }

  private collapse(edit: EncodedEdit, after: string): number[] {
    if (edit.empty || !edit.before || !edit.after) return [];
    const states = this.engine.definitions(after).slice(0, MOST_DEFINITIONS).map(({ source }) => this.engine.encodeState(source));
    const [was, is] = [this.engine.encodeState(edit.before), this.engine.encodeState(edit.after)];
    const all = [...states, was, is];
    const mean = was.map((_, i) => all.reduce((sum, one) => sum + one[i], 0) / all.length);
    const drawn = (one: Vector, by: number): Vector => one.map((value, i) => (1 - by) * value + by * mean[i]);
    return COLLAPSED.map((by) => cosine(drawn(was, by), drawn(is, by)));
  }
}

function cosine(one: Vector, other: Vector): number {
  let [product, a, b] = [0, 0, 0];
  for (let i = 0; i < one.length; i++) {
    product += one[i] * other[i];
    a += one[i] * one[i];
    b += other[i] * other[i];
  }
  return a && b ? product / Math.sqrt(a * b) : 0;
}

/** The leaves of a text, each with whether the other text lacks it. */
function compared(leaves: readonly Leaf[], others: readonly Leaf[]): Shown['leaves'] {
  const small = leaves.length + others.length <= 2 * COMPARED;
  const [own] = small ? unmatched(leaves.map((leaf) => leaf.text), others.map((leaf) => leaf.text)) : [new Set<number>()];
  return leaves.map(({ start, end, role }, i) => ({ start, end, role, changed: own.has(i) }));
}

export function diffOf(before: string, after: string): DiffLine[] {
  const old = before ? before.split('\n') : [];
  const now = after ? after.split('\n') : [];
  const [removed, added] = unmatched(old, now);
  const all: DiffLine[] = [];
  for (let i = 0, j = 0; i < old.length || j < now.length; ) {
    if (i < old.length && removed.has(i)) all.push({ sign: '-', text: old[i++] });
    else if (j < now.length && added.has(j)) all.push({ sign: '+', text: now[j++] });
    else {
      all.push({ sign: ' ', text: now[j] ?? old[i] });
      i++;
      j++;
    }
  }
  const near = all.map((_, at) => all.slice(Math.max(0, at - CONTEXT), at + CONTEXT + 1).some((line) => line.sign !== ' '));
  return all.filter((_, at) => near[at]).slice(0, LONGEST_DIFF);
}
