/** What the tests read: built by scripts/web_data.py, shipped with CodeWM, or installed from npm. */

import { readFileSync } from 'node:fs';
import { loadEngine, type Engine, type EngineFiles, type Tables } from '../src/index.ts';

const ROOT = new URL('../../../', import.meta.url);
const MODEL = 'codewm_lsp/models/base-3/';
const NPM = 'web/engine/node_modules/';

export const file = (path: string): Uint8Array => new Uint8Array(readFileSync(new URL(path, ROOT)));
export const json = (path: string): unknown => JSON.parse(readFileSync(new URL(path, ROOT), 'utf8'));

export function engineFiles(): EngineFiles {
  const names = ['model.json', 'words.bin', 'state.onnx', 'edit.onnx', 'transition.onnx', 'next.onnx'];
  return {
    bundle: Object.fromEntries(names.map((name) => [name, file(MODEL + name)])),
    treeSitter: file(`${NPM}web-tree-sitter/web-tree-sitter.wasm`),
    grammar: file(`${NPM}tree-sitter-python/tree-sitter-python.wasm`),
    tables: json('build/web/tables.json') as Tables,
  };
}

let loaded: Promise<Engine> | undefined;
export const engine = (): Promise<Engine> => (loaded ??= loadEngine(engineFiles()));

export interface Vectors {
  readonly texts: readonly {
    readonly text: string;
    readonly ids: readonly number[];
    readonly depths: readonly number[];
    readonly leaves: readonly (readonly [string, number, number])[];
    readonly definitions: readonly (readonly [string, string, number, number, number, string])[];
    readonly state: string;
  }[];
  readonly edits: readonly {
    readonly before: string;
    readonly after: string;
    readonly vector: string;
    readonly action: string;
    readonly largest: readonly [string, string];
    readonly changed: readonly (readonly [string, number])[];
    readonly context: readonly (readonly [string, number])[];
  }[];
  readonly next: readonly {
    readonly texts: readonly string[];
    readonly recent: readonly string[];
    readonly vectors: readonly string[];
    readonly logits: readonly number[];
    readonly actions: readonly string[];
  }[];
  readonly rollOuts: readonly { readonly text: string; readonly actions: readonly string[]; readonly states: readonly string[] }[];
  readonly similar: {
    readonly gallery: unknown;
    readonly bytes: string;
    readonly answers: readonly {
      readonly before: string;
      readonly after: string;
      readonly path: string;
      readonly definition: string;
      readonly entries: readonly number[];
      readonly scores: readonly number[];
      /** The first by vectors that are not rounded to four bits. */
      readonly unrounded: readonly number[];
    }[];
  };
  readonly whitening: { readonly gallery: unknown; readonly bytes: string; readonly query: string; readonly products: readonly number[] };
}

export const vectors = json('build/web/vectors.json') as Vectors;

export const bytes = (base64: string): Uint8Array => new Uint8Array(Buffer.from(base64, 'base64'));
export const floats = (base64: string): Float32Array => new Float32Array(bytes(base64).buffer);

/** The largest difference between the numbers of two lists of one length. */
export function difference(one: ArrayLike<number>, other: ArrayLike<number>): number {
  if (one.length !== other.length) return Infinity;
  let largest = 0;
  for (let i = 0; i < one.length; i++) {
    const apart = Math.abs(one[i] - other[i]);
    if (!(apart <= largest)) largest = apart;
  }
  return largest;
}
