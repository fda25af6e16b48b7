/** Text → definitions, each with its own text: `codewm_lsp.source.definitions`, read all at once. */

import type { Definition } from './api.ts';
import { patternsOf, spansOf, type Span } from './lines.ts';
import type { Tables } from './tables.ts';
import { binaryOf, count, length, Memory, strip, textOf } from './text.ts';

const MODULE_NAME = '<module>';
const SHORTEST = 10; // bytes of a definition
const MARKER = /(?<![^\n])(<{7,}|\|{7,}|={7,}|>{7,})(?: [^\n]*)?(?![^\n])/g;

export class Definitions {
  private readonly tables: Tables;
  private readonly patterns: ReturnType<typeof patternsOf>;
  private readonly statement: RegExp;
  private readonly known = new Memory<string, readonly Definition[]>(64);

  constructor(tables: Tables) {
    this.tables = tables;
    this.patterns = patternsOf(tables);
    this.statement = new RegExp(tables.lines.statement, 'mg');
  }

  /** The definitions of a text in the order in which they stand; what is outside of them all comes first. */
  of(text: string): readonly Definition[] {
    return this.known.get(text, () => this.read(text));
  }

  private read(source: string): readonly Definition[] {
    const most = this.tables.limits.text;
    const text = plain(source);
    const data = length(text) <= most ? binaryOf(text) : '';
    if (length(text) > data.length || data.length > most || this.isGenerated(data)) {
      return strip(text) ? [module(text, count(text, '\n') + 1)] : [];
    }
    const [rest, definitions] = cut(data, spansOf(data, this.patterns));
    const lines = Math.max(1, count(data, '\n') + (data.endsWith('\n') ? 0 : 1));
    return strip(rest) ? [module(rest, lines), ...definitions] : definitions;
  }

  private isGenerated(data: string): boolean {
    const most = this.tables.limits.definitions;
    if (data.length < most * SHORTEST) return false;
    let found = 0;
    for (const start of data.matchAll(this.statement)) if (start[2] !== undefined && ++found > most) return true;
    return false;
  }
}

function module(source: string, end: number): Definition {
  return { name: MODULE_NAME, kind: 'module', line: 0, start: 0, end, source };
}

/** Without a byte-order mark, with \n for every line end and blank lines for all of a conflict but its first side. */
function plain(text: string): string {
  return withoutMarkers((text.startsWith('\ufeff') ? text.slice(1) : text).replace(/\r\n?/g, '\n'));
}

function withoutMarkers(text: string): string {
  if (!text.includes('<<<<<<<') && !text.includes('>>>>>>>')) return text;
  const blank: [number, number][] = [];
  let end: string | null = null;
  let middle: number | null = null;
  let ends = 0;
  for (const marker of [...text.matchAll(MARKER)].reverse()) {
    const start = marker.index;
    let stop = start + marker[0].length;
    const signs = marker[1];
    if (signs[0] === '=') {
      if (end === null || signs.length !== end.length || stop - start !== signs.length) continue;
      [end, middle] = [null, start];
    } else if (signs[0] === '|') {
      if (middle !== null) stop = middle;
    } else if (signs[0] === '>') {
      [end, middle, ends] = [signs, null, stop];
    } else {
      if (middle !== null) blank.push([middle, ends]);
      [end, middle] = [null, null];
    }
    blank.push([start, stop]);
  }
  let found = '';
  let position = 0;
  for (const [start, stop] of blank.sort((one, other) => one[0] - other[0] || other[1] - one[1])) {
    if (start < position) continue;
    found += text.slice(position, start) + '\n'.repeat(count(text, '\n', start, stop));
    position = stop;
  }
  return found + text.slice(position);
}

/** Give each span its own text: what is not in a span nested in it. */
function cut(data: string, spans: readonly Span[]): [string, Definition[]] {
  const own: string[][] = [[]];
  const cursor = [0];
  const stack: number[] = [];
  const parents: number[] = [];
  const innermost = (): number => (stack.length ? stack[stack.length - 1] + 1 : 0);

  const close = (until: number): void => {
    while (stack.length && spans[stack[stack.length - 1]].end <= until) {
      const index = stack.pop()!;
      own[index + 1].push(data.slice(cursor[index + 1], spans[index].end));
      cursor[innermost()] = spans[index].end;
    }
  };

  spans.forEach((span, index) => {
    close(span.start);
    const parent = innermost();
    own[parent].push(data.slice(cursor[parent], span.start));
    parents.push(parent);
    stack.push(index);
    own.push([]);
    cursor.push(span.start);
  });
  close(data.length + 1);
  own[0].push(data.slice(cursor[0]));

  const names: string[] = [];
  const times = new Map<string, number>();
  let line = 0;
  let offset = 0;
  const definitions = spans.map((span, index): Definition => {
    const parent = parents[index];
    const name = parent ? `${names[parent - 1]}.${span.name}` : span.name;
    names.push(name);
    line += count(data, '\n', offset, span.start);
    offset = span.start;
    const time = (times.get(name) ?? 0) + 1;
    times.set(name, time);
    return {
      name: time === 1 ? name : `${name}#${time}`,
      kind: span.isClass ? 'class' : parent && spans[parent - 1].isClass ? 'method' : 'function',
      line: line + count(data, '\n', span.start, span.header),
      start: line,
      end: line + count(data, '\n', span.start, Math.max(span.start, span.end - 1)) + 1,
      source: textOf(own[index + 1].join('')),
    };
  });
  return [textOf(own[0].join('')), definitions];
}
