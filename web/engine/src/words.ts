/** Leaves → words, and what a word is: `codewm_lsp.source.words` and the half of `world_model.features` about words. */

import type { Leaf } from './api.ts';
import type { Tables } from './tables.ts';
import { blake2b64, first, length, Memory } from './text.ts';

const PARTS = /[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\p{Nd}+|(?:(?![\p{Nd}a-zA-Z])[\p{L}\p{N}])+/gu;
const PIECES = /[\p{L}\p{N}][\p{L}\p{N}_]*/gu;
const LONGEST_NAME = 96;
/** Numbers of a lexical sum. */
export const LEXICAL = 256;
const DIRECTIONS = 20_000;
const MASK = (1n << 64n) - 1n;

/** What is known of a word whatever the edit. */
export interface Sort {
  readonly rank: number;
  readonly identity: number;
  readonly level: number;
  /** Whether it is a compound, whether it is a number, and its length, each as one number. */
  readonly shape: readonly [number, number, number];
}

export class Words {
  private readonly tables: Tables;
  private readonly ranks: ReadonlyMap<number, number>;
  private readonly digits: RegExp;
  private readonly hashes = new Memory<string, readonly [number, number]>(65_536);
  private readonly sorts = new Memory<string, Sort>(65_536);
  private readonly split = new Memory<string, readonly string[]>(32_768);
  private readonly signs = new Memory<string, Int8Array>(DIRECTIONS);

  /** `common`: the bundle's words.bin, 32-bit hashes of the common words, the commonest first. */
  constructor(tables: Tables, common: Uint8Array) {
    this.tables = tables;
    const view = new DataView(common.buffer, common.byteOffset, common.byteLength);
    this.ranks = new Map(Array.from({ length: common.length >> 2 }, (_, rank) => [view.getUint32(4 * rank, true), rank]));
    this.digits = new RegExp(`^[\\p{Nd}${tables.digits}]`, 'u');
  }

  splitIdentifier(identifier: string): readonly string[] {
    return this.split.get(identifier, () =>
      (identifier.match(PARTS) ?? []).map((part) => first(part.toLowerCase(), this.tables.limits.word)),
    );
  }

  /** The words of one leaf: several for a compound name or a sentence, one for a number, a keyword, an operator. */
  ofLeaf(leaf: Pick<Leaf, 'text' | 'role'>): readonly string[] {
    switch (leaf.role) {
      case 'string':
      case 'docstring':
      case 'comment':
        return (leaf.text.match(PIECES) ?? []).flatMap((piece) => this.splitIdentifier(piece));
      case 'number':
      case 'syntax':
        return [first(leaf.text.toLowerCase(), this.tables.limits.word)];
      default:
        return this.splitIdentifier(leaf.text);
    }
  }

  /** The words a name contributes: its parts, and itself when it has several. */
  ofName(identifier: string): readonly string[] {
    const parts = this.splitIdentifier(identifier);
    return parts.length > 1 ? [...parts, `=${first(identifier, LONGEST_NAME)}`] : parts;
  }

  sort(word: string): Sort {
    return this.sorts.get(word, () => {
      const { identities, levels } = this.tables;
      const rank = this.ranks.get(this.hash(word)[0]) ?? -1;
      const level = rank < 0 ? 0 : Math.min(levels - 1, Math.max(1, 32 - Math.clz32(rank + 1) - 5));
      const size = Math.min(length(word), 24) / 12 - 1;
      const isNumber = this.digits.test(word);
      const identity = rank >= 0 && rank < identities ? rank + 1 : 0;
      return { rank, identity, level, shape: [word.startsWith('=') ? 1 : 0, isNumber ? 1 : 0, size] };
    });
  }

  private hash(word: string): readonly [number, number] {
    return this.hashes.get(word, () => blake2b64(word));
  }

  /** The fixed random direction of a word: signs from SplitMix64 seeded with its hash. */
  direction(word: string): Int8Array {
    return this.signs.get(word, () => {
      const [low, high] = this.hash(word);
      const seed = (BigInt(high) << 32n) | BigInt(low);
      const signs = new Int8Array(LEXICAL);
      for (let number = 0; number < LEXICAL / 64; number++) {
        let state = (seed + BigInt(number + 1) * 0x9e3779b97f4a7c15n) & MASK;
        state = ((state ^ (state >> 30n)) * 0xbf58476d1ce4e5b9n) & MASK;
        state = ((state ^ (state >> 27n)) * 0x94d049bb133111ebn) & MASK;
        state ^= state >> 31n;
        for (let byte = 0; byte < 8; byte++) {
          const bits = Number((state >> BigInt(8 * byte)) & 255n);
          for (let bit = 0; bit < 8; bit++) signs[number * 64 + byte * 8 + bit] = (bits >> (7 - bit)) & 1 ? 1 : -1;
        }
      }
      return signs;
    });
  }

  /** Adds weight × direction of a word. */
  addDirection(sum: Float32Array | Float64Array, word: string, weight: number): void {
    if (!weight) return;
    const signs = this.direction(word);
    for (let i = 0; i < LEXICAL; i++) sum[i] += weight * signs[i];
  }
}
