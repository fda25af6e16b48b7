
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

/** Finds documents by their words; a word that is still being typed finds those that begin with it. */
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

  /**
   * Adds the weight of a word to each document that has it.
   * @param {string} word
   * @param {boolean} typing
   * @param {Float32Array} scores
   * @param {number} weight
   */
  add(word, typing, scores, weight) {
    /** @type {Set<number>} */
    const documents = new Set(this.found.get(stem(word)));
    if (typing && word.length > 1) {
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
   * The edits that hold all words, else those that hold most, best first; of equal ones the newest, and the first two of
   * each commit before the others.
   * @param {string} text
   * @returns {number[]}
   */
  find(text) {
    const words = [...new Set(wordsOf(text))].slice(0, 16);
    if (!words.length) return [];
    const { atlas } = this;
    const hits = new Uint8Array(atlas.size);
    const total = new Float32Array(atlas.size);
    const typing = !/\s$/.test(text);
    words.forEach((word, number) => {
      const subjects = new Float32Array(this.subjects.size);
      const names = new Float32Array(this.names.size);
      const authors = new Float32Array(this.authors.size);
      this.authors.add(word, typing && number === words.length - 1, authors, 1);
      this.subjects.add(word, typing && number === words.length - 1, subjects, 2);
      this.names.add(word, typing && number === words.length - 1, names, 1);
      for (let edit = 0; edit < atlas.size; edit++) {
        const score = at(subjects, atlas.commit(edit)) + at(names, atlas.definition(edit)) + at(authors, atlas.authorOf(edit));
        if (score > 0) {
          hits[edit] = at(hits, edit) + 1;
          total[edit] = at(total, edit) + score;
        }
      }
    });
    const most = hits.reduce((one, other) => Math.max(one, other), 0);
    if (!most) return [];
    const found = [];
    for (let edit = 0; edit < atlas.size; edit++) if (hits[edit] === most) found.push(edit);
    found.sort((one, other) => at(total, other) - at(total, one) || one - other);
    const seen = new Uint16Array(atlas.record.commits.sha.length);
    const [first, rest] = [/** @type {number[]} */ ([]), /** @type {number[]} */ ([])];
    for (const edit of found) {
      const commit = atlas.commit(edit);
      seen[commit] = at(seen, commit) + 1;
      (at(seen, commit) <= PER_COMMIT ? first : rest).push(edit);
    }
    return first.concat(rest);
  }
}
