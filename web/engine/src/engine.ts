/** The loaded model: texts in, vectors out, as `codewm_lsp.world_model.model` gives them. */

import { Actions } from './actions.ts';
import {
  EDIT_SIZE,
  STATE_SIZE,
  type Definition,
  type Edited,
  type EncodedEdit,
  type Engine,
  type EngineFiles,
  type Gallery,
  type Near,
  type Predicted,
  type Tokens,
  type Vector,
  type Word,
} from './api.ts';
import { Definitions } from './definitions.ts';
import { Features, type WordFeatures } from './features.ts';
import { GalleryIndex } from './gallery.ts';
import { Graph } from './graph.ts';
import { readTables, type Tables } from './tables.ts';
import { tensor, type Tensor } from './tensor.ts';
import { Memory } from './text.ts';
import { loadGrammar, Tokeniser } from './tokens.ts';
import { LEXICAL, Words } from './words.ts';

const GRAPHS = ['state', 'edit', 'transition', 'next'] as const;
const NUMBERS = 8;
const CONTEXT = 128;
const LEARNED = 2 * LEXICAL + CONTEXT;
const RELATIONS = 4;
/** The four parts of a vector: signed words, unsigned words, place, learnt. */
const PARTS = [
  [0, LEXICAL],
  [LEXICAL, 2 * LEXICAL],
  [2 * LEXICAL, LEARNED],
  [LEARNED, EDIT_SIZE],
] as const;

interface Metadata {
  readonly format: number;
  readonly name: string;
  readonly tokeniser_version: number;
  readonly vocabulary_hash: string;
  readonly features_version: number;
  readonly edit_size: number;
  readonly files: Readonly<Record<string, string>>;
}

/** Loads the model. Rejects with an Error that says which of the files is wrong. */
export async function loadEngine(files: EngineFiles): Promise<Engine> {
  const tables = readTables(files.tables);
  const file = (name: string): Uint8Array => {
    const bytes = files.bundle[name];
    if (!bytes) throw new Error(`the bundle lacks ${name}`);
    return bytes;
  };
  const metadata = JSON.parse(new TextDecoder().decode(file('model.json'))) as Metadata;
  const expected = {
    format: 1,
    tokeniser_version: tables.tokeniserVersion,
    vocabulary_hash: tables.vocabularyHash,
    features_version: tables.featuresVersion,
    edit_size: EDIT_SIZE,
  };
  for (const [key, value] of Object.entries(expected)) {
    const found = metadata[key as keyof Metadata];
    if (found !== value) throw new Error(`the bundle was made for ${key} ${found as string}, and the tables are of ${value}`);
  }
  const graphs = Object.fromEntries(GRAPHS.map((name) => [name, new Graph(`${name}.onnx`, file(`${name}.onnx`))]));
  const language = await loadGrammar(files.treeSitter, files.grammar);
  return new LoadedEngine(metadata.name, tables, graphs, new Tokeniser(tables, language), new Words(tables, file('words.bin')));
}

class LoadedEngine implements Engine {
  readonly name: string;
  private readonly tables: Tables;
  private readonly graphs: Readonly<Record<string, Graph>>;
  private readonly tokeniser: Tokeniser;
  private readonly source: Definitions;
  private readonly words: Words;
  private readonly features: Features;
  private readonly states = new Memory<string, Vector>(4096);
  private readonly own = new Memory<string, Vector>(1024);
  private readonly gates = new Map<string, number>();
  private readonly galleries = new WeakMap<Gallery, GalleryIndex>();

  constructor(name: string, tables: Tables, graphs: Readonly<Record<string, Graph>>, tokeniser: Tokeniser, words: Words) {
    this.name = name;
    this.tables = tables;
    this.graphs = graphs;
    this.tokeniser = tokeniser;
    this.words = words;
    this.source = new Definitions(tables);
    this.features = new Features(tables, tokeniser, this.source, words, new Actions(tokeniser, tables.parts));
  }

  tokenise(text: string): Tokens {
    return this.tokeniser.tokenise(text);
  }

  definitions(text: string): readonly Definition[] {
    return this.source.of(text);
  }

  encodeEdit(before: string, after: string): EncodedEdit {
    const features = this.features.of(before, after);
    const { changed, context } = features;
    const count = changed.length;
    const place = this.placeGates([...changed, ...context]);
    const word = (one: WordFeatures, i: number, signed = 0, unsigned = 0): Word => ({
      word: one.word,
      role: this.tables.roles[one.role],
      removed: one.removed,
      added: one.added,
      unchanged: one.unchanged,
      common: one.sort.rank >= 0,
      signed,
      unsigned,
      place: place[i],
    });
    const told = { action: features.action, before: features.before, after: features.after };
    if (!count) {
      const words = context.map((one, i) => word(one, i));
      return { ...told, vector: new Float32Array(EDIT_SIZE), empty: true, words, parts: [0, 0, 0, 0] };
    }
    const out = this.graphs['edit'].run(
      {
        ...wordFeed('changed', changed),
        changed_mask: tensor([1, count], new Uint8Array(count).fill(1)),
        before: row(this.encodeState(features.before)),
        after: row(this.encodeState(features.after)),
        action: row(features.action),
      },
      ['signed_gate', 'unsigned_gate', 'contextual', 'parts'],
    );
    const [signedGate, unsignedGate] = [out['signed_gate'].data, out['unsigned_gate'].data];
    const signed = new Float32Array(LEXICAL);
    const unsigned = new Float32Array(LEXICAL);
    const around = new Float32Array(LEXICAL);
    [...changed, ...context].forEach((one, i) => {
      if (i < count) {
        this.words.addDirection(signed, one.word, signedGate[i] * one.net);
        this.words.addDirection(unsigned, one.word, unsignedGate[i]);
      }
      const there = Math.log1p(Math.max(one.removed, one.added, one.unchanged));
      this.words.addDirection(around, one.word, place[i] * there);
    });
    const weights = out['parts'].data as Float32Array;
    const vector = compose([signed, unsigned, around.subarray(0, CONTEXT), out['contextual'].data as Float32Array], weights);
    const words = [
      ...changed.map((one, i) => word(one, i, signedGate[i], unsignedGate[i])),
      ...context.map((one, i) => word(one, count + i)),
    ];
    return { ...told, vector, empty: false, words, parts: [weights[0], weights[1], weights[2], weights[3]] };
  }

  encodeState(text: string): Vector {
    return this.states.get(text, () => {
      const [ids, depths] = this.features.structure(text);
      const dims = [1, ids.length];
      return this.graphs['state'].run({ ids: tensor(dims, ids), depths: tensor(dims, depths) })['state'].data as Vector;
    });
  }

  predict(state: Vector, action: Vector): Vector {
    return this.graphs['transition'].run({ state: row(state), action: row(action) })['next_state'].data as Vector;
  }

  rollOut(state: Vector, actions: readonly Vector[]): Vector[] {
    let now = state;
    return actions.map((action) => (now = this.predict(now, action)));
  }

  predictNext(texts: readonly string[], recent: readonly Vector[]): Predicted[] {
    const edits = recent.slice(0, this.tables.limits.recent);
    if (!edits.length) throw new Error('predictNext needs at least one recent edit');
    if (!texts.length) return [];
    const count = texts.length;
    const past = edits.map((edit) => PARTS.map(([begin, end]) => unit(edit.subarray(begin, end))));
    const own = texts.map((text) => this.ownWords(text));
    const states = new Float32Array(count * STATE_SIZE);
    texts.forEach((text, i) => states.set(this.encodeState(text), i * STATE_SIZE));
    const learned = new Float32Array(count * edits.length * STATE_SIZE);
    const relations = new Float32Array(count * edits.length * RELATIONS);
    for (let i = 0; i < count; i++) {
      const words = unit(own[i]);
      const place = unit(own[i].subarray(0, CONTEXT));
      past.forEach(([signed, unsigned, around, rest], j) => {
        const at = i * edits.length + j;
        learned.set(rest, at * STATE_SIZE);
        relations.set([dot(words, signed), dot(words, unsigned), dot(place, around), Math.exp(-j / 2)], at * RELATIONS);
      });
    }
    const dims = [count, edits.length];
    const out = this.graphs['next'].run({
      state: tensor([count, STATE_SIZE], states),
      recent: tensor([...dims, STATE_SIZE], learned),
      relations: tensor([...dims, RELATIONS], relations),
      mask: tensor(dims, new Uint8Array(count * edits.length).fill(1)),
    });
    const of = (name: string, i: number): Float32Array => {
      const { dims: shape, data } = out[name];
      const width = data.length / shape[0];
      return (data as Float32Array).subarray(i * width, (i + 1) * width);
    };
    return texts.map((_, i) => {
      const mixture = of('mixture', i);
      const mixed = [0, 1, 2].map((part) => {
        const sum = new Float32Array(past[0][part].length);
        past.forEach((edit, j) => edit[part].forEach((value, k) => (sum[k] += mixture[j] * value)));
        return sum;
      });
      const share = of('share', i);
      const unsigned = blend(mixed[1], unit(own[i]), share[0]);
      const place = blend(mixed[2], unit(own[i].subarray(0, CONTEXT)), share[1]);
      return {
        vector: compose([mixed[0], unsigned, place, of('contextual', i)], of('parts', i)),
        logit: of('logits', i)[0],
        action: of('actions', i).slice(),
      };
    });
  }

  nearest(gallery: Gallery, vector: Vector, edit: Edited, count: number, allowed: (entry: number) => boolean = () => true): Near[] {
    return this.indexOf(gallery).nearest(vector, this.changedWords(edit), edit, count, allowed);
  }

  nearestTo(gallery: Gallery, vector: Vector, count: number): Near[] {
    return this.indexOf(gallery).nearestTo(vector, count);
  }

  /** Net count of every word between the two texts of an edit. */
  private changedWords(edit: Edited): Map<string, number> {
    const counts = new Map<string, number>();
    for (const [text, sign] of [[edit.after, 1], [edit.before, -1]] as const)
      for (const leaf of text ? this.tokenise(text).leaves : [])
        for (const word of this.words.ofLeaf(leaf)) counts.set(word, (counts.get(word) ?? 0) + sign);
    for (const [word, count] of counts) if (!count) counts.delete(word);
    return counts;
  }

  private indexOf(gallery: Gallery): GalleryIndex {
    let index = this.galleries.get(gallery);
    if (!index) this.galleries.set(gallery, (index = new GalleryIndex(gallery, this.words, this.tables)));
    return index;
  }

  /** Sum over the words of a definition as it stands. */
  private ownWords(text: string): Vector {
    return this.own.get(text, () => {
      const sum = new Float32Array(LEXICAL);
      const words = this.features.ownWords(text);
      const gates = this.placeGates(words.map(({ word, role }) => ({ word, role, sort: this.words.sort(word) })));
      words.forEach(({ word, count }, i) => this.words.addDirection(sum, word, gates[i] * Math.fround(Math.log1p(count))));
      return sum;
    });
  }

  /** How much words say of the place they stand in, which hangs on the sort of the word and its part alone. */
  private placeGates(words: readonly Pick<WordFeatures, 'word' | 'role' | 'sort'>[]): number[] {
    const keys = words.map(({ sort, role }) => `${sort.identity} ${sort.level} ${sort.shape.join(' ')} ${role}`);
    const missing = new Map<string, Pick<WordFeatures, 'role' | 'sort'>>();
    keys.forEach((key, i) => {
      if (!this.gates.has(key)) missing.set(key, words[i]);
    });
    if (missing.size) {
      const asked = [...missing.values()].map((one) => ({ ...one, removed: 0, added: 0, unchanged: 0, net: 0 }));
      const found = this.graphs['edit'].run(wordFeed('context', asked, false), ['place_context'])['place_context'].data;
      [...missing.keys()].forEach((key, i) => this.gates.set(key, found[i]));
    }
    return keys.map((key) => this.gates.get(key)!);
  }
}

function row(vector: Float32Array): Tensor {
  return tensor([1, vector.length], vector);
}

function wordFeed(
  prefix: string,
  words: readonly Omit<WordFeatures, 'word'>[],
  counts = true,
): Record<string, Tensor> {
  const dims = [1, words.length];
  const numbers = new Float32Array(words.length * NUMBERS);
  words.forEach(({ removed, added, unchanged, net, sort }, i) => {
    const own = counts
      ? [Math.log1p(removed), Math.log1p(added), Math.log1p(unchanged), Math.abs(net), ...sort.shape, +(removed === added)]
      : [0, 0, 0, 0, ...sort.shape, 0];
    numbers.set(own, i * NUMBERS);
  });
  return {
    [`${prefix}_identity`]: tensor(dims, Int32Array.from(words, (word) => word.sort.identity)),
    [`${prefix}_level`]: tensor(dims, Int32Array.from(words, (word) => word.sort.level)),
    [`${prefix}_role`]: tensor(dims, Int32Array.from(words, (word) => word.role)),
    [`${prefix}_numbers`]: tensor([...dims, NUMBERS], numbers),
  };
}

export function dot(one: Float32Array, other: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < one.length; i++) sum += one[i] * other[i];
  return sum;
}

/** Scaled to length 1; zeros stay. */
export function unit(vector: Float32Array): Float32Array {
  const length = Math.sqrt(dot(vector, vector));
  return vector.map((value) => value / (length > 1e-12 ? length : 1));
}

function blend(one: Float32Array, other: Float32Array, share: number): Float32Array {
  return one.map((value, i) => (1 - share) * value + share * other[i]);
}

/** A vector of length 1 from its four parts and their weights. */
function compose(parts: readonly Float32Array[], weights: Float32Array): Vector {
  const joined = new Float32Array(EDIT_SIZE);
  parts.forEach((part, number) => {
    const scaled = unit(part);
    const [begin] = PARTS[number];
    for (let i = 0; i < scaled.length; i++) joined[begin + i] = scaled[i] * weights[number];
  });
  return unit(joined);
}
