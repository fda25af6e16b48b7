
"use strict";

// Draws many points that can be moved, zoomed, pointed at and walked through with the keyboard.
//
// What a frame costs is bounded by the points it draws: at most SLICE. More of them are drawn into a picture that is kept
// aside, a slice a frame, while the last whole picture is shown where the view has moved to.

/** Points that one frame draws. */
const SLICE = 16384;
const CELLS = 128;
const FURTHEST = 64;
const DIM = 255;

/** @typedef {{x: number, y: number, scale: number}} View the middle in map units, and pixels per map unit */

/**
 * @typedef {object} Look
 * @property {number} radius of a point in pixels, on the whole map
 * @property {(point: number) => void} picked
 * @property {(point: number) => string} words
 * @property {(context: CanvasRenderingContext2D, stage: Stage) => void} under
 * @property {(context: CanvasRenderingContext2D, stage: Stage) => void} over
 */

class Stage {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {HTMLElement} tip
   * @param {Float32Array} x
   * @param {Float32Array} y
   * @param {Float32Array | null} sizes of points, relative to the radius; null: all are alike
   * @param {Look} look
   */
  constructor(canvas, tip, x, y, sizes, look) {
    this.canvas = canvas;
    this.tip = tip;
    this.x = x;
    this.y = y;
    this.sizes = sizes;
    this.look = look;
    this.size = x.length;
    this.selected = -1;
    this.width = 0;
    this.height = 0;
    this.ratio = 1;
    /** @type {View} */
    this.view = { x: 0.5, y: 0.5, scale: 0 };
    /** @type {string[]} */
    this.colours = [];
    this.dim = "#888";
    /** @type {Uint8Array} */
    this.groups = new Uint8Array(this.size);
    this.order = mixed(this.size);
    this.drawn = new Uint32Array(this.size);
    this.whole = picture();
    this.next = picture();
    this.cursor = 0;
    this.changed = true;
    this.queued = false;
    this.mostPoints = 0;
    this.frames = 0;
    this.cells = new Cells(x, y);
    this.#listen();
    new ResizeObserver(() => this.#resized()).observe(canvas);
  }

  /**
   * The colour of each point, by its group; DIM for those that step back.
   * @param {Uint8Array} groups
   * @param {string[]} colours
   * @param {string} dim
   */
  paint(groups, colours, dim) {
    this.groups = groups;
    this.colours = colours;
    this.dim = dim;
    // What steps back is drawn first; within a slice by colour, as changing it takes time.
    const back = this.order.filter((point) => groups[point] === DIM);
    const front = this.order.filter((point) => groups[point] !== DIM);
    this.drawn.set(back);
    this.drawn.set(front, back.length);
    for (let begin = 0; begin < this.size; begin += SLICE) {
      const slice = this.drawn.subarray(begin, begin + SLICE);
      slice.sort((one, other) => rank(at(groups, one)) - rank(at(groups, other)));
    }
    this.redraw();
  }

  /** Draws everything anew. */
  redraw() {
    this.changed = true;
    this.#queue();
  }

  /** Draws what lies over the points anew. */
  overlay() {
    this.#queue();
  }

  /**
   * @param {number} point
   * @param {boolean} show whether to move the view to it
   */
  select(point, show) {
    this.selected = point;
    if (point >= 0 && show && this.width) {
      const [px, py] = this.project(at(this.x, point), at(this.y, point));
      const edge = Math.min(60, this.width / 4, this.height / 4);
      if (px < edge || py < edge || px > this.width - edge || py > this.height - edge) {
        this.view = { ...this.view, x: at(this.x, point), y: at(this.y, point) };
        this.changed = true;
      }
    }
    this.#queue();
  }

  /** Shows all points. */
  reset() {
    this.view = { x: 0.5, y: 0.5, scale: this.#least() };
    this.redraw();
  }

  /**
   * @param {number} factor
   * @param {number} [px]
   * @param {number} [py] the point of the canvas that stays where it is
   */
  zoom(factor, px = this.width / 2, py = this.height / 2) {
    const least = this.#least();
    const scale = Math.max(least * 0.8, Math.min(least * FURTHEST, this.view.scale * factor));
    const x = this.view.x + (px - this.width / 2) * (1 / this.view.scale - 1 / scale);
    const y = this.view.y + (py - this.height / 2) * (1 / this.view.scale - 1 / scale);
    this.view = { x, y, scale };
    this.redraw();
  }

  /**
   * @param {number} x
   * @param {number} y
   * @returns {[number, number]} pixels
   */
  project(x, y) {
    return [(x - this.view.x) * this.view.scale + this.width / 2, (y - this.view.y) * this.view.scale + this.height / 2];
  }

  /** How much the view is enlarged; 1: the whole map. */
  get enlarged() {
    return this.view.scale / this.#least();
  }

  /**
   * The radius of a point in pixels.
   * @param {number} point
   */
  radius(point) {
    const size = this.sizes ? at(this.sizes, point) : 1;
    return Math.min(size * this.look.radius * Math.sqrt(Math.max(1, this.enlarged)), 14);
  }

  /**
   * The nearest point within reach of a place on the canvas, or -1.
   * @param {number} px
   * @param {number} py
   */
  pick(px, py) {
    const { view } = this;
    const reach = 14 / view.scale;
    return this.cells.nearest((px - this.width / 2) / view.scale + view.x, (py - this.height / 2) / view.scale + view.y, reach);
  }

  #least() {
    return Math.max(1, Math.min(this.width, this.height)) * 0.96;
  }

  #resized() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!width || !height) return;
    const before = this.width ? this.enlarged : 0;
    this.ratio = Math.min(2, window.devicePixelRatio || 1);
    this.width = width;
    this.height = height;
    for (const canvas of [this.canvas, this.whole.canvas, this.next.canvas]) {
      canvas.width = Math.round(width * this.ratio);
      canvas.height = Math.round(height * this.ratio);
    }
    this.whole.view = null;
    this.view = { ...this.view, scale: this.#least() * (before || 1) };
    this.redraw();
  }

  #queue() {
    if (this.queued) return;
    this.queued = true;
    requestAnimationFrame(() => this.#frame());
  }

  #frame() {
    this.queued = false;
    const context = this.canvas.getContext("2d");
    if (!context || !this.width) return;
    const { next } = this;
    if (this.changed) {
      this.changed = false;
      this.cursor = 0;
      next.view = { ...this.view };
      next.context.setTransform(1, 0, 0, 1, 0, 0);
      next.context.clearRect(0, 0, next.canvas.width, next.canvas.height);
      next.context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    }
    if (next.view) {
      const drawn = this.#slice(next.context);
      this.mostPoints = Math.max(this.mostPoints, drawn);
      if (this.cursor >= this.size) {
        this.next = this.whole;
        this.whole = next;
        this.next.view = null;
      }
    }
    this.frames++;
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    this.look.under(context, this);
    const shown = this.whole.view ? this.whole : this.next;
    if (shown.view) {
      const factor = this.view.scale / shown.view.scale;
      const dx = (shown.view.x - this.view.x) * this.view.scale + (this.width / 2) * (1 - factor);
      const dy = (shown.view.y - this.view.y) * this.view.scale + (this.height / 2) * (1 - factor);
      context.drawImage(shown.canvas, dx, dy, this.width * factor, this.height * factor);
    }
    this.look.over(context, this);
    if (this.next.view) this.#queue();
    // For tests: the work of the largest frame, and whether everything is drawn.
    this.canvas.dataset["mostPoints"] = String(this.mostPoints);
    this.canvas.dataset["frames"] = String(this.frames);
    this.canvas.dataset["whole"] = String(!this.next.view);
  }

  /**
   * Draws the next points; how many.
   * @param {CanvasRenderingContext2D} context
   */
  #slice(context) {
    const begin = this.cursor;
    const end = Math.min(this.size, begin + SLICE);
    this.cursor = end;
    let group = -1;
    let open = false;
    for (let number = begin; number < end; number++) {
      const point = at(this.drawn, number);
      const own = at(this.groups, point);
      if (own !== group) {
        if (open) context.fill();
        group = own;
        open = false;
        context.globalAlpha = own === DIM ? 0.55 : 0.9;
        context.fillStyle = own === DIM ? this.dim : (this.colours[own] ?? this.dim);
      }
      const [px, py] = this.project(at(this.x, point), at(this.y, point));
      const radius = this.radius(point);
      if (px < -radius || py < -radius || px > this.width + radius || py > this.height + radius) continue;
      if (radius < 2) {
        context.fillRect(px - radius, py - radius, 2 * radius, 2 * radius);
      } else {
        if (!open) context.beginPath();
        open = true;
        context.moveTo(px + radius, py);
        context.arc(px, py, radius, 0, 2 * Math.PI);
      }
    }
    if (open) context.fill();
    context.globalAlpha = 1;
    return end - begin;
  }

  #listen() {
    const { canvas } = this;
    /** @type {Map<number, [number, number]>} */
    const down = new Map();
    let moved = 0;
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      down.set(event.pointerId, [event.offsetX, event.offsetY]);
      if (down.size === 1) moved = 0;
      this.#hide();
    });
    canvas.addEventListener("pointermove", (event) => {
      const before = down.get(event.pointerId);
      if (!before) {
        if (event.pointerType === "mouse") this.#point(event.offsetX, event.offsetY);
        return;
      }
      const [px, py] = before;
      moved += Math.abs(event.offsetX - px) + Math.abs(event.offsetY - py);
      if (down.size === 1) {
        const { view } = this;
        this.view = { ...view, x: view.x - (event.offsetX - px) / view.scale, y: view.y - (event.offsetY - py) / view.scale };
        this.redraw();
      } else {
        const other = [...down].find(([id]) => id !== event.pointerId);
        if (other) {
          const [ox, oy] = other[1];
          const now = Math.hypot(event.offsetX - ox, event.offsetY - oy);
          this.zoom(now / Math.max(1, Math.hypot(px - ox, py - oy)), (event.offsetX + ox) / 2, (event.offsetY + oy) / 2);
        }
      }
      down.set(event.pointerId, [event.offsetX, event.offsetY]);
    });
    const up = (/** @type {PointerEvent} */ event) => {
      const last = down.size === 1 && down.delete(event.pointerId);
      down.delete(event.pointerId);
      if (last && event.type === "pointerup" && moved < 6) {
        const point = this.pick(event.offsetX, event.offsetY);
        if (point >= 0) this.look.picked(point);
      }
    };
    canvas.addEventListener("pointerup", up);
    canvas.addEventListener("pointercancel", up);
    canvas.addEventListener("pointerleave", () => this.#hide());
    canvas.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        this.zoom(Math.exp(-Math.max(-100, Math.min(100, event.deltaY)) / 300), event.offsetX, event.offsetY);
      },
      { passive: false },
    );
    canvas.addEventListener("keydown", (event) => {
      const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
      const step = steps[/** @type {keyof typeof steps} */ (event.key)];
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (step) {
        const point = this.#towards(at(step, 0), at(step, 1));
        if (point >= 0) this.look.picked(point);
      } else if (event.key === "+" || event.key === "=") this.zoom(1.4);
      else if (event.key === "-") this.zoom(1 / 1.4);
      else if (event.key === "0") this.reset();
      else return;
      event.preventDefault();
    });
  }

  /**
   * The nearest point in a direction from the one selected, of those that do not step back; without one, from the middle.
   * @param {number} dx
   * @param {number} dy
   */
  #towards(dx, dy) {
    const from = this.selected;
    const x = from >= 0 ? at(this.x, from) : this.view.x;
    const y = from >= 0 ? at(this.y, from) : this.view.y;
    let best = -1;
    let least = Infinity;
    for (let point = 0; point < this.size; point++) {
      if (point === from || this.groups[point] === DIM) continue;
      const ax = at(this.x, point) - x;
      const ay = at(this.y, point) - y;
      const along = ax * dx + ay * dy;
      const across = Math.abs(ax * dy) + Math.abs(ay * dx);
      if (from >= 0 && (along <= 0 || across > along)) continue;
      const distance = Math.hypot(ax, ay);
      if (distance > 0 && distance < least) {
        least = distance;
        best = point;
      }
    }
    return best;
  }

  /**
   * @param {number} px
   * @param {number} py
   */
  #point(px, py) {
    const point = this.pick(px, py);
    if (point < 0) return this.#hide();
    const { tip } = this;
    tip.textContent = this.look.words(point);
    tip.hidden = false;
    const right = px > this.width / 2;
    tip.style.left = right ? "" : `${px + 14}px`;
    tip.style.right = right ? `${this.width - px + 14}px` : "";
    tip.style.top = `${Math.max(0, Math.min(py + 10, this.height - tip.offsetHeight - 4))}px`;
  }

  #hide() {
    this.tip.hidden = true;
  }
}

/** Points by the cells of a grid that they lie in. */
class Cells {
  /**
   * @param {Float32Array} x
   * @param {Float32Array} y
   */
  constructor(x, y) {
    this.x = x;
    this.y = y;
    this.begins = new Uint32Array(CELLS * CELLS + 1);
    const cells = new Uint32Array(x.length);
    for (let point = 0; point < x.length; point++) {
      const cell = cellOf(at(y, point)) * CELLS + cellOf(at(x, point));
      cells[point] = cell;
      this.begins[cell + 1] = at(this.begins, cell + 1) + 1;
    }
    for (let cell = 0; cell < CELLS * CELLS; cell++) this.begins[cell + 1] = at(this.begins, cell + 1) + at(this.begins, cell);
    this.points = new Uint32Array(x.length);
    const filled = this.begins.slice();
    cells.forEach((cell, point) => {
      this.points[at(filled, cell)] = point;
      filled[cell] = at(filled, cell) + 1;
    });
  }

  /**
   * @param {number} x
   * @param {number} y
   * @param {number} reach
   */
  nearest(x, y, reach) {
    let best = -1;
    let least = reach;
    for (let row = cellOf(y - reach); row <= cellOf(y + reach); row++) {
      for (let column = cellOf(x - reach); column <= cellOf(x + reach); column++) {
        const cell = row * CELLS + column;
        for (let number = at(this.begins, cell); number < at(this.begins, cell + 1); number++) {
          const point = at(this.points, number);
          const distance = Math.hypot(at(this.x, point) - x, at(this.y, point) - y);
          if (distance < least) {
            least = distance;
            best = point;
          }
        }
      }
    }
    return best;
  }
}

/** @param {number} value */
function cellOf(value) {
  return Math.max(0, Math.min(CELLS - 1, Math.floor(value * CELLS)));
}

/** Where a group stands in a slice: the first groups lie over the others. @param {number} group */
function rank(group) {
  return group === DIM ? -DIM : -group;
}

/** A picture that is drawn into before it is shown. */
function picture() {
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d");
  if (!context) throw new Error("This browser cannot draw.");
  return { canvas, context, view: /** @type {View | null} */ (null) };
}

/**
 * The numbers from 0 on in a mixed order, the same every time: the first ones are spread over all.
 * @param {number} size
 */
function mixed(size) {
  const order = Uint32Array.from({ length: size }, (_, number) => number);
  let state = 1;
  for (let last = size - 1; last > 0; last--) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const other = Math.floor((state / 2 ** 32) * (last + 1));
    const kept = at(order, last);
    order[last] = at(order, other);
    order[other] = kept;
  }
  return order;
}
