/** What Python says of Python, as scripts/web_data.py writes it: see there. */

import type { Role, Tables as Unread } from './api.ts';

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
}

export function readTables(tables: Unread): Tables {
  if (typeof tables['vocabularyHash'] !== 'string') throw new Error('these are not the tables that scripts/web_data.py writes');
  return tables as unknown as Tables;
}
