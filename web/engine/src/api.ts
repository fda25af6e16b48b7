/**
 * The model of CodeWM without a server: Python code in; tokens, vectors of edits, similar edits and predictions out.
 *
 * Everything is synchronous once the engine is loaded and belongs into a worker. Answers are those of the Python
 * package (`codewm_lsp.world_model`), which the tests hold them against.
 */

/** A vector of numbers; its length is said where it is used. */
export type Vector = Float32Array;

/** Numbers of an edit's vector. */
export const EDIT_SIZE = 768;
/** Numbers of a definition's state, as the transition predictor reads and gives it. */
export const STATE_SIZE = 128;
/** Numbers of an edit's rich action. */
export const ACTION_SIZE = 15;

/** What `loadEngine` needs, all of it bytes, so that nothing is fetched: a page may have them in itself. */
export interface EngineFiles {
  /** The files of a bundle (`codewm_lsp/models/base-3`) by name: model.json, words.bin and the four graphs. */
  readonly bundle: Readonly<Record<string, Uint8Array>>;
  /** web-tree-sitter.wasm of the npm package web-tree-sitter. */
  readonly treeSitter: Uint8Array;
  /** tree-sitter-python.wasm of the npm package tree-sitter-python. */
  readonly grammar: Uint8Array;
  /** tables.json as scripts/web_data.py writes it: the vocabulary and what else Python says of Python. */
  readonly tables: Tables;
}

/** The tables that Python exports. Their shape is the engine's own business. */
export type Tables = Readonly<Record<string, unknown>>;

/** The part a leaf plays in its definition, in the order of `codewm_lsp.source.LeafRole`. */
export const ROLES = [
  'variable',
  'name',
  'parameter',
  'keyword',
  'callee',
  'attribute',
  'type',
  'decorator',
  'import',
  'string',
  'docstring',
  'comment',
  'number',
  'syntax',
] as const;
export type Role = (typeof ROLES)[number];

/** A leaf of the syntax tree. `start` and `end` are UTF-16 offsets into the text, `line` counts from 0. */
export interface Leaf {
  readonly text: string;
  readonly role: Role;
  readonly line: number;
  readonly start: number;
  readonly end: number;
}

/** A text as the model reads it: structure tokens in pre-order with their depths, and the leaves of its tree. */
export interface Tokens {
  readonly ids: readonly number[];
  readonly depths: readonly number[];
  readonly leaves: readonly Leaf[];
  /** Places where the text does not follow the grammar. */
  readonly errors: number;
}

/** What the model makes of one word of an edit. */
export interface Word {
  /** The word; a compound identifier counts once more as a whole, written `=get_timeout`. */
  readonly word: string;
  readonly role: Role;
  readonly removed: number;
  readonly added: number;
  /** How often it stands in lines of the definition that did not change. */
  readonly unchanged: number;
  /** Whether many repositories share the word; of another the model sees only that it is rare. */
  readonly common: boolean;
  /** Gates, 0 or more: what the word weighs in the signed and in the unsigned sum. 0 for words that did not change. */
  readonly signed: number;
  readonly unsigned: number;
  /** What it says of the place. */
  readonly place: number;
}

/** An edit as the model sees it. */
export interface EncodedEdit {
  /** EDIT_SIZE numbers, of length 1; all 0 where the tokens do not differ. */
  readonly vector: Vector;
  /** Whether the two texts differ in nothing that tokens show. */
  readonly empty: boolean;
  readonly words: readonly Word[];
  /** The rich action, ACTION_SIZE numbers named by `ACTION_NAMES`. */
  readonly action: Vector;
  /** The largest changed definition, before and after: what the two states are of. */
  readonly before: string;
  readonly after: string;
  /** The weights of the vector's four parts: signed words, unsigned words, place, learnt. */
  readonly parts: readonly [number, number, number, number];
}

/** Names of the numbers of a rich action. */
export const ACTION_NAMES = [
  'add',
  'delete',
  'modify',
  'function',
  'class',
  'module',
  'location',
  'node_delta',
  'added_functions',
  'removed_functions',
  'modified_functions',
  'added_imports',
  'control_flow',
  'decorator_or_class',
  'size_ratio',
] as const;

/** A definition of a file: lines from 0, `end` one past the last; `source` without nested definitions. */
export interface Definition {
  readonly name: string;
  readonly kind: 'function' | 'method' | 'class' | 'module';
  readonly line: number;
  readonly start: number;
  readonly end: number;
  readonly source: string;
}

/** Where an edit was made: what a score knows beside its texts. Empty strings say nothing. */
export interface Place {
  readonly path: string;
  readonly definition: string;
}

/** An edit of one definition, by its own texts; one of them is empty where it was not there. */
export interface Edited extends Place {
  readonly before: string;
  readonly after: string;
}

/** Past edits to search. `scripts/web_data.py` writes the file that `loadGallery` reads. */
export interface Gallery {
  readonly size: number;
  readonly entries: readonly GalleryEntry[];
}

/** What happened to a definition, in the order of `codewm_lsp.history.EditKind`. */
export const KINDS = ['added', 'modified', 'removed'] as const;
export type Kind = (typeof KINDS)[number];

/** One past edit. */
export interface GalleryEntry {
  readonly commit: string;
  readonly subject: string;
  readonly author: string;
  /** Seconds since 1970. */
  readonly time: number;
  readonly path: string;
  readonly definition: string;
  readonly kind: Kind;
  /** Own texts of the definition; empty where it was not there, or where the gallery was written without diffs. */
  readonly before: string;
  readonly after: string;
}

/** A past edit that is near, and why. `meaning` to `place` are 1 for an edit that is like itself. */
export interface Near {
  readonly entry: number;
  /**
   * How likely it is, 0 to 1, that the past edit fits. Of `nearestTo`: its `meaning`.
   */
  readonly score: number;
  readonly meaning: number;
  readonly signed: number;
  readonly unsigned: number;
  readonly place: number;
  /** Words that both edits changed, those that weigh most first. */
  readonly shared: readonly string[];
}

/** An edit that the model expects on a definition. */
export interface Predicted {
  /** EDIT_SIZE numbers, of length 1. */
  readonly vector: Vector;
  /** The larger, the likelier is an edit of this definition. */
  readonly logit: number;
  /** The rich action that is expected. */
  readonly action: Vector;
}

/** The loaded model. Not to be used by two callers at a time. */
export interface Engine {
  readonly name: string;
  tokenise(text: string): Tokens;
  definitions(text: string): readonly Definition[];
  encodeEdit(before: string, after: string): EncodedEdit;
  /** The state of a definition, STATE_SIZE numbers. */
  encodeState(text: string): Vector;
  /** The state after one action, ACTION_SIZE numbers, from a state that may itself be predicted. */
  predict(state: Vector, action: Vector): Vector;
  /** The states after each of some actions, one after the other, every one from the predicted state before. */
  rollOut(state: Vector, actions: readonly Vector[]): Vector[];
  /** What comes next on each of some definitions, after the vectors of recent edits, newest first (1 to 6 count). */
  predictNext(texts: readonly string[], recent: readonly Vector[]): Predicted[];
  /**
   * The `count` past edits most like an edit, of which `vector` is the vector, best first: those with the best blend of the parts, the first hundred
   * ranked anew, as in an editor. Where no definition is named, the blend alone decides. `allowed`: which past edits may be among
   * them (all).
   */
  nearest(gallery: Gallery, vector: Vector, edit: Edited, count: number, allowed?: (entry: number) => boolean): Near[];
  /** The same by a vector alone, such as a predicted edit's: the whitened cosine, and no words. */
  nearestTo(gallery: Gallery, vector: Vector, count: number): Near[];
}
