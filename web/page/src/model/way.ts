/** The part of the map of edits around one edit: the way that the model predicts from there, and the one that was gone. */

import { clear, svg } from './elements.ts';
import type { Point } from './protocol.ts';

export const WAY_SIZE = 320;
const WHOLE = 84; // the small map of all edits, beside it
export const WAY_WIDTH = WAY_SIZE + 12 + WHOLE;
const SMALLEST = 0.01; // of the map, from the edit to the edge of what is shown at the most enlarged
const STEEPEST = 40; // times as large as at the edge, in the middle
const INNER = 0.33; // of what is drawn, from its middle to the farthest place; the numbers stand around it
const AROUND = 0.43;
const APART = 0.44; // radians between two numbers, as seen from the middle
const NUMBER = 11; // radius of a number
const MIDDLE = WAY_SIZE / 2;

interface Mark {
  readonly kind: 'own' | 'expected' | 'followed';
  readonly text: string;
  readonly x: number;
  readonly y: number;
  angle: number;
}

/** Draws it into an `svg` of `WAY_WIDTH` and `WAY_SIZE`. Each number stands outside of the way, joined to its place by a line. */
export function drawWay(home: Element, edits: readonly Point[], own: Point, predicted: readonly Point[], actual: readonly Point[]): void {
  const away = [...predicted, ...actual].map(({ x, y }) => Math.hypot(x - own.x, y - own.y));
  const far = Math.max(SMALLEST, ...away);
  const close = Math.max(far / STEEPEST, Math.min(far, ...away.filter((one) => one > 0)));
  // Distances from the edit by their logarithm: the next step is seen beside one that leads far away.
  const placed = ({ x, y }: Point): Point => {
    const distance = Math.hypot(x - own.x, y - own.y);
    const drawn = distance ? (INNER * WAY_SIZE * Math.log1p(distance / close)) / Math.log1p(far / close) / distance : 0;
    return { x: MIDDLE + (x - own.x) * drawn, y: MIDDLE + (y - own.y) * drawn };
  };
  const dots = (points: readonly Point[]): SVGElement =>
    svg('path', { class: 'model-dots', d: points.map(({ x, y }) => `M${x.toFixed(1)} ${y.toFixed(1)}h0`).join('') });
  const near = edits.map(placed).filter(({ x, y }) => x > 0 && y > 0 && x < WAY_SIZE && y < WAY_SIZE);

  const marks: Mark[] = [
    mark('own', 'you', placed(own)),
    ...predicted.map((point, i) => mark('expected', String(i + 1), placed(point))),
    ...actual.map((point, i) => mark('followed', String(i + 1), placed(point))),
  ];
  const [dx, dy] = [marks.reduce((sum, { x }) => sum + x - MIDDLE, 0), marks.reduce((sum, { y }) => sum + y - MIDDLE, 0)];
  marks[0]!.angle = Math.atan2(-dy, -dx); // it lies in the middle: its name stands where nothing else does
  spread(marks);
  const way = svg('g', { class: 'model-path' });
  const written = svg('g', { class: 'model-numbers' });
  for (const { kind, text, x, y, angle } of marks) {
    const [tx, ty] = [MIDDLE + AROUND * WAY_SIZE * Math.cos(angle), MIDDLE + AROUND * WAY_SIZE * Math.sin(angle)];
    written.append(svg('path', { class: `model-lead model-${kind}`, d: `M${x.toFixed(1)} ${y.toFixed(1)}L${tx.toFixed(1)} ${ty.toFixed(1)}` }));
    const shape =
      kind === 'followed'
        ? svg('rect', { class: `model-${kind}`, x: String(tx - NUMBER), y: String(ty - NUMBER), width: String(2 * NUMBER), height: String(2 * NUMBER) })
        : svg('circle', { class: `model-${kind}`, cx: String(tx), cy: String(ty), r: String(kind === 'own' ? 1.5 * NUMBER : NUMBER) });
    const label = svg('text', { class: `model-${kind}`, x: String(tx), y: String(ty + 4.5) });
    label.textContent = text;
    written.append(shape, label);
  }
  let from = marks[0];
  for (const to of marks.filter(({ kind }) => kind === 'expected')) {
    if (from) way.append(arrow(from, to));
    from = to;
  }
  for (const { x, y } of actual.map(placed)) way.append(svg('rect', { x: String(x - 4), y: String(y - 4), width: '8', height: '8' }));
  const { x, y } = placed(own);
  way.append(svg('circle', { cx: String(x), cy: String(y), r: '5' }));

  const whole = svg('g', { class: 'model-whole', transform: `translate(${WAY_WIDTH - WHOLE} 0)` });
  const small = (value: number): string => (Math.max(0, Math.min(1, value)) * WHOLE).toFixed(1);
  whole.append(
    svg('rect', { class: 'model-frame', width: String(WHOLE), height: String(WHOLE) }),
    dots(edits.filter((_, i) => i % 4 === 0).map((point) => ({ x: point.x * WHOLE, y: point.y * WHOLE }))),
    svg('rect', { class: 'model-here', x: small(own.x - far), y: small(own.y - far), width: Math.max(4, 2 * far * WHOLE).toFixed(1), height: Math.max(4, 2 * far * WHOLE).toFixed(1) }),
  );
  clear(home);
  home.append(dots(near), written, way, whole);
}

function mark(kind: Mark['kind'], text: string, { x, y }: Point): Mark {
  return { kind, text, x, y, angle: Math.atan2(y - MIDDLE, x - MIDDLE) };
}

/** Turns the numbers, in their order around the middle, until none covers another. */
function spread(marks: readonly Mark[]): void {
  const order = [...marks].sort((one, other) => one.angle - other.angle);
  const gap = Math.min(APART, (2 * Math.PI) / (order.length + 2));
  for (let round = 0; round < 200; round++) {
    let moved = false;
    order.forEach((one, i) => {
      const next = order[(i + 1) % order.length];
      if (!next || next === one) return;
      const turn = i + 1 === order.length ? 2 * Math.PI : 0;
      const lack = gap - (next.angle + turn - one.angle);
      if (lack <= 1e-6) return;
      one.angle -= lack / 2;
      next.angle += lack / 2;
      moved = true;
    });
    if (!moved) return;
  }
}

function arrow(from: Point, to: Point): SVGElement {
  const turn = Math.atan2(to.y - from.y, to.x - from.x);
  const wing = (by: number): string => `L ${(to.x - 7 * Math.cos(turn + by)).toFixed(1)} ${(to.y - 7 * Math.sin(turn + by)).toFixed(1)}`;
  const point = `${to.x.toFixed(1)} ${to.y.toFixed(1)}`;
  return svg('path', { d: `M ${from.x.toFixed(1)} ${from.y.toFixed(1)} L ${point} ${wing(0.5)} M ${point} ${wing(-0.5)}` });
}
