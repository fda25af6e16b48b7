
"use strict";

// Search by words: in the subjects of commits, in the names of their authors, in paths and in names.

const ENDINGS = ["ations", "ation", "ings", "ing", "ers", "er", "ies", "ied", "ed", "es", "s", "e", "y"];

const PER_COMMIT = 2; // edits of a commit that lead a list: the others say the same

/**
 * The words of a text in lower case, identifiers split.
 * @param {string} text
 */
function wordsOf(text) {
  return (text.match(/[\p{Lu}]+(?![\p{Ll}])|[\p{Lu}]?[\p{Ll}\p{Lo}\p{M}]+|\p{N}+/gu) ?? []).map((word) => word.toLowerCase());
}

/**
 * What the usual forms of a word have in common.
 * @param {string} word
 */
function stem(word) {
  if (word.length < 4) return word;
  for (const ending of ENDINGS) {
    if (word.endsWith(ending) && word.length - ending.length >= 3) return word.slice(0, -ending.length);
  }
  return word;
}

/** Finds documents by their words. */
class WordIndex {
  /** @param {string[]} documents */
  constructor(documents) {
    this.size = documents.length;
    /** @type {Map<string, number[]>} documents of each stem */
    this.found = new Map();
    documents.forEach((text, number) => {
      for (const word of new Set(wordsOf(text).map(stem))) {
        const documents = this.found.get(word);
        if (documents) documents.push(number);
        else this.found.set(word, [number]);
      }
    });
  }

  /** @param {string} word */
  has(word) {
    return this.found.has(stem(word));
  }

  /**
   * Adds the weight of a word to each document that has it.
   * @param {string} word
   * @param {boolean} beginning whether to words that begin with it, too
   * @param {Float32Array} scores
   * @param {number} weight
   */
  add(word, beginning, scores, weight) {
    /** @type {Set<number>} */
    const documents = new Set(this.found.get(stem(word)));
    if (beginning) {
      for (const [other, some] of this.found) if (other.startsWith(word)) for (const number of some) documents.add(number);
    }
    const worth = weight * Math.log(1 + this.size / (1 + documents.size));
    for (const number of documents) scores[number] = (scores[number] ?? 0) + worth;
  }
}

/** Finds edits. */
class Search {
  /** @param {Atlas} atlas */
  constructor(atlas) {
    this.atlas = atlas;
    const { commits, definitions, paths } = atlas.record;
    this.subjects = new WordIndex(commits.subject);
    this.authors = new WordIndex(atlas.record.authors);
    this.names = new WordIndex(definitions.name.map((name, number) => `${name} ${at(paths, at(definitions.path, number))}`));
  }

  /**
   * The edits that have all words of a text, in whatever order; where there is none, those that have some, the most first.
   * A word that no edit has counts as the beginning of one. Best first, of equal ones the newest; of those with all words
   * the first two of each commit before the others. Where the text is a name or a path, the edits of what has it come first,
   * and of these and of the rest the newest.
   * @param {string} text
   * @returns {{edits: number[], all: boolean}}
   */
  find(text) {
    const words = [...new Set(wordsOf(text))].sort().slice(0, 16);
    const { atlas } = this;
    const hits = new Uint8Array(atlas.size);
    const total = new Float32Array(atlas.size);
    for (const word of words) {
      const beginning = ![this.authors, this.subjects, this.names].some((index) => index.has(word));
      const subjects = new Float32Array(this.subjects.size);
      const names = new Float32Array(this.names.size);
      const authors = new Float32Array(this.authors.size);
      this.authors.add(word, beginning, authors, 1);
      this.subjects.add(word, beginning, subjects, 2);
      this.names.add(word, beginning, names, 1);
      for (let edit = 0; edit < atlas.size; edit++) {
        const score = at(subjects, atlas.commit(edit)) + at(names, atlas.definition(edit)) + at(authors, atlas.authorOf(edit));
        if (score > 0) {
          hits[edit] = at(hits, edit) + 1;
          total[edit] = at(total, edit) + score;
        }
      }
    }
    const all = words.length > 0 && hits.includes(words.length);
    const found = [];
    for (let edit = 0; edit < atlas.size; edit++) if (all ? hits[edit] === words.length : at(hits, edit) > 0) found.push(edit);
    const named = all ? this.#named(text.trim(), found) : [];
    if (named.length) {
      const exact = new Set(named);
      return { edits: named.concat(found.filter((edit) => !exact.has(edit))), all };
    }
    found.sort((one, other) => at(hits, other) - at(hits, one) || at(total, other) - at(total, one) || one - other);
    return { edits: all ? this.#mixed(found) : found, all };
  }

  /**
   * Those edits whose definition or file has this name, or this path, in the order given.
   * @param {string} text
   * @param {number[]} edits
   */
  #named(text, edits) {
    const { definitions, paths } = this.atlas.record;
    const is = paths.map((path) => path === text || path.endsWith(`/${text}`));
    const named = definitions.name.map((name, number) => name === text || name.endsWith(`.${text}`) || at(is, at(definitions.path, number)));
    return edits.filter((edit) => at(named, this.atlas.definition(edit)));
  }

  /** @param {number[]} edits */
  #mixed(edits) {
    const seen = new Uint16Array(this.atlas.record.commits.sha.length);
    const [first, rest] = [/** @type {number[]} */ ([]), /** @type {number[]} */ ([])];
    for (const edit of edits) {
      const commit = this.atlas.commit(edit);
      seen[commit] = at(seen, commit) + 1;
      (at(seen, commit) <= PER_COMMIT ? first : rest).push(edit);
    }
    return first.concat(rest);
  }
}
