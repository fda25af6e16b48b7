/** What Python says of Python, as scripts/web_data.py writes it: see there. */

import { KINDS, type Role, type Tables as Unread } from './api.ts';

export interface Tables {
  readonly tokeniserVersion: number;
  readonly vocabularyHash: string;
  readonly featuresVersion: number;
  readonly special: { readonly pad: number; readonly start: number; readonly unknown: number; readonly error: number };
  readonly nodeIds: Readonly<Record<string, number>>;
  readonly syntaxIds: Readonly<Record<string, number>>;
  readonly firstIdentifier: number;
  readonly identifierBuckets: number;
  readonly roles: readonly Role[];
  readonly nodes: {
    readonly comment: string;
    readonly identifier: string;
    readonly string: string;
    readonly texts: readonly string[];
    readonly literals: readonly string[];
    readonly numbers: readonly string[];
    readonly hidden: readonly string[];
    readonly closed: readonly string[];
    readonly transparent: readonly string[];
    readonly statement: string;
    readonly bodies: readonly string[];
    readonly roles: Readonly<Record<string, number | null>>;
    readonly fields: Readonly<Record<string, Readonly<Record<string, number>>>>;
    readonly parameters: readonly string[];
  };
  /** A tree-sitter query: see `Language.parts` in Python. */
  readonly parts: string;
  /** Regular expressions over UTF-8 with a byte a character. */
  readonly lines: Readonly<Record<'header' | 'certainLine' | 'compound' | 'token' | 'statement', string>>;
  readonly limits: {
    readonly text: number;
    readonly definitions: number;
    readonly leaves: number;
    readonly depth: number;
    readonly word: number;
    readonly changed: number;
    readonly context: number;
    readonly structure: number;
    readonly stateWords: number;
    readonly recent: number;
  };
  readonly identities: number;
  readonly levels: number;
  /** Characters that are digits to Python and no decimal ones, such as ². */
  readonly digits: string;
  readonly sourceSuffix: string;
  readonly blend: Readonly<Record<'meaning' | 'signed' | 'unsigned' | 'place', number>>;
  /** The network that ranks similar edits: `weights` is (relations, hidden), row by row. */
  readonly reranker: {
    readonly relations: readonly string[];
    readonly weights: readonly number[];
    readonly bias: readonly number[];
    readonly output: readonly number[];
    readonly offset: number;
    readonly considered: number;
    readonly step: number;
    readonly certain: number;
    /** Likeness of vectors and of changed words from which two edits are the same. */
    readonly same: number;
    /** Slope and offset of the log-odds of a blended score alone. */
    readonly plain: readonly [number, number];
  };
  /** What paths of tests are called. */
  readonly tests: {
    readonly prefix: string;
    readonly endings: readonly string[];
    readonly stems: readonly string[];
    readonly folders: readonly string[];
    readonly suffix: string;
  };
  readonly kinds: readonly string[];
}

export function readTables(tables: Unread): Tables {
  if (typeof tables['vocabularyHash'] !== 'string') throw new Error('these are not the tables that scripts/web_data.py writes');
  const read = tables as unknown as Tables;
  const { relations, weights, bias, output } = read.reranker;
  if (weights.length !== relations.length * bias.length || output.length !== bias.length)
    throw new Error('the weights that rank similar edits do not fit together');
  if (read.kinds.join() !== KINDS.join()) throw new Error(`edits are of the kinds ${read.kinds.join(', ')} in these tables`);
  return read;
}
