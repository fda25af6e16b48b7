// Words for people. No `vscode` in here.

import { MODULE } from './protocol';

const UNITS: readonly (readonly [string, number])[] = [
  ['year', 365.25 * 86_400],
  ['month', 30.44 * 86_400],
  ['week', 7 * 86_400],
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
];

/** How long ago: `4 months ago`, `just now` below a minute. */
export function age(date: string, now: number): string {
  const seconds = (now - Date.parse(date)) / 1000;
  for (const [unit, length] of UNITS) {
    const count = Math.floor(seconds / length);
    if (count >= 1) {
      return `${String(count)} ${unit}${count > 1 ? 's' : ''} ago`;
    }
  }
  return 'just now';
}

/** A score from 0 to 1 as `87 %`. */
export function percent(score: number): string {
  return `${String(Math.round(score * 100))} %`;
}

/** The last part of a path with forward slashes. */
export function fileName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** A definition as it is called in its file: the rest of a module is named after the file, any other file by its name. */
export function called(definition: string, path: string): string {
  if (definition !== MODULE) {
    return named(definition);
  }
  return /\.pyi?$/.test(path) ? `${fileName(path)}, module level` : fileName(path);
}

/** A definition's name for people: `get#2` is `get (2nd definition)`, `A#3.get` is `A.get (in the 3rd A)`. */
export function named(definition: string): string {
  const parts = definition.split('.');
  const places = parts.flatMap((part, index) => {
    const [, name, number] = /^(.*)#(\d+)$/.exec(part) ?? [];
    if (name === undefined || number === undefined) {
      return [];
    }
    return [index === parts.length - 1 ? `${ordinal(number)} definition` : `in the ${ordinal(number)} ${name}`];
  });
  return places.length === 0 ? definition : `${definition.replace(/#\d+/g, '')} (${places.join(', ')})`;
}

function ordinal(number: string): string {
  const ending = ['th', 'st', 'nd', 'rd'][Number(number.slice(-1))] ?? 'th';
  return number + (/1\d$/.test(number) ? 'th' : ending);
}

/**
 * The last part of a definition's name, which is what tells a row from the next. Two parts of `__init__` and its like, and
 * where another of the `names` in the list ends in the same one.
 */
export function shortName(definition: string, path: string, names: readonly string[] = []): string {
  const last = lastName(definition);
  const shared = last.endsWith('__') || names.some((name) => name !== definition && lastName(name) === last);
  return called(definition.split('.').slice(shared ? -2 : -1).join('.'), path);
}

function lastName(definition: string): string {
  return definition.slice(definition.lastIndexOf('.') + 1).replace(/#\d+$/, '');
}

/** `a, b and c`. */
export function joined(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words[words.length - 1] ?? ''}`;
}

export function shortHash(commit: string): string {
  return commit.slice(0, 7);
}

/** Characters that mean something in Markdown, made harmless. */
export function escapeMarkdown(text: string): string {
  return text.replace(/[\\`*_{}[\]()#+\-.!|<>~]/g, '\\$&').replace(/\s+/g, ' ');
}

/** The first line that a unified diff changes: how many lines below the text's first it stands, and what it says. */
export function firstChange(diff: string): { readonly offset: number; readonly text: string } | undefined {
  let offset = 0;
  let removed: number | undefined; // where lines went without others in their place
  for (const line of diff.split('\n')) {
    const hunk = /^@@ -\d+(?:,\d+)? \+(\d+)(?:,\d+)? @@/.exec(line);
    if (hunk !== null) {
      offset = Math.max(0, Number(hunk[1]) - 1);
    } else if (line.startsWith('+') && !line.startsWith('+++ ')) {
      return { offset, text: line.slice(1) };
    } else if (line.startsWith('-') && !line.startsWith('--- ')) {
      removed ??= offset;
    } else if (line.startsWith(' ')) {
      if (removed !== undefined) {
        return { offset: removed, text: line.slice(1) };
      }
      offset += 1;
    }
  }
  return removed === undefined ? undefined : { offset: removed, text: '' };
}

/** Where a line stands in a text: the nearest to `near` that says the same; `near` itself where none does. */
export function findLine(lines: readonly string[], text: string, near: number): number {
  const wanted = text.trim();
  let best: number | undefined;
  lines.forEach((line, number) => {
    if (wanted !== '' && line.trim() === wanted && (best === undefined || Math.abs(number - near) < Math.abs(best - near))) {
      best = number;
    }
  });
  return best ?? Math.max(0, Math.min(near, lines.length - 1));
}

/** The line of `def` or `class` that starts a definition, the nearest to `near`; undefined where it is gone. */
export function findDefinition(lines: readonly string[], definition: string, near: number): number | undefined {
  const name = definition.slice(definition.lastIndexOf('.') + 1).replace(/#\d+$/, '');
  if (definition === MODULE || !/^[\p{L}\p{N}_]+$/u.test(name)) {
    return undefined;
  }
  const header = new RegExp(`^\\s*(?:async\\s+def|def|class)\\s+${name}(?![\\p{L}\\p{N}_])`, 'u');
  let best: number | undefined;
  lines.forEach((line, number) => {
    if (header.test(line) && (best === undefined || Math.abs(number - near) < Math.abs(best - near))) {
      best = number;
    }
  });
  return best;
}
