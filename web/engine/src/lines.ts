/**
 * UTF-8 with a byte a character → logical lines → the definitions they are, whatever is half typed in them:
 * `codewm_lsp.source.languages.python_lines` and `codewm_lsp.source.layout`, read all at once.
 */

import type { Tables } from './tables.ts';
import { textOf } from './text.ts';

type LineKind = 'statement' | 'decorator' | 'function' | 'class' | 'comment';

interface Line {
  start: number;
  end: number;
  readonly width: number;
  readonly kind: LineKind;
  readonly name: string;
  opens: boolean;
  readonly fits: boolean;
}

/** Where a definition stands: from its first decorator to its last line, and where its header begins. */
export interface Span {
  readonly start: number;
  readonly end: number;
  readonly header: number;
  readonly isClass: boolean;
  readonly name: string;
}

interface Patterns {
  readonly header: RegExp;
  readonly certainLine: RegExp;
  readonly certainLines: RegExp;
  readonly compound: RegExp;
  readonly token: RegExp;
}

const INDENT = /[ \t\f]*/y;
const BLANK_END = /[ \t\f\n\\]+$/;
const WORD = /[\w\x80-\xff]/y;
const MOST_DECORATORS = 400;
const GUESSES = 3;

export function patternsOf(tables: Tables): Patterns {
  const { header, certainLine, compound, token } = tables.lines;
  return {
    header: new RegExp(header, 'y'),
    certainLine: new RegExp(certainLine, 'my'),
    certainLines: new RegExp(certainLine, 'mg'),
    compound: new RegExp(compound, 'y'),
    token: new RegExp(token, 'gs'),
  };
}

function match(pattern: RegExp, data: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(data);
}

/** Columns, as Python counts them: a tab goes to the next eighth, a form feed back to the margin. */
function widthOf(indentation: string): number {
  let width = 0;
  for (const sign of indentation.slice(indentation.lastIndexOf('\f') + 1)) width = sign === '\t' ? (width & ~7) + 8 : width + 1;
  return width;
}

/** The definitions of a text, outer ones before the inner ones. */
export function spansOf(data: string, patterns: Patterns): Span[] {
  let best = new Reader(data, patterns, -1);
  if (best.doubtful.length && best.oddities.length) {
    const before = best.doubtful.filter((place) => place <= best.oddities[0]);
    const after = best.doubtful.slice(before.length);
    const guesses = new Set([...best.doubtful.slice(0, GUESSES), ...before.slice(-GUESSES), ...after.slice(0, GUESSES)]);
    for (const guess of guesses) {
      const other = new Reader(data, patterns, guess);
      const better = other.oddities.length - best.oddities.length || best.headers - other.headers;
      if (better < 0) best = other;
    }
  }
  return spansOfLines(best.lines);
}

class Reader {
  readonly lines: Line[] = [];
  readonly oddities: number[] = [];
  readonly doubtful: number[] = [];
  headers = 0;
  private readonly data: string;
  private readonly patterns: Patterns;
  private readonly leftOpen: number;
  private readonly levels: number[] = [];
  private cut = false;

  constructor(data: string, patterns: Patterns, leftOpen: number) {
    this.data = data;
    this.patterns = patterns;
    this.leftOpen = leftOpen;
    this.read();
  }

  private read(): void {
    const { data, lines } = this;
    const end = data.length;
    let position = 0;
    let above = null as Line | null;
    while (position < end) {
      const begin = position;
      let first = this.indented(position);
      let width = widthOf(data.slice(begin, first));
      while (data.startsWith('\\\n', first)) {
        position = first + 2;
        first = this.indented(position);
        width ||= widthOf(data.slice(position, first));
      }
      const sign = data[first] ?? '';
      if (sign === '\n' || sign === '') {
        position = first + 1;
        continue;
      }
      if (sign === '#') {
        let stop = data.indexOf('\n', first);
        if (stop < 0) stop = end;
        lines.push({ start: first, end: this.trimmed(first, stop), width, kind: 'comment', name: '', opens: false, fits: true });
        position = stop + 1;
        continue;
      }
      let kind: LineKind = 'statement';
      let name = '';
      const header = match(this.patterns.header, data, first);
      if (header) {
        kind = header[1] === 'class' ? 'class' : 'function';
        name = textOf(header[2]);
        this.headers++;
      } else if (sign === '@') kind = 'decorator';
      const [next, ends] = this.line(first, above ? Math.max(width, above.width) : width);
      position = next;
      const stop = this.trimmed(first, position);
      const code = this.trimmed(first, Math.min(ends, stop));
      const compound = match(this.patterns.compound, data, first);
      const opens = data[code - 1] === ':' || (compound !== null && first + compound[0].length <= code);
      if (kind === 'decorator' && this.cut && this.reachesOut(first, stop, width)) kind = 'statement';
      if (')]}'.includes(sign) && above && (above.name || !above.fits)) {
        while (lines.length && lines[lines.length - 1] !== above) lines.pop();
        lines.pop();
        above = { ...above, end: stop, opens };
      } else above = { start: first, end: stop, width, kind, name, opens, fits: this.fits(first, width, above) };
      lines.push(above);
    }
  }

  private fits(start: number, width: number, above: Line | null): boolean {
    const levels = this.levels;
    while (levels.length && levels[levels.length - 1] > width) levels.pop();
    if (!levels.length || (levels[levels.length - 1] < width && above?.opens)) levels.push(width);
    if (levels[levels.length - 1] === width) return true;
    if (!above || above.fits) this.oddities.push(start);
    return false;
  }

  private line(begin: number, width: number): [number, number] {
    const { data, patterns } = this;
    const end = data.length;
    let position = begin;
    let depth = 0;
    this.cut = false;
    for (;;) {
      const token = match(patterns.token, data, position);
      if (!token) return [end, end];
      const start = token.index;
      position = start + token[0].length;
      const sign = data[start];
      const last = data[position - 1];
      if (sign === '\n' || sign === '\\') {
        if (sign === '\n' && depth === 0) return [position, start];
        if (match(patterns.certainLine, data, position)) {
          this.oddities.push(start);
          this.cut = true;
          return [this.decorated(begin, position), start];
        }
      } else if ('([{'.includes(sign)) depth++;
      else if (')]}'.includes(sign)) {
        if (depth === 0) this.oddities.push(start);
        depth = Math.max(0, depth - 1);
      } else if (sign === '#') {
        if (depth === 0) return [position < end ? position + 1 : end, start];
      } else if (position - start === 3 && data[start + 1] === sign && data[start + 2] === sign) {
        const stop = this.closed(start, position, width);
        if (stop < 0) {
          this.cut = true;
          const next = this.nextHeader(position, width, end);
          return [next, next];
        }
        position = stop;
      } else if (position - start === 1 || last !== sign) this.oddities.push(start);
    }
  }

  private closed(start: number, position: number, width: number): number {
    if (start === this.leftOpen) {
      this.oddities.push(start);
      return -1;
    }
    const { data } = this;
    const quotes = data.slice(start, position);
    let stop = position;
    for (;;) {
      stop = data.indexOf(quotes, stop);
      if (stop < 0) {
        this.oddities.push(start);
        break;
      }
      let escapes = stop;
      while (escapes > position && data[escapes - 1] === '\\') escapes--;
      if ((stop - escapes) % 2 === 0) break;
      stop++;
    }
    const inside = stop < 0 ? data.length : stop;
    if (this.nextHeader(position, width, inside) !== inside) this.doubtful.push(start);
    if (stop < 0) return stop;
    if (match(WORD, data, stop + 3)) this.oddities.push(stop);
    return stop + 3;
  }

  private nextHeader(position: number, width: number, end: number): number {
    const pattern = this.patterns.certainLines;
    pattern.lastIndex = position;
    for (let found = pattern.exec(this.data); found && found.index + found[0].length <= end; ) {
      if (widthOf(found[1]) <= width) return this.decorated(position, found.index);
      pattern.lastIndex = found.index + found[0].length;
      found = pattern.exec(this.data);
    }
    return end;
  }

  private decorated(begin: number, position: number): number {
    const { data } = this;
    const width = this.widthAt(position);
    let found = position;
    let line = position;
    for (let number = 0; number < MOST_DECORATORS; number++) {
      // The last line end from `begin` to one before the line, and what comes behind it.
      const newline = line - 2 < 0 ? -1 : data.lastIndexOf('\n', line - 2);
      const above = newline < begin ? 0 : newline + 1;
      if (above <= begin) break;
      const sign = /^[ \t\f]*([^]?)/.exec(data.slice(above, line))![1];
      const inner = this.widthAt(above) > width;
      if (sign === '@' && !inner) found = above;
      else if (sign === '\n' || !(inner || ')]}#'.includes(sign))) break;
      line = above;
    }
    return found;
  }

  private reachesOut(start: number, stop: number, width: number): boolean {
    const { data } = this;
    const next = (from: number): number => {
      const at = data.indexOf('\n', from);
      return at < 0 || at >= stop ? 0 : at + 1;
    };
    for (let line = next(start); line; line = next(line)) {
      const first = this.indented(line);
      if (!'\n)]}#'.includes(data[first] ?? '') && widthOf(data.slice(line, first)) <= width) return true;
    }
    return false;
  }

  private indented(position: number): number {
    return position + match(INDENT, this.data, position)![0].length;
  }

  private widthAt(position: number): number {
    return widthOf(this.data.slice(position, this.indented(position)));
  }

  private trimmed(start: number, stop: number): number {
    return start + this.data.slice(start, stop).replace(BLANK_END, '').length;
  }
}

interface Open {
  readonly start: number;
  end: number;
  readonly header: number;
  readonly isClass: boolean;
  readonly name: string;
  readonly width: number;
  body: number | null;
}

function spansOfLines(lines: readonly Line[]): Span[] {
  const found: Open[] = [];
  let stack: Open[] = [];
  let left: Open[] | null = null;
  let comments = 0;
  let decorators: Line[] = [];

  const close = (width: number): void => {
    while (stack.length && stack[stack.length - 1].width >= width) {
      const inner = stack.pop()!;
      const outer = stack[stack.length - 1];
      if (outer) outer.end = Math.max(outer.end, inner.end);
    }
  };

  for (const line of lines) {
    if (line.kind === 'comment') {
      while (comments && (stack[comments - 1].body === null || line.width < stack[comments - 1].body!)) comments--;
      if (comments) stack[comments - 1].end = line.end;
      continue;
    }
    const heads = line.kind !== 'statement';
    if (left && !line.fits && (heads || goesOn(left, stack, line.width))) stack = [...left];
    if (line.name || line.opens || !line.fits) left = null;
    else if (stack.length && stack[stack.length - 1].width >= line.width) left ??= [...stack];
    close(line.width);
    const inner = stack[stack.length - 1];
    if (inner && inner.body === null) inner.body = line.width;
    if (line.kind === 'decorator') {
      if (decorators.length && decorators[0].width !== line.width) decorators = [];
      decorators.push(line);
    } else if (heads) {
      const first = decorators.length && decorators[0].width === line.width ? decorators[0] : line;
      const opened: Open = {
        start: first.start,
        end: line.end,
        header: line.start,
        isClass: line.kind === 'class',
        name: line.name,
        width: line.width,
        body: null,
      };
      stack.push(opened);
      found.push(opened);
    }
    if (line.kind !== 'decorator') {
      decorators = [];
      const innermost = stack[stack.length - 1];
      if (innermost) innermost.end = Math.max(innermost.end, line.end);
    }
    comments = stack.length;
  }
  close(-1);
  return found;
}

function goesOn(left: readonly Open[], stack: readonly Open[], width: number): boolean {
  const last = left[left.length - 1];
  return !stack.length && left.length > 1 && last.body !== null && width >= last.body;
}
