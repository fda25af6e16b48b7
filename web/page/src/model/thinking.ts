/** One edit through the whole model, stage by stage, each said as soon as it is known. */

import { unmatched, type EncodedEdit, type Engine, type Gallery, type Leaf, type Near, type Vector } from '../../../engine/src/index.ts';
import { age } from './age.ts';
import { isPython } from './python.ts';
import type { DiffLine, Expected, Lens, Next, Point, Reply, Request, Shown, Similar, Step } from './protocol.ts';
import { MODULE } from './wording.ts';

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
const LONGEST_SUBJECT = 60; // in a lens
const COLLAPSED = Array.from({ length: 11 }, (_, i) => i / 10);

/** Past edits, and where each lies on the map. */
export interface Past {
  readonly gallery: Gallery;
  readonly map: readonly Point[];
  /** Makes the gallery quick to search; until then it is as right, and slower. */
  readonly measured: () => Promise<void>;
}

/** When a lens speaks: from which score on, from which share of the best one on more are counted, and of how many. */
export interface LensRule {
  readonly threshold: number;
  readonly close: number;
  readonly behind: number;
}

/** An edit of a definition, by its own texts. */
interface NamedEdit extends EncodedEdit {
  readonly definition: string;
  readonly removed: boolean;
  /** How many other definitions are edited. */
  readonly more: number;
}

export class Thinking {
  private readonly engine: Engine;
  private readonly rule: LensRule;
  private readonly past: Promise<Past>;
  private readonly say: (reply: Reply) => void;
  private next: Request | null = null;
  private working = false;

  /** `past` may come later than the first question. */
  constructor(engine: Engine, rule: LensRule, past: Promise<Past>, say: (reply: Reply) => void) {
    this.engine = engine;
    this.rule = rule;
    this.past = past;
    this.say = say;
  }

  /** Answers a request. A newer one is answered instead as soon as the stage at hand is done. */
  async ask(request: Request): Promise<void> {
    this.next = request;
    if (this.working) return;
    this.working = true;
    try {
      for (let now = this.taken(); now; now = this.taken()) await this.think(now);
    } finally {
      this.working = false;
    }
  }

  private taken(): Request | null {
    const request = this.next;
    this.next = null;
    return request;
  }

  private async think(request: Request): Promise<void> {
    const { id, before, after, preset } = request;
    const edit = this.timed((ms) => {
      const found = this.ownEdit(before, after);
      const { vector, empty, parts, definition, more } = found;
      const text = after.trim() ? after : before;
      const python = isPython(this.engine, text);
      const broken = this.engine.tokenise(text).errors > 0;
      const words = found.words
        .filter((word) => word.added || word.removed)
        .sort((a, b) => b.signed + b.unsigned - a.signed - a.unsigned)
        .slice(0, WORDS)
        .map(({ word, common, added, removed, signed, unsigned }) => ({ word, common, net: added - removed, signed, unsigned }));
      this.say({ kind: 'edit', id, ms: ms(), empty, python, broken, definition, more, vector, parts, words });
      return { ...found, nothing: empty || !python };
    });
    const past = await this.past;
    if (await this.isStale()) return;
    this.timed((ms) => {
      const { definition } = edit;
      const asked = { path: preset?.path ?? '', definition, before: edit.before, after: edit.after };
      const isPast = (entry: number): boolean => this.isPast(past.gallery, entry, edit, request);
      const near = edit.nothing ? [] : this.engine.nearest(past.gallery, edit.vector, asked, this.rule.behind, isPast);
      const took = edit.nothing ? null : ms();
      const similar = near.slice(0, NEAREST).map((one) => similarOf(past.gallery, one));
      const lens = this.lensOf(past.gallery, near, edit, preset?.time ?? Date.now() / 1000);
      this.say({ kind: 'nearest', id, ms: took, similar, lens, point: edit.nothing ? null : this.place(past, edit.vector) });
    });
    if (await this.isStale()) return;
    this.timed((ms) => {
      const [was, is] = [before.slice(0, SHOWN_CHARACTERS), after.slice(0, SHOWN_CHARACTERS)];
      const [old, now] = [this.engine.tokenise(was), this.engine.tokenise(is)];
      const took = ms();
      const shown = [compared(old.leaves, now.leaves), compared(now.leaves, old.leaves)];
      const of = (text: string, whole: string, leaves: Shown['leaves']): Shown => ({ text, cut: text.length < whole.length, leaves });
      this.say({ kind: 'tokens', id, ms: took, before: of(was, before, shown[0]), after: of(is, after, shown[1]), count: now.ids.length });
    });
    await past.measured();
    if (await this.isStale()) return;
    this.timed((ms) => {
      const isPast = (entry: number): boolean => this.isPast(past.gallery, entry, edit, request);
      const found = edit.nothing ? [] : this.whereNext(past.gallery, before, after, edit, isPast);
      this.say({ kind: 'next', id, ms: found.length ? ms() : null, next: found });
    });
    if (await this.isStale()) return;
    this.timed((ms) => {
      const followed = preset?.next ?? [];
      const actual = followed.map((one) => this.engine.encodeEdit(one.before, one.after));
      const isPast = (entry: number): boolean => this.isPast(past.gallery, entry, edit, request);
      const predicted = edit.nothing ? [] : this.predicted(past, edit, actual, isPast);
      const points = actual.map((one, i) => ({ subject: followed[i].subject, point: this.place(past, one.vector) }));
      const steps = edit.nothing ? [] : this.steps(edit, actual, followed.map((one) => one.subject));
      this.say({ kind: 'rolled', id, ms: edit.nothing ? null : ms(), predicted, actual: points, steps, collapse: edit.nothing ? [] : this.collapse(edit, after) });
    });
  }

  /** The edit of the definition that changed most, by its own texts, which is what an editor looks up. */
  private ownEdit(before: string, after: string): NamedEdit {
    const [old, now] = [before, after].map((text) => new Map(this.engine.definitions(text).map((one) => [one.name, one.source])));
    let [largest, most, changed] = [null as { definition: string; was: string; is: string } | null, 0, 0];
    for (const definition of new Set([...now.keys(), ...old.keys()])) {
      const [was, is] = [old.get(definition) ?? '', now.get(definition) ?? ''];
      if (was === is || unspaced(was) === unspaced(is)) continue;
      if (definition !== MODULE) changed++;
      if (was.length + is.length <= most) continue;
      [largest, most] = [{ definition, was, is }, was.length + is.length];
    }
    if (!largest) return { ...this.engine.encodeEdit(before, after), definition: '', removed: false, more: 0 };
    const { definition, was, is } = largest;
    const removed = !is;
    const own = this.engine.encodeEdit(was, is);
    // A text that is read by itself may be of several definitions; what is looked up is all of it.
    if (own.empty) return { ...this.engine.encodeEdit(before, after), definition, removed, more: 0 };
    return { ...own, before: was, after: is, definition, removed, more: definition === MODULE ? changed : changed - 1 };
  }

  /** Whether a newer request has come, once those that wait to be heard have been. */
  private async isStale(): Promise<boolean> {
    await new Promise<void>((heard) => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => {
        port1.close();
        heard();
      };
      port2.postMessage(null);
    });
    return this.next !== null;
  }

  private timed<Result>(run: (ms: () => number) => Result): Result {
    const began = performance.now();
    return run(() => performance.now() - began);
  }

  /**
   * Whether an editor would have found the edit: not the one at hand, none of the same definition, and where the one at
   * hand is of the history, none of its commit or after it.
   */
  private isPast(gallery: Gallery, entry: number, edit: NamedEdit, { preset }: Request): boolean {
    const { before, after, path, definition, time } = gallery.entries[entry];
    if (preset) return time < preset.time && !(path === preset.path && definition === edit.definition);
    return !(before === edit.before && after === edit.after);
  }

  /** In the words of `codewm_lsp.hints.wording`. */
  private lensOf(gallery: Gallery, near: readonly Near[], { definition, removed }: NamedEdit, now: number): Lens {
    const { threshold, close } = this.rule;
    const likeliest = near[0]?.score ?? 0;
    const told = { definition, removed, likeliest, threshold };
    if (likeliest < threshold) return { ...told, title: null };
    const { commit, subject, time } = gallery.entries[near[0].entry];
    const others = near.filter(({ score }) => score >= Math.max(threshold, close * likeliest)).map(({ entry }) => gallery.entries[entry].commit);
    const more = new Set(others.filter((other) => other !== commit)).size;
    const short = subject.length > LONGEST_SUBJECT ? `${subject.slice(0, LONGEST_SUBJECT - 1).trimEnd()}…` : subject;
    const quoted = short.includes("'") ? `"${short}"` : `'${short}'`;
    return { ...told, title: `like ${commit.slice(0, 7)} ${quoted} · ${age(now - time)}${more ? ` · and ${more} more` : ''}` };
  }

  /** Among the past edits that are most like it, by how much they are. */
  private place({ gallery, map }: Past, vector: Vector): Point | null {
    const near = this.engine.nearestTo(gallery, vector, PLACED_BY).filter((one) => one.meaning > 0);
    const weights = near.map((one) => one.meaning ** 4);
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    if (!total) return null;
    const mean = (axis: 'x' | 'y'): number => near.reduce((sum, one, i) => sum + (map[one.entry][axis] * weights[i]) / total, 0);
    return { x: mean('x'), y: mean('y') };
  }

  private whereNext(gallery: Gallery, before: string, after: string, edit: EncodedEdit, isPast: (entry: number) => boolean): Next[] {
    const unchanged = new Set(this.engine.definitions(before).map(({ source }) => source));
    const all = this.engine.definitions(after);
    const here = Math.max(0, all.findIndex(({ source }) => source === edit.after));
    const others = all
      .map((one, at) => ({ ...one, away: Math.abs(at - here) }))
      .filter(({ source, kind }) => unchanged.has(source) && kind !== 'module')
      .sort((one, other) => one.away - other.away || one.line - other.line)
      .slice(0, MOST_DEFINITIONS); // of a large file, those around the edit
    const found = this.engine.predictNext(others.map((one) => one.source), [edit.vector]);
    const largest = Math.max(...found.map((one) => one.logit));
    const weights = found.map((one) => Math.exp(one.logit - largest));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    return others
      .map((one, i) => ({ one, i, share: weights[i] / total }))
      .sort((a, b) => b.share - a.share)
      .slice(0, NEXT)
      .map(({ one, i, share }) => {
        const like = this.likest(gallery, found[i].vector, isPast);
        return { definition: one.name, kind: one.kind, line: one.line, share, like };
      });
  }

  /** Subject of the past edit that a vector is most like, of those that an editor would have found. */
  private likest(gallery: Gallery, vector: Vector, isPast: (entry: number) => boolean): string {
    const near = this.engine.nearestTo(gallery, vector, gallery.entries.length).find(({ entry }) => isPast(entry));
    return near ? gallery.entries[near.entry].subject : '';
  }

  /** The next three edits of the definition, each after those before it. */
  private predicted(past: Past, edit: EncodedEdit, actual: readonly EncodedEdit[], isPast: (entry: number) => boolean): Expected[] {
    const recent = [edit.vector];
    for (let step = 0; step < STEPS; step++) recent.unshift(this.engine.predictNext([edit.after || edit.before], recent)[0].vector);
    return recent
      .slice(0, STEPS)
      .reverse()
      .map((vector, i) => ({
        point: this.place(past, vector),
        like: this.likest(past.gallery, vector, isPast),
        right: actual[i] && !actual[i].empty ? cosine(vector, actual[i].vector) : null,
        copied: actual[i] && !actual[i].empty ? cosine(edit.vector, actual[i].vector) : null,
      }));
  }

  private steps(edit: EncodedEdit, actual: readonly EncodedEdit[], followed: readonly string[]): Step[] {
    if (edit.empty || !edit.before || !edit.after) return [];
    const begin = this.engine.encodeState(edit.before);
    const edits = [edit, ...actual].slice(0, STEPS);
    const rolled = this.engine.rollOut(begin, edits.map((one) => one.action));
    const subjects = ['this edit', ...followed];
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

function similarOf(gallery: Gallery, near: Near): Similar {
  const { subject, commit, time, path, definition, before, after } = gallery.entries[near.entry];
  const { score, meaning, signed, unsigned, place, shared } = near;
  return { score, parts: { meaning, signed, unsigned, place }, shared, subject, commit, time, path, definition, diff: diffOf(before, after) };
}

/** A text without blank lines and ends of lines: what is left says whether something was changed. */
function unspaced(text: string): string {
  return text.replace(/[ \t]+$/gm, '').replace(/\n{2,}/g, '\n').trim();
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
