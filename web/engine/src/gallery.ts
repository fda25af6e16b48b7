/** Past edits, and the search among them: `codewm_lsp.index` without what it needs for very many. */

import { EDIT_SIZE, type Edited, type Gallery, type GalleryEntry, type Kind, type Near, type Place, type Vector } from './api.ts';
import { multiply } from './multiply.ts';
import { following, Reranker, type Asked, type Compared, type PlaceParts } from './reranker.ts';
import type { Tables } from './tables.ts';
import { tensor } from './tensor.ts';
import type { Words } from './words.ts';

const FEWEST = 100;
const MOST = 100_000;
const SAMPLE = 2000;
const SHRINKAGE = 3000;
const STEP = 1.5;
const MOST_SHARED = 6;
const RESIDUAL = 1e-5; // of a vector, that is left when it is whitened step by step
const MOST_STEPS = 100;
const PANEL = 192; // columns of the covariance that are computed at once

const FORMAT = 2;
const HEAD = 2; // numbers before all others: edits and terms

/** What scripts/web_data.py writes beside the binary file. */
interface GalleryFile {
  readonly format: number;
  readonly size: number;
  readonly entries: readonly GalleryEntry[];
  readonly words: readonly string[];
  readonly terms: number;
  /** Likeness of vectors, as they are rounded here, of the same edit made elsewhere; of an index by default. */
  readonly same?: number;
}

/** A gallery with the words that its edits changed. */
interface Loaded extends Gallery, Numbers {
  readonly words: readonly string[];
  readonly same: number | undefined;
  /** null: there are too few edits, or too many. */
  readonly sample: Sample | null;
  /** What `setMeasure` was given. */
  measure: Measure | null;
}

/** Some of the edits, evenly spread, whose covariance is what vectors are compared by. */
interface Sample {
  /** Where the vector of each begins. */
  readonly rows: Uint32Array;
  readonly mean: Float64Array;
  /** What is added to the diagonal of the covariance. */
  readonly shift: number;
}

/** What the binary file holds. */
interface Numbers {
  /** Where each edit's terms begin. */
  readonly bounds: Uint32Array;
  readonly terms: Uint16Array;
  readonly counts: Int8Array;
  readonly vectors: Float32Array;
}

/**
 * The measure of a gallery's own edits, by which vectors are compared: the lower triangle of the Cholesky factor of
 * their shrunk covariance, row by row.
 */
export type Measure = Float64Array<ArrayBuffer>;

/**
 * Works out the measure of a gallery from its binary file, which takes longer than anything else. A gallery is searched
 * without it, too, with the same result; with it in less than a tenth of the time.
 */
export function measureOf(bytes: Uint8Array): Measure | null {
  const { vectors } = numbersOf(bytes);
  const sample = sampleOf(vectors);
  return sample && factorOf(vectors, sample);
}

/** Gives a gallery the measure that was worked out from its binary file. */
export function setMeasure(gallery: Gallery, measure: Measure | null): void {
  (gallery as Loaded).measure = measure;
}

/** Reads a gallery: the JSON and the binary file. Throws an Error when they do not belong together. */
export function loadGallery(description: unknown, bytes: Uint8Array): Gallery {
  const file = description as GalleryFile;
  const numbers = numbersOf(bytes);
  if (file.format !== FORMAT || numbers.vectors.length !== file.size * EDIT_SIZE || numbers.terms.length !== file.terms) throw unfitting();
  const sample = sampleOf(numbers.vectors);
  const loaded: Loaded = { ...numbers, size: file.size, entries: file.entries, words: file.words, same: file.same, sample, measure: null };
  return loaded;
}

const unfitting = (): Error => new Error('the two files of the gallery do not belong together');

function numbersOf(bytes: Uint8Array): Numbers {
  if (bytes.length < 4 * HEAD) throw unfitting();
  const copy = bytes.slice(); // which begins at a place that numbers of four bytes can begin at
  const [size, count] = new Uint32Array(copy.buffer, 0, HEAD);
  const lengths = [4 * HEAD, 4 * size, 4 * (size + 1), 2 * count, count, (size * EDIT_SIZE) / 2];
  if (bytes.length !== lengths.reduce((total, length) => total + length, 0)) throw unfitting();
  const at = lengths.map((_, i) => lengths.slice(0, i).reduce((total, length) => total + length, 0));
  return {
    bounds: new Uint32Array(copy.buffer, at[2], size + 1),
    terms: new Uint16Array(copy.buffer, at[3], count),
    counts: new Int8Array(copy.buffer, at[4], count),
    vectors: unpacked(new Uint8Array(copy.buffer, at[5]), new Float32Array(copy.buffer, at[1], size)),
  };
}

/** The vectors of all edits, one after the other, from their codes of four bits. */
function unpacked(codes: Uint8Array, scales: Float32Array): Float32Array {
  const vectors = new Float32Array(2 * codes.length);
  const half = EDIT_SIZE / 2;
  for (let entry = 0, at = 0; entry < scales.length; entry++) {
    const scale = scales[entry];
    for (const end = at + half; at < end; at++) {
      vectors[2 * at] = ((codes[at] << 28) >> 28) * scale;
      vectors[2 * at + 1] = ((codes[at] << 24) >> 28) * scale;
    }
  }
  return vectors;
}

const weightOf = (count: number): number => Math.sign(count) * Math.log1p(Math.abs(count));

/** Words that an edit changed: weights by number of the term, sign × log(1 + count) × idf², and what they amount to. */
interface Question {
  readonly weights: ReadonlyMap<number, number>;
  readonly words: number;
  readonly length: number;
  readonly added: number;
  readonly removed: number;
}

/** A gallery made ready to be searched. */
export class GalleryIndex {
  private readonly gallery: Loaded;
  private readonly words: Words;
  private readonly blend: Tables['blend'];
  private readonly suffix: string;
  private readonly reranker: Reranker;
  private readonly numbers: ReadonlyMap<string, number>;
  private readonly idf: Float64Array;
  private readonly lengths: Float64Array;
  private readonly places: readonly (readonly string[])[];
  private readonly placeIdf = new Map<string, number>();
  private readonly parts = new Map<number, PlaceParts>();
  /** What was asked for last is asked for again: for the search, and for the place on a map. */
  private last: { readonly vector: Vector; readonly whitened: Vector } | null = null;

  constructor(gallery: Gallery, words: Words, tables: Tables) {
    this.gallery = gallery as Loaded;
    this.words = words;
    this.blend = tables.blend;
    this.suffix = tables.sourceSuffix;
    this.reranker = new Reranker(tables, this.gallery.same);
    const { size, bounds, terms, counts } = this.gallery;
    this.numbers = new Map(this.gallery.words.map((word, number) => [word, number]));
    const found = new Float64Array(this.gallery.words.length);
    for (const term of terms) found[term]++;
    this.idf = found.map((documents) => this.idfOf(documents));
    this.lengths = Float64Array.from({ length: size }, (_, entry) => {
      let squares = 0;
      for (let i = bounds[entry]; i < bounds[entry + 1]; i++) squares += (weightOf(counts[i]) * this.idf[terms[i]]) ** 2;
      return Math.sqrt(squares);
    });
    this.places = gallery.entries.map((entry) => this.placeWords(entry));
    const near = new Map<string, number>();
    for (const place of this.places) for (const word of place) near.set(word, (near.get(word) ?? 0) + 1);
    for (const [word, documents] of near) this.placeIdf.set(word, this.idfOf(documents));
  }

  /** The nearest by the whitened cosine alone. */
  nearestTo(vector: Vector, most: number): Near[] {
    return this.meanings(vector)
      .sort((a, b) => b.meaning - a.meaning || a.entry - b.entry)
      .slice(0, most)
      .map((near) => ({ ...near, score: near.meaning }));
  }

  /** The likeliest; `changed`: net counts of the words that the edit changed. */
  nearest(
    vector: Vector,
    changed: ReadonlyMap<string, number>,
    edit: Edited,
    most: number,
    allowed: (entry: number) => boolean,
  ): Near[] {
    const question = this.weighed(changed);
    const where = this.weighedPlace(edit);
    const { blend } = this;
    const found = this.meanings(vector)
      .filter(({ entry }) => allowed(entry))
      .map((near): Near => {
        const [signed, unsigned] = this.wordParts(near.entry, question);
        const around = this.placePart(near.entry, where);
        const score = blend.meaning * near.meaning + blend.signed * signed + blend.unsigned * unsigned + blend.place * around;
        return { ...near, score, signed, unsigned, place: around };
      })
      .sort((a, b) => b.score - a.score || a.entry - b.entry);
    const kind: Kind = !edit.before ? 'added' : edit.after ? 'modified' : 'removed';
    const asked = edit.definition ? { place: this.reranker.placeOf(edit), kind, words: question.words } : null;
    return this.ranked(found, asked, question)
      .slice(0, most)
      .map((near) => ({ ...near, shared: this.shared(near.entry, question) }));
  }

  private meanings(vector: Vector): Near[] {
    const { size, vectors } = this.gallery;
    const query = this.whitened(vector);
    return Array.from({ length: size }, (_, entry): Near => {
      let meaning = 0;
      const at = entry * EDIT_SIZE;
      for (let i = 0; i < EDIT_SIZE; i++) meaning += query[i] * vectors[at + i];
      return { entry, score: 0, meaning, signed: 0, unsigned: 0, place: 0, shared: [] };
    });
  }

  /** The vector whose product with a stored one says how much these are alike; an edit is 1 like itself. */
  private whitened(vector: Vector): Vector {
    if (this.last?.vector === vector) return this.last.whitened;
    const { vectors, sample, measure } = this.gallery;
    if (!sample) return vector;
    const found = measure ? solved(measure, vector) : iterated(vectors, sample, vector);
    let itself = 0;
    for (let i = 0; i < EDIT_SIZE; i++) itself += vector[i] * found[i];
    const whitened = itself > 0 ? Float32Array.from(found, (value) => value / itself) : vector;
    this.last = { vector, whitened };
    return whitened;
  }

  /** Past edits in the order of the blend, the first of them ranked anew; of equal ones the newest first. */
  private ranked(found: readonly Near[], asked: Asked | null, question: Question): Near[] {
    const first = found.slice(0, this.reranker.considered);
    const odds = first.map((near) => (asked ? this.reranker.odds(this.compared(near, question), asked) : this.reranker.plainOdds(near)));
    const chances = following(odds, found.map(({ score }) => score));
    const date = ({ entry }: Near): number => this.gallery.entries[entry].time;
    const order = [...first.keys()].sort((a, b) => odds[b] - odds[a] || date(first[b]) - date(first[a]) || first[a].entry - first[b].entry);
    const scored = found.map((near, i) => ({ ...near, score: chances[i] }));
    return [...order.map((i) => scored[i]), ...scored.slice(order.length)];
  }

  private compared(near: Near, question: Question): Compared {
    const { entry } = near;
    const { bounds, entries } = this.gallery;
    let place = this.parts.get(entry);
    if (!place) this.parts.set(entry, (place = this.reranker.placeOf(entries[entry])));
    const [added, removed] = this.apart(entry, question);
    return { near, added, removed, words: bounds[entry + 1] - bounds[entry], place, kind: entries[entry].kind };
  }

  private idfOf(documents: number): number {
    return Math.log1p(Math.max(1, this.gallery.size) / Math.max(documents, 1));
  }

  private weighed(changed: ReadonlyMap<string, number>): Question {
    const weights = new Map<number, number>();
    let [added, removed] = [0, 0];
    for (const [word, count] of changed) {
      const number = this.numbers.get(word);
      const idf = number === undefined ? this.idfOf(0) : this.idf[number];
      const weight = weightOf(Math.max(-127, Math.min(127, count)));
      if (weight > 0) added += (weight * idf) ** 2;
      else removed += (weight * idf) ** 2;
      if (number !== undefined) weights.set(number, weight * idf * idf);
    }
    const [length, own, gone] = [added + removed, added, removed].map(Math.sqrt);
    return { weights, words: changed.size, length, added: own, removed: gone };
  }

  private wordParts(entry: number, question: Question): [number, number] {
    const { bounds, terms, counts } = this.gallery;
    const norm = this.lengths[entry] * question.length;
    let [signed, unsigned] = [0, 0];
    if (norm)
      for (let i = bounds[entry]; i < bounds[entry + 1]; i++) {
        const weight = question.weights.get(terms[i]);
        if (weight === undefined) continue;
        const product = weight * weightOf(counts[i]);
        signed += product;
        unsigned += Math.abs(product);
      }
    return norm ? [signed / norm, unsigned / norm] : [0, 0];
  }

  /** Cosines of the words that both added, and of those that both removed; 0 where either has none of them. */
  private apart(entry: number, question: Question): [number, number] {
    const { bounds, terms, counts } = this.gallery;
    const products = [0, 0];
    const squares = [0, 0];
    for (let i = bounds[entry]; i < bounds[entry + 1]; i++) {
      const own = weightOf(counts[i]);
      const side = own > 0 ? 0 : 1;
      squares[side] += (own * this.idf[terms[i]]) ** 2;
      const weight = question.weights.get(terms[i]) ?? 0;
      if (weight * own > 0) products[side] += weight * own;
    }
    const cosine = (side: number, length: number): number => (squares[side] && length ? products[side] / Math.sqrt(squares[side]) / length : 0);
    return [cosine(0, question.added), cosine(1, question.removed)];
  }

  private shared(entry: number, question: Question): string[] {
    const { bounds, terms, counts, words } = this.gallery;
    const found: [number, string][] = [];
    for (let i = bounds[entry]; i < bounds[entry + 1]; i++) {
      const weight = question.weights.get(terms[i]);
      if (weight !== undefined) found.push([Math.abs(weight * weightOf(counts[i])), words[terms[i]]]);
    }
    return found
      .sort((a, b) => b[0] - a[0])
      .slice(0, MOST_SHARED)
      .map(([, word]) => word);
  }

  private placeWords({ path, definition }: Place): readonly string[] {
    const stem = path.endsWith(this.suffix) ? path.slice(0, -this.suffix.length) : path;
    const words = [...this.words.splitIdentifier(stem), ...this.words.splitIdentifier(definition.split('#')[0])];
    return [...new Set(words)];
  }

  private weighedPlace(place: Place): ReadonlyMap<string, number> {
    return new Map(this.placeWords(place).map((word) => [word, this.placeIdf.get(word) ?? this.idfOf(0)]));
  }

  private placePart(entry: number, asked: ReadonlyMap<string, number>): number {
    let product = 0;
    let [own, other] = [0, 0];
    for (const word of this.places[entry]) {
      const idf = this.placeIdf.get(word)!;
      own += idf * idf;
      if (asked.has(word)) product += idf * idf;
    }
    for (const idf of asked.values()) other += idf * idf;
    return own && other ? product / Math.sqrt(own * other) : 0;
  }
}

/** `codewm_lsp.index.whitening`, of vectors one after the other. */
function sampleOf(vectors: Float32Array): Sample | null {
  const edits = vectors.length / EDIT_SIZE;
  if (edits < FEWEST || edits > MOST) return null;
  let ladder = FEWEST;
  while (Math.floor(ladder * STEP) <= edits) ladder = Math.floor(ladder * STEP);
  const count = Math.min(ladder, SAMPLE);
  const rows = Uint32Array.from({ length: count }, (_, i) => EDIT_SIZE * Math.floor((i * (ladder - 1)) / (count - 1)));
  const mean = new Float64Array(EDIT_SIZE);
  let squares = 0;
  for (const row of rows)
    for (let j = 0; j < EDIT_SIZE; j++) {
      const value = vectors[row + j];
      mean[j] += value;
      squares += value * value;
    }
  let ofMean = 0;
  for (let j = 0; j < EDIT_SIZE; j++) ofMean += (mean[j] /= count) ** 2;
  const trace = squares / count - ofMean;
  return { rows, mean, shift: Math.max(((SHRINKAGE / count) * trace) / EDIT_SIZE, 1e-6) };
}

function factorOf(vectors: Float32Array, { rows, mean, shift }: Sample): Measure {
  const count = rows.length;
  const width = EDIT_SIZE;
  const columns = new Float32Array(width * count); // one column of the sample after the other
  for (let i = 0; i < count; i++) for (let j = 0; j < width; j++) columns[j * count + i] = vectors[rows[i] + j] - mean[j];
  const covariance = new Float64Array(width * width); // its lower triangle, and a little more
  for (let begin = 0; begin < width; begin += PANEL) {
    const panel = new Float32Array(count * PANEL);
    for (let j = 0; j < PANEL; j++) for (let i = 0; i < count; i++) panel[i * PANEL + j] = columns[(begin + j) * count + i];
    const below = columns.subarray(begin * count);
    const products = multiply(tensor([1, width - begin, count], below), tensor([1, count, PANEL], panel)).data;
    for (let i = begin; i < width; i++)
      for (let j = 0; j < PANEL; j++) covariance[i * width + begin + j] = products[(i - begin) * PANEL + j] / count;
  }
  for (let i = 0; i < width; i++) covariance[i * width + i] += shift;
  return cholesky(covariance, width);
}

/**
 * The inverse of the shrunk covariance times a vector, by conjugate gradients. The covariance itself is never made: for
 * one vector, that would take ten times as long.
 */
function iterated(vectors: Float32Array, { rows, mean, shift }: Sample, vector: Vector): Float64Array {
  const width = EDIT_SIZE;
  const found = new Float64Array(width);
  const rest = Float64Array.from(vector);
  const way = rest.slice();
  const product = new Float64Array(width);
  let square = rest.reduce((sum, value) => sum + value * value, 0);
  const enough = square * RESIDUAL ** 2;
  for (let step = 0; step < MOST_STEPS && square > enough; step++) {
    let middle = 0;
    for (let j = 0; j < width; j++) middle += mean[j] * way[j];
    product.fill(0);
    let sum = 0;
    for (const row of rows) {
      let [a, b, c, d] = [0, 0, 0, 0]; // sums of their own, which do not wait for each other
      for (let j = 0; j < width; j += 4) {
        a += vectors[row + j] * way[j];
        b += vectors[row + j + 1] * way[j + 1];
        c += vectors[row + j + 2] * way[j + 2];
        d += vectors[row + j + 3] * way[j + 3];
      }
      const along = a + b + c + d - middle;
      sum += along;
      for (let j = 0; j < width; j++) product[j] += along * vectors[row + j];
    }
    let curved = 0;
    for (let j = 0; j < width; j++) {
      product[j] = shift * way[j] + (product[j] - sum * mean[j]) / rows.length;
      curved += product[j] * way[j];
    }
    const length = square / curved;
    let next = 0;
    for (let j = 0; j < width; j++) {
      found[j] += length * way[j];
      rest[j] -= length * product[j];
      next += rest[j] * rest[j];
    }
    for (let j = 0; j < width; j++) way[j] = rest[j] + (next / square) * way[j];
    square = next;
  }
  return found;
}

function solved(factor: Measure, vector: Vector): Float64Array {
  const width = EDIT_SIZE;
  const found = Float64Array.from(vector);
  for (let i = 0; i < width; i++) {
    let sum = found[i];
    for (let j = 0; j < i; j++) sum -= factor[i * width + j] * found[j];
    found[i] = sum / factor[i * width + i];
  }
  for (let i = width - 1; i >= 0; i--) {
    const value = (found[i] /= factor[i * width + i]);
    for (let j = 0; j < i; j++) found[j] -= factor[i * width + j] * value;
  }
  return found;
}

function cholesky(matrix: Measure, width: number): Measure {
  for (let i = 0; i < width; i++)
    for (let j = 0; j <= i; j++) {
      let sum = matrix[i * width + j];
      for (let k = 0, p = i * width, q = j * width; k < j; k++) sum -= matrix[p + k] * matrix[q + k];
      matrix[i * width + j] = i === j ? Math.sqrt(sum) : sum / matrix[j * width + j];
    }
  return matrix;
}
