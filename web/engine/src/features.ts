/** A pair of texts → what the edit encoder reads: `codewm_lsp.world_model.features`. */

import type { Actions } from './actions.ts';
import type { Definition, Leaf } from './api.ts';
import type { Definitions } from './definitions.ts';
import { unmatched } from './matching.ts';
import type { Tables } from './tables.ts';
import { length, Memory, strip } from './text.ts';
import type { Tokeniser } from './tokens.ts';
import type { Sort, Words } from './words.ts';

const MOST_LINES = 4000; // of two texts that are compared line by line

/** One word of an edit. */
export interface WordFeatures {
  readonly word: string;
  readonly sort: Sort;
  /** Number of the part its first occurrence plays. */
  readonly role: number;
  readonly removed: number;
  readonly added: number;
  readonly unchanged: number;
  /** Signed damped net count. */
  readonly net: number;
}

export interface EditFeatures {
  readonly changed: readonly WordFeatures[];
  readonly context: readonly WordFeatures[];
  readonly action: Float32Array;
  readonly before: string;
  readonly after: string;
}

interface Occurrence {
  readonly line: number;
  readonly word: string;
  readonly role: number;
}

interface Row {
  removed: number;
  added: number;
  unchanged: number;
  changedRole: number;
  readonly role: number;
}

type Pair = readonly [string, string, Definition['kind']];

export class Features {
  private readonly tables: Tables;
  private readonly tokeniser: Tokeniser;
  private readonly definitions: Definitions;
  private readonly words: Words;
  private readonly actions: Actions;
  private readonly known = new Memory<string, readonly Occurrence[]>(1024);

  constructor(tables: Tables, tokeniser: Tokeniser, definitions: Definitions, words: Words, actions: Actions) {
    this.tables = tables;
    this.tokeniser = tokeniser;
    this.definitions = definitions;
    this.words = words;
    this.actions = actions;
  }

  of(before: string, after: string): EditFeatures {
    const pairs = this.changedPairs(before, after);
    const table = new Map<string, Row>();
    const rowOf = ({ word, role }: Occurrence): Row => {
      let row = table.get(word);
      if (!row) table.set(word, (row = { removed: 0, added: 0, unchanged: 0, changedRole: -1, role }));
      return row;
    };
    for (const [old, now] of pairs) {
      const [removed, added] = changedLines(old, now);
      for (const one of this.occurrences(old))
        if (removed.has(one.line)) {
          const row = rowOf(one);
          row.removed++;
          if (row.changedRole < 0) row.changedRole = one.role;
        } else if (!now) rowOf(one).unchanged++;
      for (const one of this.occurrences(now)) {
        const row = rowOf(one);
        if (added.has(one.line)) {
          row.added++;
          if (row.changedRole < 0) row.changedRole = one.role;
        } else row.unchanged++;
      }
    }
    const rows = [...table];
    const { changed, context } = this.tables.limits;
    let largest: Pair = ['', '', 'function'];
    let most = -1;
    for (const pair of pairs) {
      const size = length(pair[0]) + length(pair[1]);
      if (size > most) [largest, most] = [pair, size];
    }
    return {
      changed: this.chosen(rows.filter(([, row]) => row.removed || row.added), changed),
      context: this.chosen(rows.filter(([, row]) => !row.removed && !row.added), context),
      action: this.actions.of(...largest),
      before: largest[0],
      after: largest[1],
    };
  }

  /** What the words of a definition's state are made of. */
  ownWords(text: string): { word: string; count: number; role: number }[] {
    const table = new Map<string, { word: string; count: number; role: number }>();
    for (const { word, role } of this.occurrences(text)) {
      const row = table.get(word);
      if (row) row.count++;
      else table.set(word, { word, count: 1, role });
    }
    const rows = [...table.values()];
    const kept = rarest(rows.map(({ word }) => this.words.sort(word).rank), this.tables.limits.stateWords);
    return kept.map((i) => rows[i]);
  }

  /** Ids and depths of a definition's tree, a start token first. */
  structure(text: string): [Int32Array, Int32Array] {
    const { ids, depths } = this.tokeniser.tokenise(text);
    const most = this.tables.limits.structure - 1;
    return [Int32Array.of(this.tables.special.start, ...ids.slice(0, most)), Int32Array.of(0, ...depths.slice(0, most))];
  }

  private changedPairs(before: string, after: string): Pair[] {
    const read = (text: string): Map<string, Definition> =>
      new Map(strip(text) ? this.definitions.of(text).map((one) => [one.name, one]) : []);
    const [old, now] = [read(before), read(after)];
    const pairs: Pair[] = [];
    for (const name of [...now.keys(), ...[...old.keys()].filter((one) => !now.has(one))]) {
      const [b, a] = [old.get(name), now.get(name)];
      const [was, is] = [b?.source ?? '', a?.source ?? ''];
      if (was !== is) pairs.push([was, is, (a ?? b)!.kind]);
    }
    return pairs;
  }

  private occurrences(text: string): readonly Occurrence[] {
    return this.known.get(text, () => {
      const found: Occurrence[] = [];
      for (const leaf of this.tokeniser.tokenise(text).leaves) {
        const role = this.tables.roles.indexOf(leaf.role);
        const textual = isTextual(leaf);
        if (textual && leaf.text.includes('\n'))
          leaf.text.split('\n').forEach((piece, offset) => {
            for (const word of this.words.ofLeaf({ text: piece, role: leaf.role })) found.push({ line: leaf.line + offset, word, role });
          });
        else {
          const named = !textual && leaf.role !== 'number' && leaf.role !== 'syntax';
          const words = named ? this.words.ofName(leaf.text) : this.words.ofLeaf(leaf);
          for (const word of words) found.push({ line: leaf.line, word, role });
        }
      }
      return found;
    });
  }

  private chosen(rows: readonly [string, Row][], most: number): WordFeatures[] {
    const sorts = rows.map(([word]) => this.words.sort(word));
    return rarest(sorts.map((sort) => sort.rank), most).map((i) => {
      const [word, { removed, added, unchanged, changedRole, role }] = rows[i];
      const delta = added - removed;
      return {
        word,
        sort: sorts[i],
        role: changedRole >= 0 ? changedRole : role,
        removed,
        added,
        unchanged,
        net: Math.fround(Math.sign(delta) * Math.log1p(Math.abs(delta))),
      };
    });
  }
}

function isTextual(leaf: Leaf): boolean {
  return leaf.role === 'string' || leaf.role === 'docstring' || leaf.role === 'comment';
}

/** Positions of the rarest words, which say most, in their order; of equally rare ones the first. */
function rarest(ranks: readonly number[], most: number): number[] {
  const all = [...ranks.keys()];
  if (ranks.length <= most) return all;
  const rarity = (i: number): number => (ranks[i] >= 0 ? ranks[i] : 2 ** 30);
  return all
    .sort((a, b) => rarity(b) - rarity(a) || a - b)
    .slice(0, most)
    .sort((a, b) => a - b);
}

function changedLines(before: string, after: string): [Set<number>, Set<number>] {
  const [old, now] = [before.split('\n'), after.split('\n')];
  const [was, is] = [old.map(strip), now.map(strip)];
  const [removed, added] = [surplus(was, is), surplus(is, was)];
  if (!removed.size && !added.size && old.length + now.length < MOST_LINES) return unmatched(old, now);
  return [removed, added];
}

function surplus(lines: readonly string[], others: readonly string[]): Set<number> {
  const left = new Map<string, number>();
  for (const line of others) left.set(line, (left.get(line) ?? 0) + 1);
  const found = new Set<number>();
  lines.forEach((line, number) => {
    if (!line) return;
    const count = left.get(line) ?? 0;
    if (count) left.set(line, count - 1);
    else found.add(number);
  });
  return found;
}
