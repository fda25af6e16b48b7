/** Text → tokens: the syntax tree in pre-order and its leaves, as `codewm_lsp.source.tokens` takes them from it. */

import { Language, Parser, Query, type Tree } from 'web-tree-sitter';
import type { Leaf, Role, Tokens } from './api.ts';
import type { Tables } from './tables.ts';
import { binaryOf, crc32, first, Memory, placesOf, textOf } from './text.ts';
import { bytesFor, readingUtf8 } from './utf8.ts';

const MOST_CONTINUATIONS = 200;
const CONTINUATIONS = /(?:\\\n[ \t]*){200}/;
const MEMORABLE = 8192;

type Sort = 'unseen' | 'identifier' | 'text' | 'comment' | 'literal' | 'number' | 'broken' | 'syntax';

/** What a kind of node means: see `_Kind` in Python. */
interface Kind {
  readonly name: string;
  readonly opened: boolean;
  readonly inner: number | null;
  readonly sets: boolean;
  readonly gives: number | null;
  readonly sort: Sort;
  readonly token: number;
  readonly role: number;
  readonly fields: Readonly<Record<string, number>> | undefined;
  readonly below: number;
}

/** Loads the runtime and the grammar, given as bytes. */
export async function loadGrammar(treeSitter: Uint8Array, grammar: Uint8Array): Promise<Language> {
  await Parser.init({ wasmBinary: readingUtf8(treeSitter), locateFile: (name: string) => name });
  return Language.load(grammar);
}

export class Tokeniser {
  private readonly tables: Tables;
  private readonly language: Language;
  private readonly parser: Parser;
  private readonly kinds: readonly Kind[];
  private readonly broken: Kind;
  private readonly none: Kind;
  private readonly known = new Memory<string, Tokens>(512);
  private readonly role: Readonly<Record<Role, number>>;

  constructor(tables: Tables, language: Language) {
    this.tables = tables;
    this.language = language;
    this.parser = new Parser();
    this.parser.setLanguage(language);
    this.role = Object.fromEntries(tables.roles.map((name, number) => [name, number])) as Record<Role, number>;
    this.kinds = Array.from({ length: language.nodeTypeCount }, (_, id) => this.kind(language.nodeTypeForId(id) ?? ''));
    this.broken = this.kind('ERROR');
    this.none = this.kind('');
  }

  query(source: string): Query {
    return new Query(this.language, source);
  }

  /** The syntax tree of some UTF-8 that has a byte a character, in which it counts; to be deleted by the caller. */
  tree(data: string): Tree {
    const tree = this.parser.parse(bytesFor(data));
    if (!tree) throw new Error('tree-sitter gave no tree');
    return tree;
  }

  tokenise(text: string): Tokens {
    return text.length <= MEMORABLE ? this.known.get(text, () => this.read(text)) : this.read(text);
  }

  private kind(name: string): Kind {
    const { nodes, nodeIds, syntaxIds, special } = this.tables;
    let sort: Sort = 'syntax';
    let token = syntaxIds[name] ?? nodeIds[name] ?? special.unknown;
    let role = this.role.syntax;
    if (name === nodes.identifier) sort = 'identifier';
    else if (nodes.texts.includes(name)) sort = 'text';
    else if (name === nodes.comment) [sort, role] = ['comment', this.role.comment];
    else if (nodes.literals.includes(name)) [sort, token] = ['literal', nodeIds[name]];
    else if (nodes.numbers.includes(name)) [sort, token, role] = ['number', nodeIds[name], this.role.number];
    else if (name === 'ERROR') sort = 'broken';
    else if (nodes.hidden.includes(name)) sort = 'unseen';
    return {
      name,
      opened: !nodes.closed.includes(name),
      inner: nodes.transparent.includes(name) ? null : name === 'ERROR' ? special.error : (nodeIds[name] ?? special.unknown),
      sets: name in nodes.roles,
      gives: nodes.roles[name] ?? null,
      sort,
      token,
      role,
      fields: nodes.fields[name],
      below: nodes.parameters.includes(name) ? this.role.parameter : this.role.variable,
    };
  }

  private identifier(text: string): number {
    return this.tables.firstIdentifier + (crc32(text) % this.tables.identifierBuckets);
  }

  private read(whole: string): Tokens {
    const { limits, special, nodes, roles } = this.tables;
    const text = first(whole, limits.text);
    const data = binaryOf(text);
    if (hasEndlessLine(data)) return { ids: [special.error], depths: [0], leaves: [], errors: 1 };
    const tree = this.tree(data);
    const places = data.length === text.length ? null : placesOf(text);
    const cursor = tree.walk();
    const ids: number[] = [];
    const depths: number[] = [];
    const leaves: Leaf[] = [];
    let parent = this.none;
    let role: number | null = null; // what an enclosing node makes of its identifiers
    const above: (readonly [Kind, number | null])[] = [];
    let shown = 0; // the depth, as far as it counts
    let line = 0;
    let lineEnd = data.indexOf('\n');
    try {
      for (;;) {
        const kind = this.kinds[cursor.nodeTypeId] ?? this.broken;
        if (kind.opened && cursor.gotoFirstChild()) {
          if (kind.inner !== null) {
            ids.push(kind.inner);
            depths.push(shown);
          }
          above.push([parent, role]);
          if (kind.sets) role = kind.gives;
          else if (
            kind.name === nodes.string &&
            parent.name === nodes.statement &&
            nodes.bodies.includes(above[above.length - 2]?.[0].name ?? '')
          )
            role = this.role.docstring;
          parent = kind;
          shown = Math.min(above.length, limits.depth);
          continue;
        }
        const sort = kind.sort;
        if (sort !== 'unseen' && leaves.length < limits.leaves) {
          const start = cursor.startIndex;
          const end = cursor.endIndex;
          if (end > start) {
            while (lineEnd >= 0 && lineEnd < start) {
              line++;
              lineEnd = data.indexOf('\n', lineEnd + 1);
            }
            const leaf = (content: string, part: number): void => {
              leaves.push({ text: content, role: roles[part], line, start: places?.[start] ?? start, end: places?.[end] ?? end });
            };
            const structure = (token: number): void => {
              ids.push(token);
              depths.push(shown);
            };
            if (sort === 'syntax') {
              leaf(kind.name, this.role.syntax);
              structure(kind.token);
            } else if (sort === 'broken') structure(special.error);
            else {
              const word = places ? textOf(data.slice(start, end)) : data.slice(start, end);
              if (sort === 'identifier') {
                let part = role;
                if (part === null || part === this.role.docstring)
                  part = parent.fields ? (parent.fields[cursor.currentFieldName ?? ''] ?? this.role.variable) : parent.below;
                leaf(word, part);
                structure(this.identifier(word));
              } else if (sort === 'text') {
                leaf(word, role === this.role.docstring ? role : this.role.string);
                structure(this.identifier(word));
              } else {
                leaf(word, kind.role);
                if (sort !== 'comment') structure(kind.token);
                if (sort === 'number') structure(this.identifier(word));
              }
            }
          }
        }
        while (!cursor.gotoNextSibling()) {
          if (!cursor.gotoParent()) return { ids, depths, leaves, errors: ids.filter((id) => id === special.error).length };
          [parent, role] = above.pop()!;
          shown = Math.min(above.length, limits.depth);
        }
      }
    } finally {
      cursor.delete();
      tree.delete();
    }
  }
}

/** Whether a line is continued over very many empty ones, on which the grammar spends time without end. */
function hasEndlessLine(text: string): boolean {
  return text.split('\\\n', MOST_CONTINUATIONS + 1).length > MOST_CONTINUATIONS && CONTINUATIONS.test(text);
}
