/** Past edits, and the search among them: `codewm_lsp.index` without what it needs for very many. */

import { EDIT_SIZE, type Gallery, type GalleryEntry, type Near, type Place, type Vector } from './api.ts';
import { multiply } from './multiply.ts';
import type { Tables } from './tables.ts';
import { tensor } from './tensor.ts';
import type { Words } from './words.ts';

const FEWEST = 100;
const MOST = 100_000;
const SAMPLE = 2000;
const SHRINKAGE = 3000;
const STEP = 1.5;
const MOST_SHARED = 6;
const PANEL = 192; // columns of the covariance that are computed at once

/** What scripts/web_data.py writes beside the binary file. */
interface GalleryFile {
  readonly format: number;
  readonly size: number;
  readonly entries: readonly GalleryEntry[];
  readonly words: readonly string[];
  readonly terms: number;
}

/** A gallery with the words that its edits changed. */
interface Loaded extends Gallery {
  readonly words: readonly string[];
  /** Where each edit's terms begin. */
  readonly bounds: Uint32Array;
  readonly terms: Uint16Array;
  readonly counts: Int8Array;
  readonly codes: Uint8Array;
  readonly scales: Float32Array;
}

/** Reads a gallery: the JSON and the binary file. Throws an Error when they do not belong together. */
export function loadGallery(description: unknown, bytes: Uint8Array): Gallery {
  const file = description as GalleryFile;
  const { size, terms } = file;
  const lengths = [4 * size, 4 * (size + 1), 2 * terms, terms, (size * EDIT_SIZE) / 2];
  if (file.format !== 1 || bytes.length !== lengths.reduce((total, length) => total + length, 0))
    throw new Error('the two files of the gallery do not belong together');
  const copy = bytes.slice(); // which begins at a place that numbers of four bytes can begin at
  const at = lengths.map((_, i) => lengths.slice(0, i).reduce((total, length) => total + length, 0));
  const codes = new Uint8Array(copy.buffer, at[4]);
  const scales = new Float32Array(copy.buffer, at[0], size);
  const loaded: Loaded = {
    size,
    entries: file.entries,
    words: file.words,
    bounds: new Uint32Array(copy.buffer, at[1], size + 1),
    terms: new Uint16Array(copy.buffer, at[2], terms),
    counts: new Int8Array(copy.buffer, at[3], terms),
    codes,
    scales,
    vector(entry: number): Vector {
      const vector = new Float32Array(EDIT_SIZE);
      const start = (entry * EDIT_SIZE) / 2;
      for (let i = 0; i < EDIT_SIZE / 2; i++) {
        const both = codes[start + i];
        vector[2 * i] = ((both << 28) >> 28) * scales[entry];
        vector[2 * i + 1] = ((both << 24) >> 28) * scales[entry];
      }
      return vector;
    },
  };
  return loaded;
}

const weightOf = (count: number): number => Math.sign(count) * Math.log1p(Math.abs(count));

/** A gallery made ready to be searched. */
export class GalleryIndex {
  private readonly gallery: Loaded;
  private readonly words: Words;
  private readonly blend: Tables['blend'];
  private readonly suffix: string;
  private readonly vectors: Float32Array;
  private readonly whitening: Whitening | null;
  private readonly numbers: ReadonlyMap<string, number>;
  private readonly idf: Float64Array;
  private readonly lengths: Float64Array;
  private readonly places: readonly (readonly string[])[];
  private readonly placeIdf = new Map<string, number>();

  constructor(gallery: Gallery, words: Words, tables: Tables) {
    this.gallery = gallery as Loaded;
    this.words = words;
    this.blend = tables.blend;
    this.suffix = tables.sourceSuffix;
    const { size, bounds, terms, counts } = this.gallery;
    this.vectors = new Float32Array(size * EDIT_SIZE);
    for (let i = 0; i < size; i++) this.vectors.set(gallery.vector(i), i * EDIT_SIZE);
    this.whitening = Whitening.of(this.vectors, size);
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

  /** The best by the blend; `changed`: net counts of the words that the edit changed. */
  nearest(vector: Vector, changed: ReadonlyMap<string, number>, place: Place | undefined, most: number): Near[] {
    const { size } = this.gallery;
    const query = this.whitening ? this.whitening.query(vector) : vector;
    const [asked, length] = this.weighed(changed);
    const scored = Array.from({ length: size }, (_, entry): Near => {
      let meaning = 0;
      const at = entry * EDIT_SIZE;
      for (let i = 0; i < EDIT_SIZE; i++) meaning += query[i] * this.vectors[at + i];
      return { entry, score: 0, meaning, signed: 0, unsigned: 0, place: 0, shared: [] };
    });
    const where = place && this.weighedPlace(place);
    const found = scored.map((near): Near => {
      const [signed, unsigned] = length ? this.wordParts(near.entry, asked, length) : [0, 0];
      const around = where ? this.placePart(near.entry, where) : 0;
      const { blend } = this;
      const score = blend.meaning * near.meaning + blend.signed * signed + blend.unsigned * unsigned + blend.place * around;
      return { ...near, score, signed, unsigned, place: around };
    });
    return found
      .sort((a, b) => b.score - a.score || a.entry - b.entry)
      .slice(0, most)
      .map((near) => ({ ...near, shared: this.shared(near.entry, asked) }));
  }

  private idfOf(documents: number): number {
    return Math.log1p(Math.max(1, this.gallery.size) / Math.max(documents, 1));
  }

  /** Weights by number of the term, sign × log(1 + count) × idf², and the length of the question. */
  private weighed(changed: ReadonlyMap<string, number>): [Map<number, number>, number] {
    const asked = new Map<number, number>();
    let squares = 0;
    for (const [word, count] of changed) {
      const number = this.numbers.get(word);
      const idf = number === undefined ? this.idfOf(0) : this.idf[number];
      const weight = weightOf(Math.max(-127, Math.min(127, count)));
      squares += (weight * idf) ** 2;
      if (number !== undefined) asked.set(number, weight * idf * idf);
    }
    return [asked, Math.sqrt(squares)];
  }

  private wordParts(entry: number, asked: ReadonlyMap<number, number>, length: number): [number, number] {
    const { bounds, terms, counts } = this.gallery;
    const norm = this.lengths[entry] * length;
    let [signed, unsigned] = [0, 0];
    if (norm)
      for (let i = bounds[entry]; i < bounds[entry + 1]; i++) {
        const weight = asked.get(terms[i]);
        if (weight === undefined) continue;
        const product = weight * weightOf(counts[i]);
        signed += product;
        unsigned += Math.abs(product);
      }
    return norm ? [signed / norm, unsigned / norm] : [0, 0];
  }

  private shared(entry: number, asked: ReadonlyMap<number, number>): string[] {
    const { bounds, terms, counts, words } = this.gallery;
    const found: [number, string][] = [];
    for (let i = bounds[entry]; i < bounds[entry + 1]; i++) {
      const weight = asked.get(terms[i]);
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

/** The measure of the gallery's own edits: `codewm_lsp.index.whitening`. */
class Whitening {
  /** Lower triangle of the Cholesky factor of the shrunk covariance, row by row. */
  private readonly factor: Float64Array;

  private constructor(factor: Float64Array) {
    this.factor = factor;
  }

  static of(vectors: Float32Array, edits: number): Whitening | null {
    if (edits < FEWEST || edits > MOST) return null;
    let ladder = FEWEST;
    while (Math.floor(ladder * STEP) <= edits) ladder = Math.floor(ladder * STEP);
    const count = Math.min(ladder, SAMPLE);
    const width = EDIT_SIZE;
    const columns = new Float32Array(width * count); // one column of the sample after the other
    for (let i = 0; i < count; i++) {
      const row = Math.floor((i * (ladder - 1)) / (count - 1));
      for (let j = 0; j < width; j++) columns[j * count + i] = vectors[row * width + j];
    }
    for (let j = 0; j < width; j++) {
      const own = columns.subarray(j * count, (j + 1) * count);
      let sum = 0;
      for (const value of own) sum += value;
      const mean = Math.fround(sum / count);
      for (let i = 0; i < count; i++) own[i] -= mean;
    }
    const covariance = new Float64Array(width * width); // its lower triangle, and a little more
    for (let begin = 0; begin < width; begin += PANEL) {
      const panel = new Float32Array(count * PANEL);
      for (let j = 0; j < PANEL; j++) for (let i = 0; i < count; i++) panel[i * PANEL + j] = columns[(begin + j) * count + i];
      const below = columns.subarray(begin * count);
      const products = multiply(tensor([1, width - begin, count], below), tensor([1, count, PANEL], panel)).data;
      for (let i = begin; i < width; i++)
        for (let j = 0; j < PANEL; j++) covariance[i * width + begin + j] = products[(i - begin) * PANEL + j] / count;
    }
    let trace = 0;
    for (let i = 0; i < width; i++) trace += covariance[i * width + i];
    const shift = Math.max(((SHRINKAGE / count) * trace) / width, 1e-6);
    for (let i = 0; i < width; i++) covariance[i * width + i] += shift;
    return new Whitening(cholesky(covariance, width));
  }

  /** The vector whose product with a stored one says how much these are alike; an edit is 1 like itself. */
  query(vector: Vector): Vector {
    const width = EDIT_SIZE;
    const { factor } = this;
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
    let itself = 0;
    for (let i = 0; i < width; i++) itself += vector[i] * found[i];
    return itself > 0 ? Float32Array.from(found, (value) => value / itself) : vector;
  }
}

function cholesky(matrix: Float64Array, width: number): Float64Array {
  for (let i = 0; i < width; i++)
    for (let j = 0; j <= i; j++) {
      let sum = matrix[i * width + j];
      for (let k = 0, p = i * width, q = j * width; k < j; k++) sum -= matrix[p + k] * matrix[q + k];
      matrix[i * width + j] = i === j ? Math.sqrt(sum) : sum / matrix[j * width + j];
    }
  return matrix;
}
