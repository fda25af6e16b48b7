/** What the panel and its worker say to each other. */

import type { Definition, Leaf } from '../../../engine/src/api.ts';

/** An edit that a visitor can begin with. */
export interface Preset {
  readonly title: string;
  readonly commit: string;
  /** Seconds since 1970. */
  readonly time: number;
  readonly path: string;
  readonly definition: string;
  /** The whole file. */
  readonly before: string;
  readonly after: string;
  /** What the history went on with: the next edits of the same definition, own texts. */
  readonly next: readonly Followed[];
}

/** An edit of one definition, own texts. */
export interface Followed {
  readonly subject: string;
  readonly before: string;
  readonly after: string;
}

export interface Request {
  readonly id: number;
  readonly before: string;
  readonly after: string;
  /** Of the preset whose text before this is: where and when it was edited, and what came next if that edit is unchanged. */
  readonly preset: Pick<Preset, 'path' | 'time' | 'next'> | null;
}

/** A text with its leaves; only its beginning, if it is long. */
export interface Shown {
  readonly text: string;
  readonly cut: boolean;
  readonly leaves: readonly (Pick<Leaf, 'start' | 'end' | 'role'> & { readonly changed: boolean })[];
}

/** What an editor would say above the definition. */
export interface Lens {
  readonly definition: string;
  /** Whether the edit removes it. */
  readonly removed: boolean;
  /** null: the likeliest past edit is not likely enough. */
  readonly title: string | null;
  readonly likeliest: number;
  readonly threshold: number;
}

export interface Similar {
  /** How likely it is that the past edit fits. */
  readonly score: number;
  readonly parts: Readonly<Record<'meaning' | 'signed' | 'unsigned' | 'place', number>>;
  readonly shared: readonly string[];
  readonly subject: string;
  readonly commit: string;
  readonly time: number;
  readonly path: string;
  readonly definition: string;
  readonly diff: readonly DiffLine[];
}

export interface DiffLine {
  readonly sign: ' ' | '+' | '-';
  readonly text: string;
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** A definition of the shown file, and how likely the network alone thinks an edit of it is. */
export interface Next {
  readonly definition: string;
  readonly kind: Definition['kind'];
  readonly line: number;
  readonly share: number;
  /** The past edit that the expected one is most like. */
  readonly like: string;
}

/** An edit that is predicted after the one at hand. */
export interface Expected {
  readonly point: Point | null;
  /** Subject of the past edit that it is most like. */
  readonly like: string;
  /** Cosine with the edit that really followed; null where none is known. */
  readonly right: number | null;
  /** The same of the edit at hand, made once more. */
  readonly copied: number | null;
}

/** One step of the roll-out of states; cosines with the true state after so many edits. */
export interface Step {
  readonly subject: string;
  readonly predicted: number;
  /** Of the state before the first edit: what repeating it would give. */
  readonly copied: number;
}

/** `ms`: null where the stage had nothing to do. */
export type Reply =
  | { readonly kind: 'ready'; readonly edits: number; readonly map: readonly Point[]; readonly ms: number }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'tokens'; readonly id: number; readonly ms: number; readonly before: Shown; readonly after: Shown; readonly count: number }
  | {
      readonly kind: 'edit';
      readonly id: number;
      readonly ms: number;
      readonly empty: boolean;
      /** Whether the text reads as Python; nothing is looked up for another one. */
      readonly python: boolean;
      /** Whether it does not follow the grammar somewhere. */
      readonly broken: boolean;
      readonly definition: string;
      /** How many other definitions are edited. */
      readonly more: number;
      readonly vector: Float32Array;
      readonly parts: readonly number[];
      readonly words: readonly { readonly word: string; readonly common: boolean; readonly net: number; readonly signed: number; readonly unsigned: number }[];
    }
  | { readonly kind: 'nearest'; readonly id: number; readonly ms: number | null; readonly similar: readonly Similar[]; readonly lens: Lens; readonly point: Point | null }
  | { readonly kind: 'next'; readonly id: number; readonly ms: number | null; readonly next: readonly Next[] }
  | {
      readonly kind: 'rolled';
      readonly id: number;
      readonly ms: number | null;
      readonly predicted: readonly Expected[];
      readonly actual: readonly { readonly subject: string; readonly point: Point | null }[];
      readonly steps: readonly Step[];
      /** Cosines of the state before with the state after, by how far all states are drawn to their mean: 0, 0.1 … 1. */
      readonly collapse: readonly number[];
    };
