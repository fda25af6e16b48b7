
"use strict";

// What the page holds: see codewm_lsp/explore/page.py, which writes it.

/**
 * @typedef {object} PageData
 * @property {number} format
 * @property {string} made_by
 * @property {string} name
 * @property {string} head
 * @property {number} reached
 * @property {number} indexed
 * @property {number} left_out
 * @property {number} most_files Python files of the largest commit that is looked into
 * @property {number} grid
 * @property {string[]} authors
 * @property {string[]} paths
 * @property {number[]} in_head
 * @property {{sha: string[], author: number[], date: number[], subject: string[]}} commits
 * @property {{path: number[], name: string[], alive: number[]}} definitions
 * @property {{x: number[], y: number[], kind: string[], commit: number[], definition: number[], line: number[], alike: number[][]}} edits
 * @property {{x: number, y: number, edits: number, words: string[]}[]} regions
 * @property {{path: string[], commits: number[], in_head: number[], x: number[], y: number[], pairs: [number, number, number][]}} files
 * @property {{count: number, at_once: number} | null} diffs
 */

/** @type {{[letter: string]: string}} */
const KINDS = { a: "added", m: "modified", r: "removed" };

/**
 * The value in a block of data.
 * @param {string} id
 * @returns {Promise<unknown>}
 */
async function unpack(id) {
  const block = document.getElementById(id);
  if (!block) throw new Error(`This page has no ${id}.`);
  const text = atob(block.textContent ?? "");
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).json();
}

/** The edits of a repository, and what is asked of them. Edits, definitions and commits go by their numbers. */
class Atlas {
  /** @param {PageData} record */
  constructor(record) {
    this.record = record;
    this.size = record.edits.x.length;
    const scale = 1 / record.grid;
    this.x = Float32Array.from(record.edits.x, (value) => value * scale);
    this.y = Float32Array.from(record.edits.y, (value) => value * scale);
    /** @type {number[][]} edits of each definition, newest first */
    this.ofDefinition = record.definitions.name.map(() => []);
    /** @type {number[][]} edits of each commit */
    this.ofCommit = record.commits.sha.map(() => []);
    for (let edit = 0; edit < this.size; edit++) {
      at(this.ofDefinition, at(record.edits.definition, edit)).push(edit);
      at(this.ofCommit, at(record.edits.commit, edit)).push(edit);
    }
    let first = Infinity;
    let last = -Infinity;
    for (const date of record.commits.date) {
      first = Math.min(first, date);
      last = Math.max(last, date);
    }
    this.first = first;
    this.last = last;
    /** @type {Map<number, string[]>} */
    this.diffs = new Map();
  }

  /** @param {number} edit */
  commit(edit) {
    return at(this.record.edits.commit, edit);
  }

  /** @param {number} edit */
  date(edit) {
    return at(this.record.commits.date, this.commit(edit));
  }

  /** @param {number} edit */
  subject(edit) {
    return at(this.record.commits.subject, this.commit(edit));
  }

  /** @param {number} edit */
  sha(edit) {
    return at(this.record.commits.sha, this.commit(edit));
  }

  /** @param {number} edit */
  authorOf(edit) {
    return at(this.record.commits.author, this.commit(edit));
  }

  /** @param {number} edit */
  author(edit) {
    return at(this.record.authors, this.authorOf(edit));
  }

  /** @param {number} edit */
  definition(edit) {
    return at(this.record.edits.definition, edit);
  }

  /** @param {number} edit */
  name(edit) {
    return at(this.record.definitions.name, this.definition(edit));
  }

  /** @param {number} edit */
  pathOf(edit) {
    return at(this.record.definitions.path, this.definition(edit));
  }

  /** @param {number} edit */
  path(edit) {
    return at(this.record.paths, this.pathOf(edit));
  }

  /** @param {number} edit */
  kind(edit) {
    return KINDS[at(this.record.edits.kind, edit)] ?? "";
  }

  /**
   * The diff of an edit; null where the page has none.
   * @param {number} edit
   * @returns {Promise<string | null>}
   */
  async diff(edit) {
    const diffs = this.record.diffs;
    if (!diffs || edit >= diffs.count) return null;
    const block = Math.floor(edit / diffs.at_once);
    let texts = this.diffs.get(block);
    if (!texts) {
      texts = /** @type {string[]} */ (await unpack(`diffs-${block}`));
      if (this.diffs.size > 8) this.diffs.clear();
      this.diffs.set(block, texts);
    }
    return texts[edit % diffs.at_once] ?? null;
  }
}

/**
 * The value at an index that is known to be there.
 * @template Value
 * @param {ArrayLike<Value>} values
 * @param {number} index
 * @returns {Value}
 */
function at(values, index) {
  const value = values[index];
  if (value === undefined) throw new RangeError(`nothing at ${index} of ${values.length}`);
  return value;
}

/** @param {number} seconds */
function day(seconds) {
  return new Date(seconds * 1000).toISOString().slice(0, 10);
}

/**
 * "1 edit", "1,204 edits".
 * @param {number} count
 * @param {string} one
 * @param {string} [many]
 */
function counted(count, one, many = `${one}s`) {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}
