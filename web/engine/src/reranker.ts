/**
 * How like an edit the first of the past edits are, from what relates the two: `codewm_lsp.index.reranker`. The weights
 * are the package's own; scripts/web_data.py writes them into the tables.
 */

import { KINDS, type Kind, type Near, type Place } from './api.ts';
import type { Tables } from './tables.ts';

/** What is known of one past edit beside the parts of its score. */
export interface Compared {
  readonly near: Near;
  /** Likeness of what both added, and of what both removed. */
  readonly added: number;
  readonly removed: number;
  /** Different words that it changed. */
  readonly words: number;
  readonly place: PlaceParts;
  readonly kind: Kind;
}

/** The edit that is asked about. */
export interface Asked {
  readonly place: PlaceParts;
  readonly kind: Kind;
  readonly words: number;
}

/** Where an edit was made, in parts: its class with the file ('' where there is none), and its last name. */
export interface PlaceParts {
  readonly path: string;
  readonly folder: string;
  readonly container: string;
  readonly name: string;
  readonly isTest: boolean;
}

type Relate = (past: Compared, asked: Asked) => number | boolean;

const RELATE: Readonly<Record<string, Relate>> = {
  meaning: ({ near }) => Math.min(near.meaning, 1),
  signed: ({ near }) => near.signed,
  unsigned: ({ near }) => near.unsigned,
  place: ({ near }) => near.place,
  added: ({ added }) => added,
  removed: ({ removed }) => removed,
  'same path': ({ place }, asked) => place.path === asked.place.path,
  'same folder': ({ place }, asked) => place.folder === asked.place.folder,
  'same name': ({ place }, asked) => place.name === asked.place.name,
  'same class': ({ place }, asked) => place.container !== '' && place.container === asked.place.container,
  'both tests or neither': ({ place }, asked) => place.isTest === asked.place.isTest,
  'same kind': ({ kind }, asked) => kind === asked.kind,
  'words asked': (_, asked) => Math.log1p(asked.words) / 5,
  'words past': ({ words }) => Math.log1p(words) / 5,
  'difference in words': ({ words }, asked) => Math.abs(Math.log1p(words) - Math.log1p(asked.words)) / 3,
  ...Object.fromEntries(KINDS.map((kind) => [`asked: ${kind}`, (_: Compared, asked: Asked) => asked.kind === kind])),
};

/** Relations → log-odds, through one hidden layer of rectified sums. */
export class Reranker {
  /** Past edits, the first by the blend, that are ranked anew; the others come after them. */
  readonly considered: number;
  private readonly tables: Tables['reranker'];
  private readonly related: readonly Relate[];
  private readonly tests: Tables['tests'];
  private readonly same: number;

  /** `same`: likeness of vectors, as the gallery keeps them, from which edits of the same words are the same. */
  constructor({ reranker, tests }: Tables, same = reranker.same) {
    const unknown = reranker.relations.filter((name) => !RELATE[name]);
    if (unknown.length) throw new Error(`the tables relate edits by what this engine does not know: ${unknown.join(', ')}`);
    this.tables = reranker;
    this.tests = tests;
    this.same = same;
    this.related = reranker.relations.map((name) => RELATE[name]);
    this.considered = reranker.considered;
  }

  /** In whole steps of log-odds: what differs by less is equally like. The same edit made elsewhere is certain. */
  odds(past: Compared, asked: Asked): number {
    if (this.isSame(past.near)) return this.rounded(this.tables.certain);
    return this.oddsOf(this.related.map((relate) => Number(relate(past, asked))));
  }

  /** Those of a blended score alone, for where no definition is named: the network knows edits of definitions. */
  plainOdds(near: Near): number {
    const [slope, offset] = this.tables.plain;
    return this.rounded(this.isSame(near) ? this.tables.certain : slope * near.score + offset);
  }

  private isSame({ meaning, signed }: Near): boolean {
    return meaning >= this.same && signed >= this.tables.same;
  }

  private oddsOf(relations: readonly number[]): number {
    const { weights, bias, output, offset } = this.tables;
    const hidden = bias.length;
    let sum = offset;
    for (let i = 0; i < hidden; i++) {
      let value = bias[i];
      for (let j = 0; j < relations.length; j++) value += relations[j] * weights[j * hidden + i];
      sum += Math.max(value, 0) * output[i];
    }
    return this.rounded(sum);
  }

  private rounded(odds: number): number {
    const { certain, step } = this.tables;
    return Math.round(Math.max(-certain, Math.min(certain, odds)) / step) * step;
  }

  placeOf({ path, definition }: Place): PlaceParts {
    const qualified = definition.split('#')[0];
    const [folder, dot] = [path.lastIndexOf('/'), qualified.lastIndexOf('.')];
    return {
      path,
      folder: path.slice(0, Math.max(0, folder)),
      container: dot > 0 ? `${path}\0${qualified.slice(0, dot)}` : '',
      name: qualified.slice(dot + 1),
      isTest: this.isTest(path),
    };
  }

  private isTest(path: string): boolean {
    const { prefix, endings, stems, folders, suffix } = this.tests;
    const parts = path.toLowerCase().split('/');
    const last = parts.pop() ?? '';
    const stem = last.endsWith(suffix) ? last.slice(0, -suffix.length) : last;
    return (
      stem.startsWith(prefix) ||
      endings.some((ending) => stem.endsWith(ending)) ||
      stems.includes(stem) ||
      parts.some((part) => folders.includes(part))
    );
  }
}

/**
 * The chances of past edits in the order of the blend, of which the first have these log-odds: none of the others is
 * likelier than any of these, and they fall as their blended scores do.
 */
export function following(odds: readonly number[], blended: readonly number[]): number[] {
  const chances = odds.map((one) => 1 / (1 + Math.exp(-one)));
  const least = Math.min(...chances);
  const last = Math.max(blended[odds.length - 1] ?? 0, 1e-6);
  return blended.map((score, i) => chances[i] ?? least * Math.max(0, Math.min(1, score / last)));
}
