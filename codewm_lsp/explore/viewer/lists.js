
"use strict";

// What is written beside the map: lists of edits, one edit, one file, and the tables of places.

const DAY = 86400;
const FIRST = 40; // rows that a list begins with
const LEAST_HEAT = 0.5; // of a hot spot
const HALF_LIFE = 120 * DAY; // of what an edit adds to the heat of its place
const MOST_FILES = 20; // of a commit whose edits add heat: larger ones say little of a single place
const LEAST_CHANGES = 5; // of untouched code

/**
 * An element with its properties and children; texts are texts, whatever they hold.
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name
 * @param {{[property: string]: unknown}} [properties]
 * @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[Name]}
 */
function el(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [property, value] of Object.entries(properties)) {
    if (property.includes("-")) element.setAttribute(property, String(value));
    else Object.assign(element, { [property]: value });
  }
  element.append(...children);
  return element;
}

/** The element of this id, which the page has. @param {string} id */
function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`This page has no ${id}.`);
  return element;
}

/**
 * A list of edits, its first ones at once and the rest when they are asked for.
 * @param {Atlas} atlas
 * @param {readonly number[]} edits
 * @param {number} current
 * @param {(edit: number) => void} open
 * @param {HTMLOListElement | HTMLUListElement} [list]
 */
function editList(atlas, edits, current, open, list = el("ul", { className: "plain" })) {
  list.replaceChildren();
  let shown = 0;
  const more = () => {
    const next = edits.slice(shown, shown + (shown ? 200 : FIRST));
    shown += next.length;
    list.append(...next.map((edit) => el("li", {}, editButton(atlas, edit, edit === current, open))));
    if (shown < edits.length) {
      const button = el("button", { type: "button", className: "more" }, `Show more of ${counted(edits.length, "edit")}`);
      const row = el("li", {}, button);
      button.addEventListener("click", () => {
        row.remove();
        const first = list.children.length;
        more();
        /** @type {HTMLElement | null | undefined} */ (list.children[first]?.querySelector("button"))?.focus();
      });
      list.append(row);
    }
  };
  more();
  return list;
}

/**
 * @param {Atlas} atlas
 * @param {number} edit
 * @param {boolean} current
 * @param {(edit: number) => void} open
 */
function editButton(atlas, edit, current, open) {
  const where = `${atlas.name(edit)} · ${atlas.path(edit)}`;
  const button = el(
    "button",
    { type: "button", className: "edit", ...(current ? { "aria-current": "true" } : {}) },
    el("span", { className: "what" }, atlas.subject(edit) || "(no subject)"),
    el("span", { className: "where" }, `${day(atlas.date(edit))} · ${atlas.kind(edit)} by ${atlas.author(edit)} · ${where}`),
  );
  button.addEventListener("click", () => open(edit));
  return button;
}

/**
 * One edit, with what belongs to it.
 * @param {Atlas} atlas
 * @param {number} edit
 * @param {HTMLElement} home
 * @param {(edit: number) => void} open
 */
function showEdit(atlas, edit, home, open) {
  const chain = at(atlas.ofDefinition, atlas.definition(edit));
  const siblings = at(atlas.ofCommit, atlas.commit(edit)).filter((other) => other !== edit);
  const alike = at(atlas.record.edits.alike, edit);
  const diff = el("div");
  home.replaceChildren(
    el("h2", {}, atlas.name(edit)),
    el("p", { className: "where" }, `${atlas.path(edit)}, line ${at(atlas.record.edits.line, edit)}`),
    el("p", {}, atlas.subject(edit) || "(no subject)"),
    el("p", { className: "where" }, `${atlas.kind(edit)} by ${atlas.author(edit)}, ${day(atlas.date(edit))}, commit `, el("code", {}, atlas.sha(edit).slice(0, 7))),
    diff,
    el("h3", {}, `History of this definition: ${counted(chain.length, "edit")}`),
    editList(atlas, chain, edit, open),
    ...(alike.length ? [el("h3", {}, "Most similar edits"), editList(atlas, alike, -1, open)] : []),
    ...(siblings.length ? [el("h3", {}, `Also in this commit: ${counted(siblings.length, "edit")}`), editList(atlas, siblings, -1, open)] : []),
  );
  if (!atlas.record.diffs) {
    diff.append(el("p", { className: "where" }, "See the code with ", el("code", {}, `git show ${atlas.sha(edit)}`)));
    return;
  }
  void atlas.diff(edit).then(
    (text) => diff.append(text === null ? el("p", { className: "where" }, "This page does not include the diff of this older edit.") : diffOf(text)),
    (error) => diff.append(el("p", {}, String(error))),
  );
}

/** @param {string} text a unified diff */
function diffOf(text) {
  const names = { "+": "plus", "-": "minus", "@": "head" };
  return el(
    "div",
    { className: "diff", tabIndex: 0, role: "region", "aria-label": "Diff" },
    ...text.split("\n").map((line) => {
      const head = line.startsWith("+++") || line.startsWith("---");
      return el("span", { className: head ? "head" : (names[/** @type {keyof typeof names} */ (line.charAt(0))] ?? "") }, line);
    }),
  );
}

/**
 * One file of the graph, with those that it changes together with.
 * @param {Atlas} atlas
 * @param {number} file
 * @param {HTMLElement} home
 * @param {(file: number) => void} open
 */
function showFile(atlas, file, home, open) {
  const { files } = atlas.record;
  const partners = files.pairs
    .filter(([one, other]) => one === file || other === file)
    .map(([one, other, together]) => ({ other: one === file ? other : one, together }))
    .sort((one, other) => other.together - one.together || one.other - other.other);
  const own = at(files.commits, file);
  home.replaceChildren(
    el("h2", {}, at(files.path, file)),
    el("p", { className: "where" }, `changed in ${counted(own, "commit")}${files.in_head[file] ? "" : ", deleted"}`),
    el("h3", {}, "Changes together with"),
    el(
      "ul",
      { className: "plain" },
      ...partners.map(({ other, together }) => {
        const button = el(
          "button",
          { type: "button", className: "edit" },
          el("span", { className: "what" }, at(files.path, other)),
          el("span", { className: "where" }, `${counted(together, "commit")} changed both (${at(files.commits, other)} changed this file, ${own} the selected one)`),
        );
        button.addEventListener("click", () => open(other));
        return el("li", {}, button);
      }),
    ),
  );
}

/** @typedef {{edits: number[], last: number, heat: number}} Place edits newest first */

/**
 * Definitions or files that still exist, with their edits.
 * @param {Atlas} atlas
 * @param {boolean} files
 * @returns {Place[]}
 */
function placesOf(atlas, files) {
  const { definitions, in_head: inHead } = atlas.record;
  const large = atlas.ofCommit.map((own) => new Set(own.map((edit) => atlas.pathOf(edit))).size > MOST_FILES);
  /** @type {Map<number, number[]>} */
  const edits = new Map();
  atlas.ofDefinition.forEach((own, definition) => {
    const path = at(definitions.path, definition);
    if (!(files ? inHead[path] : definitions.alive[definition]) || !own.length) return;
    const key = files ? path : definition;
    edits.set(key, (edits.get(key) ?? []).concat(own));
  });
  return [...edits.values()].map((own) => {
    own.sort((one, other) => one - other);
    const counting = own.filter((edit) => !large[atlas.commit(edit)]);
    const heat = counting.reduce((sum, edit) => sum + 0.5 ** ((atlas.last - atlas.date(edit)) / HALF_LIFE), 0);
    return { edits: own, last: atlas.date(at(own, 0)), heat };
  });
}

/**
 * The two tables.
 * @param {Atlas} atlas
 * @param {boolean} files
 * @param {(edit: number) => void} open
 */
function showPlaces(atlas, files, open) {
  const places = placesOf(atlas, files);
  const span = atlas.last - atlas.first;
  const hot = places.filter((place) => place.heat >= LEAST_HEAT).sort((one, other) => other.heat - one.heat);
  const quiet = places.filter((place) => place.edits.length >= LEAST_CHANGES && atlas.last - place.last > span / 4);
  quiet.sort((one, other) => one.last - other.last || other.edits.length - one.edits.length);
  const unit = files ? "File" : "Definition";
  const heat = { head: "Heat", of: (/** @type {Place} */ place) => place.heat.toFixed(1) };
  const hottest = `Changed most often and most recently. Heat is the number of edits; each edit's weight halves every 120 days, and commits of more than ${MOST_FILES} files are not counted.`;
  byId("hot").replaceChildren(placeTable(atlas, hot.slice(0, 25), files, [unit, "Hot spots", hottest], heat, open));
  const rest = { head: "For", of: (/** @type {Place} */ place) => lasted(atlas.last - place.last) };
  const about = `Changed at least ${LEAST_CHANGES} times, still exists, and has not changed in the last quarter of this history.`;
  byId("forgotten").replaceChildren(placeTable(atlas, quiet.slice(0, 25), files, [unit, "Untouched", about], rest, open));
}

/** A path or a name that is broken between its parts, where it is broken. @param {string} path */
function breakable(path) {
  return path.split(/(?<=[/._])/).flatMap((part) => [el("wbr"), part]);
}

/** "3 months", "2.5 years". @param {number} seconds */
function lasted(seconds) {
  const days = seconds / DAY;
  if (days < 60) return counted(Math.round(days), "day");
  if (days < 700) return counted(Math.round(days / 30.44), "month");
  return `${(days / 365.25).toFixed(1)} years`;
}

/**
 * @param {Atlas} atlas
 * @param {Place[]} places
 * @param {boolean} files
 * @param {[string, string, string]} words what is listed, the title, and what that means
 * @param {{head: string, of: (place: Place) => string}} score what the places are in the order of
 * @param {(edit: number) => void} open
 */
function placeTable(atlas, places, files, [unit, title, about], score, open) {
  const heads = [unit, score.head, "Edits", "Last"].map((name, number) => el("th", { scope: "col", ...(number ? { className: "number" } : {}) }, name));
  const rows = places.map((place) => {
    const newest = at(place.edits, 0);
    const button = el("button", { type: "button" }, ...breakable(files ? atlas.path(newest) : atlas.name(newest)));
    button.addEventListener("click", () => open(newest));
    const cell = el("td", {}, button, ...(files ? [] : [el("small", {}, ...breakable(atlas.path(newest)))]));
    const numbers = [score.of(place), String(place.edits.length), day(place.last)];
    return el("tr", {}, cell, ...numbers.map((text) => el("td", { className: "number" }, text)));
  });
  if (!rows.length) rows.push(el("tr", {}, el("td", { colSpan: heads.length }, "Nothing in this history.")));
  return el("table", {}, el("caption", {}, title, el("small", {}, about)), el("thead", {}, el("tr", {}, ...heads)), el("tbody", {}, ...rows));
}
