
"use strict";

// Puts the page together: the three views, what is selected, and the search.

const NARROW = matchMedia("(max-width: 52rem)"); // where one pane lies below the other: explore.css
const SHORTEST = 20; // pixels of a line that has an arrowhead
const COLOURS = 8; // groups with a colour of their own; the others share one more

class Explorer {
  /** @param {Atlas} atlas */
  constructor(atlas) {
    this.atlas = atlas;
    /** @type {Search | null} made when it is first asked */
    this.search = null;
    this.selected = -1;
    /** @type {number[] | null} edits that a search found */
    this.found = null;
    /** @type {number | null} the group that stands out */
    this.group = null;
    this.colouring = colouring(atlas, "folder");
    this.detail = byId("detail");
    this.query = /** @type {HTMLInputElement} */ (byId("query"));
    this.#summary();
    const { files } = atlas.record;
    this.map = new Stage(/** @type {HTMLCanvasElement} */ (byId("map")), byId("map-tip"), atlas.x, atlas.y, null, {
      radius: atlas.size > 20000 ? 1.3 : atlas.size > 4000 ? 1.8 : 2.6,
      picked: (edit) => this.open(edit),
      words: (edit) => `${atlas.name(edit)}: ${atlas.subject(edit)} (${day(atlas.date(edit))})`,
      under: () => {},
      over: (context, stage) => this.#overMap(context, stage),
    });
    const grid = (/** @type {number[]} */ values) => Float32Array.from(values, (value) => value / atlas.record.grid);
    const most = files.commits.reduce((one, other) => Math.max(one, other), 1);
    const sizes = Float32Array.from(files.commits, (count) => 0.5 + 1.5 * Math.sqrt(count / most));
    this.file = -1;
    this.fileNames = shortNames(files.path);
    /** files of the graph, those that changed most first */
    this.byCommits = files.commits.map((_, file) => file).sort((one, other) => at(files.commits, other) - at(files.commits, one));
    this.graph = new Stage(/** @type {HTMLCanvasElement} */ (byId("graph")), byId("graph-tip"), grid(files.x), grid(files.y), sizes, {
      radius: 5,
      picked: (file) => this.openFile(file),
      words: (file) => `${at(files.path, file)}: ${counted(at(files.commits, file), "commit")}${files.in_head[file] ? "" : ", deleted"}`,
      under: (context, stage) => this.#pairs(context, stage),
      over: (context, stage) => this.#fileNames(context, stage),
    });
    byId("graph-legend").hidden = !files.in_head.includes(0);
    this.#listen();
    this.#find();
  }

  /** Shows an edit. @param {number} edit */
  open(edit) {
    this.selected = edit;
    showEdit(this.atlas, edit, this.detail, (other) => {
      this.open(other);
      this.detail.focus({ preventScroll: true });
    });
    byId("status").textContent = `Selected: ${this.atlas.name(edit)}, ${this.atlas.subject(edit)}`;
    for (const button of document.querySelectorAll("#results .edit")) button.removeAttribute("aria-current");
    this.#reveal();
    this.map.select(edit, true);
  }

  /** Has the details in sight: at the top of their pane, or where the pane lies below the map, half a screen below it. */
  #reveal() {
    this.detail.parentElement?.scrollTo(0, 0);
    if (NARROW.matches) this.detail.querySelector("h2")?.scrollIntoView({ block: "center" });
  }

  /** Shows a file of the graph. @param {number} file */
  openFile(file) {
    this.file = file;
    showFile(this.atlas, file, this.detail, (other) => {
      this.openFile(other);
      this.detail.focus({ preventScroll: true });
    });
    byId("status").textContent = `Selected: ${at(this.atlas.record.files.path, file)}`;
    this.#reveal();
    this.graph.select(file, true);
  }

  #summary() {
    const { record, size } = this.atlas;
    byId("name").textContent = record.name;
    const parts = [`${counted(size, "edit")} in ${counted(record.commits.sha.length, "commit")} by ${counted(record.authors.length, "author")}`];
    if (size) parts.push(`${day(this.atlas.first)} to ${day(this.atlas.last)}, without commits of more than ${record.most_files} Python files`);
    if (record.left_out) parts.push(`${counted(record.left_out, "older edit")} left out`);
    if (record.indexed < record.reached) parts.push(`from the newest ${record.indexed.toLocaleString("en")} of ${counted(record.reached, "commit")}`);
    parts.push(`at ${record.head}, ${record.made_by}`);
    byId("summary").textContent = parts.join(" · ");
  }

  #listen() {
    const tabs = [...document.querySelectorAll('[role="tab"]')].map((tab) => /** @type {HTMLElement} */ (tab));
    for (const tab of tabs) {
      tab.addEventListener("click", () => this.#show(tab, tabs));
      tab.addEventListener("keydown", (event) => {
        const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
        if (!step) return;
        const next = at(tabs, (tabs.indexOf(tab) + step + tabs.length) % tabs.length);
        this.#show(next, tabs);
        next.focus();
      });
    }
    const colour = /** @type {HTMLSelectElement} */ (byId("colour"));
    colour.addEventListener("change", () => {
      this.colouring = colouring(this.atlas, colour.value);
      this.group = null;
      this.#paint();
    });
    const unit = /** @type {HTMLSelectElement} */ (byId("unit"));
    unit.addEventListener("change", () => this.#places(unit.value));
    byId("zoom-in").addEventListener("click", () => this.map.zoom(1.5));
    byId("zoom-out").addEventListener("click", () => this.map.zoom(1 / 1.5));
    byId("zoom-all").addEventListener("click", () => this.map.reset());
    byId("search").addEventListener("submit", (event) => event.preventDefault());
    this.query.addEventListener("input", () => this.#find());
    for (const canvas of [this.map.canvas, this.graph.canvas]) {
      canvas.addEventListener("keydown", (event) => {
        if (event.key === "Enter") this.detail.focus();
        if (event.key === "Escape") this.#clear();
      });
    }
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#paint());
  }

  /**
   * @param {HTMLElement} tab
   * @param {HTMLElement[]} tabs
   */
  #show(tab, tabs) {
    for (const one of tabs) {
      const chosen = one === tab;
      one.setAttribute("aria-selected", String(chosen));
      one.tabIndex = chosen ? 0 : -1;
      byId(one.getAttribute("aria-controls") ?? "").hidden = !chosen;
    }
    byId("colour-choice").hidden = tab.id !== "tab-map";
    byId("unit-choice").hidden = tab.id !== "tab-places";
    if (tab.id === "tab-places" && !byId("hot").firstChild) this.#places("definition");
  }

  /** @param {string} unit */
  #places(unit) {
    showPlaces(this.atlas, unit === "file", (edit) => {
      this.open(edit);
      this.detail.focus({ preventScroll: true });
    });
  }

  #find() {
    const text = this.query.value;
    const results = /** @type {HTMLOListElement} */ (byId("results"));
    let some = false;
    if (!text.trim()) {
      this.found = null;
      byId("status").textContent = "The newest edits. Search, or click the map.";
    } else {
      this.search ??= new Search(this.atlas);
      const { edits, all } = this.search.find(text);
      this.found = edits;
      some = !all && edits.length > 0;
      const count = counted(edits.length, "edit");
      byId("status").textContent = all ? count : some ? `No edit has all of these words. These have some. (${count})` : "No edits match these words.";
    }
    byId("results-title").textContent = some ? "With some of these words" : this.found ? "Search results" : "Newest edits";
    const shown = this.found ?? Array.from({ length: Math.min(FIRST, this.atlas.size) }, (_, edit) => edit);
    editList(this.atlas, shown, this.selected, (edit) => {
      this.open(edit);
      this.detail.focus({ preventScroll: true });
    }, results);
    this.detail.replaceChildren();
    this.detail.parentElement?.scrollTo(0, 0);
    this.#paint();
  }

  #clear() {
    this.selected = -1;
    this.file = -1;
    this.detail.replaceChildren();
    this.map.select(-1, false);
    this.graph.select(-1, false);
  }

  /** Colours the map: what a search did not find, or is not in the group chosen, steps back. */
  #paint() {
    styles.clear(); // light may have become dark
    const { groups, names, scale } = this.colouring;
    const colours = names.map((_, number) => colour(scale, number));
    const painted = groups.slice();
    if (this.found) {
      painted.fill(DIM);
      for (const edit of this.found) painted[edit] = at(groups, edit);
    }
    if (this.group !== null) {
      const group = this.group;
      painted.forEach((own, edit) => {
        if (own !== group) painted[edit] = DIM;
      });
    }
    this.map.paint(painted, colours, style("--dim"));
    const deleted = Uint8Array.from(this.atlas.record.files.in_head, (one) => Number(!one));
    this.graph.paint(deleted, [style("--accent"), style("--c8")], style("--dim"));
    this.#legend(colours);
  }

  /** @param {string[]} colours */
  #legend(colours) {
    const legend = byId("legend");
    const focused = [...legend.querySelectorAll("button")].indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
    legend.replaceChildren(
      ...this.colouring.names.map((name, number) => {
        const swatch = el("span", { className: "swatch" });
        swatch.style.background = at(colours, number);
        const button = el("button", { type: "button", "aria-pressed": String(this.group === number), title: name }, swatch, name);
        button.addEventListener("click", () => {
          this.group = this.group === number ? null : number;
          this.#paint();
        });
        return el("li", {}, button);
      }),
    );
    if (focused >= 0) /** @type {HTMLElement | undefined} */ (legend.querySelectorAll("button")[focused])?.focus();
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {Stage} stage
   */
  #overMap(context, stage) {
    const { atlas, selected } = this;
    const ink = style("--ink");
    const labels = new Labels(context, stage);
    if (selected >= 0) {
      const chain = at(atlas.ofDefinition, atlas.definition(selected)).slice(0, 500);
      const places = chain.map((edit) => stage.project(at(atlas.x, edit), at(atlas.y, edit)));
      context.strokeStyle = ink;
      context.lineWidth = 1.2;
      context.beginPath();
      for (const place of places) context.lineTo(...place);
      context.stroke();
      const heads = places.slice(1).flatMap((older, number) => arrowhead(older, at(places, number)));
      context.fillStyle = ink;
      context.beginPath();
      heads.forEach((corner, number) => (number % 3 ? context.lineTo(...corner) : context.moveTo(...corner)));
      context.fill();
      stage.canvas.dataset["arrows"] = String(heads.length / 3); // for tests
      for (const edit of chain) ring(context, stage, edit, stage.radius(edit) + 2, 1.5);
      for (const edit of at(atlas.record.edits.alike, selected)) ring(context, stage, edit, stage.radius(edit) + 4, 1);
      ring(context, stage, selected, stage.radius(selected) + 6, 3);
      labels.add(atlas.name(selected), ...stage.project(at(atlas.x, selected), at(atlas.y, selected) - 14 / stage.view.scale), 13, true);
    }
    for (const region of atlas.record.regions) {
      labels.add(region.words.join(" · "), ...stage.project(region.x, region.y), 11 + Math.min(4, region.edits / (atlas.size / 30)));
    }
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {Stage} stage
   */
  #pairs(context, stage) {
    const { files } = this.atlas.record;
    const [near, far] = [style("--accent"), style("--dim")];
    for (const [one, other, together] of files.pairs) {
      const own = one === this.file || other === this.file;
      context.strokeStyle = own ? near : far;
      context.globalAlpha = own || this.file < 0 ? 0.9 : 0.4;
      context.lineWidth = Math.min(5, 0.6 + Math.log2(together) / 2);
      context.beginPath();
      context.moveTo(...stage.project(at(stage.x, one), at(stage.y, one)));
      context.lineTo(...stage.project(at(stage.x, other), at(stage.y, other)));
      context.stroke();
    }
    context.globalAlpha = 1;
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {Stage} stage
   */
  #fileNames(context, stage) {
    const { files } = this.atlas.record;
    const labels = new Labels(context, stage);
    const write = (/** @type {number} */ file, must = false) => {
      const [px, py] = stage.project(at(stage.x, file), at(stage.y, file));
      labels.add(at(this.fileNames, file), px, py - stage.radius(file) - 8, 12, must);
    };
    if (this.file >= 0) {
      ring(context, stage, this.file, stage.radius(this.file) + 4, 3);
      write(this.file, true);
      for (const [one, other] of files.pairs) {
        if (one === this.file) write(other);
        if (other === this.file) write(one);
      }
    }
    for (const file of this.byCommits) write(file);
  }
}

/** Texts on a canvas that do not cover each other. */
class Labels {
  /**
   * @param {CanvasRenderingContext2D} context
   * @param {Stage} stage
   */
  constructor(context, stage) {
    this.context = context;
    this.stage = stage;
    this.ink = style("--ink");
    this.halo = style("--surface");
    /** @type {[number, number, number, number][]} left, top, right, bottom */
    this.taken = [];
    const buttons = stage.canvas.parentElement?.querySelector(".zoom")?.getBoundingClientRect();
    const { left, top } = stage.canvas.getBoundingClientRect();
    /** where buttons lie over the canvas */
    this.covered = buttons ? /** @type {typeof this.taken} */ ([[buttons.left - left, buttons.top - top, buttons.right - left, buttons.bottom - top]]) : [];
  }

  /**
   * Writes a text at a place, or near it where that is taken; not at all where there is no room, unless it must be there.
   * @param {string} text
   * @param {number} px
   * @param {number} py
   * @param {number} size
   * @param {boolean} must
   */
  add(text, px, py, size, must = false) {
    const { context, stage } = this;
    if (px < 0 || py < 0 || px > stage.width || py > stage.height) return;
    const shown = text.length > 48 ? `${text.slice(0, 47)}…` : text;
    context.font = `600 ${size}px system-ui, "DejaVu Sans", sans-serif`;
    const half = context.measureText(shown).width / 2 + 4;
    const middle = Math.max(half, Math.min(stage.width - half, px));
    const boxes = [0, 1.6, -1.6].map((lines) => {
      const line = Math.max(size, Math.min(stage.height - size, py + lines * size));
      return /** @type {[number, number, number, number]} */ ([middle - half, line - size * 0.7, middle + half, line + size * 0.7]);
    });
    const box = boxes.find((one) => ![...this.taken, ...this.covered].some((other) => one[0] < other[2] && one[2] > other[0] && one[1] < other[3] && one[3] > other[1]));
    if (!box && !must) return;
    const own = box ?? at(boxes, 0);
    this.taken.push(own);
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.lineJoin = "round";
    context.lineWidth = 4;
    context.strokeStyle = this.halo;
    context.strokeText(shown, middle, (own[1] + own[3]) / 2);
    context.fillStyle = this.ink;
    context.fillText(shown, middle, (own[1] + own[3]) / 2);
    stage.canvas.dataset["labels"] = JSON.stringify(this.taken.map((one) => one.map(Math.round))); // for tests
  }
}

/**
 * The corners of an arrowhead in the middle of a line, the tip first; none where the line is short.
 * @param {[number, number]} from
 * @param {[number, number]} to
 * @returns {[number, number][]}
 */
function arrowhead([fromX, fromY], [toX, toY]) {
  const length = Math.hypot(toX - fromX, toY - fromY);
  if (length < SHORTEST) return [];
  const [alongX, alongY] = [(toX - fromX) / length, (toY - fromY) / length];
  const [x, y] = [(fromX + toX) / 2, (fromY + toY) / 2];
  return [
    [x + 5 * alongX, y + 5 * alongY],
    [x - 4 * alongX - 4 * alongY, y - 4 * alongY + 4 * alongX],
    [x - 4 * alongX + 4 * alongY, y - 4 * alongY - 4 * alongX],
  ];
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Stage} stage
 * @param {number} point
 * @param {number} radius
 * @param {number} width
 */
function ring(context, stage, point, radius, width) {
  const [px, py] = stage.project(at(stage.x, point), at(stage.y, point));
  context.strokeStyle = style("--ink");
  context.lineWidth = width;
  context.beginPath();
  context.arc(px, py, radius, 0, 2 * Math.PI);
  context.stroke();
}

/**
 * The group of each edit, and the names of the groups.
 * @param {Atlas} atlas
 * @param {string} by
 * @returns {{groups: Uint8Array, names: string[], scale: string}}
 */
function colouring(atlas, by) {
  const { record, size } = atlas;
  const groups = new Uint8Array(size);
  if (by === "kind") {
    const letters = ["m", "a", "r"];
    record.edits.kind.forEach((letter, edit) => (groups[edit] = letters.indexOf(letter)));
    return { groups, names: letters.map((letter) => KINDS[letter] ?? letter), scale: "c" };
  }
  if (by === "time") {
    // The same number of edits in each.
    const order = Array.from({ length: size }, (_, edit) => edit).sort((one, other) => atlas.date(one) - atlas.date(other) || one - other);
    const names = [];
    for (let group = 0; group < COLOURS; group++) {
      const some = order.slice(Math.floor((group * size) / COLOURS), Math.floor(((group + 1) * size) / COLOURS));
      for (const edit of some) groups[edit] = group;
      names.push(some.length ? `from ${day(atlas.date(at(some, 0)))}` : "–");
    }
    return { groups, names, scale: "t" };
  }
  const key = by === "author" ? (/** @type {number} */ edit) => atlas.author(edit) : (/** @type {number} */ edit) => folderOf(atlas.path(edit));
  /** @type {Map<string, number>} */
  const counts = new Map();
  const keys = Array.from({ length: size }, (_, edit) => key(edit));
  for (const name of keys) counts.set(name, (counts.get(name) ?? 0) + 1);
  const leading = [...counts].sort((one, other) => other[1] - one[1] || (one[0] < other[0] ? -1 : 1)).slice(0, COLOURS).map(([name]) => name);
  const numbers = new Map(leading.map((name, number) => [name, number]));
  keys.forEach((name, edit) => (groups[edit] = numbers.get(name) ?? COLOURS));
  return { groups, names: counts.size > COLOURS ? [...leading, "others"] : leading, scale: "c" };
}

/**
 * Each path by its last parts, as many as tell it from the others.
 * @param {string[]} paths
 */
function shortNames(paths) {
  const parts = paths.map((path) => path.split("/"));
  const names = parts.map((some) => some.slice(-1).join("/"));
  for (let length = 2; ; length++) {
    /** @type {Map<string, number>} */
    const counts = new Map();
    for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
    const alike = names.flatMap((name, file) => ((counts.get(name) ?? 0) > 1 && at(parts, file).length >= length ? [file] : []));
    if (!alike.length) return names;
    for (const file of alike) names[file] = at(parts, file).slice(-length).join("/");
  }
}

/**
 * The first two folders of a path.
 * @param {string} path
 */
function folderOf(path) {
  const parts = path.split("/");
  return parts.length > 1 ? parts.slice(0, Math.min(2, parts.length - 1)).join("/") : "(top folder)";
}

/**
 * @param {string} scale
 * @param {number} number
 */
function colour(scale, number) {
  return style(`--${scale}${number}`);
}

/** @type {Map<string, string>} */
const styles = new Map();

/** The value of a custom property, as it was when the map was last painted. @param {string} name */
function style(name) {
  let value = styles.get(name);
  if (value === undefined) {
    value = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    styles.set(name, value);
  }
  return value;
}

void (async () => {
  try {
    new Explorer(new Atlas(/** @type {PageData} */ (await unpack("data"))));
    document.documentElement.dataset["ready"] = "true";
  } catch (error) {
    byId("summary").textContent = `This page could not be displayed (${error}). It needs a browser from 2023 or later.`;
  }
})();
