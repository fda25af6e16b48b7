// The study of collapse as an interactive chart: docs/study/collapse.json, means of its seeds.
import study from '../../../docs/study/collapse.json' with { type: 'json' };

interface Evaluation {
  step: number;
  copy_indicator: number;
  transition_cosine_paper: number;
  transition_cosine: number;
  rank_online: number;
  rank_target: number;
  rank_predicted: number;
  feature_std: number;
  'knn@5': number;
}

export interface Run {
  arm: string;
  seed: number;
  alarm: number | null;
  evaluations: Evaluation[];
  loss_steps: number[];
  losses: number[];
}

interface Measure {
  name: string;
  /** What to look for in it. */
  about: string;
  /** The curve of a run: steps and values. */
  of: (run: Run) => [number, number][];
  logarithmic?: boolean;
  digits: number;
}

const ARMS: Record<string, { name: string; target: string }> = {
  scaled: { name: 'fast', target: 'follows as fast, for its 300 steps, as the paper’s 0.996 does for its 15,000' },
  fast: { name: '0.996', target: 'keeps 0.996 of itself a step' },
  'near-static': { name: '0.99999', target: 'nearly stands still' },
  frozen: { name: 'frozen', target: 'never moves' },
  sigreg: { name: 'none, SIGReg', target: 'does not exist: another term keeps the states apart' },
};

const evaluated = (value: (one: Evaluation) => number) => (run: Run): [number, number][] => run.evaluations.map((one) => [one.step, value(one)]);

const MEASURES: Record<string, Measure> = {
  copy: { name: 'copy indicator', about: 'How alike the target draws before and after. At 1, copying is a perfect prediction.', of: evaluated((one) => one.copy_indicator), digits: 3 },
  gap: { name: 'copy indicator’s gap to 1', about: 'The same on a logarithmic scale: a collapse is a fall that does not end.', of: evaluated((one) => Math.max(1e-7, 1 - one.copy_indicator)), logarithmic: true, digits: 5 },
  loss: { name: 'loss', about: 'The run that collapses has the best loss nearly to the end: the loss hides it.', of: (run) => run.loss_steps.map((step, at) => [step, run.losses[at] ?? NaN]), logarithmic: true, digits: 3 },
  rank: { name: 'effective rank, online', about: 'How many directions the states use. A collapse loses them.', of: evaluated((one) => one.rank_online), digits: 1 },
  target: { name: 'effective rank, target', about: 'The same of the target’s states.', of: evaluated((one) => one.rank_target), digits: 1 },
  predicted: { name: 'effective rank, predicted', about: 'The same of the predicted states.', of: evaluated((one) => one.rank_predicted), digits: 1 },
  spread: { name: 'deviation of the features', about: 'How far states lie apart at all.', of: evaluated((one) => one.feature_std), digits: 3 },
  paper: { name: 'transition cosine, the paper’s', about: 'It stays high while the model collapses: it cannot tell the two apart.', of: evaluated((one) => one.transition_cosine_paper), digits: 3 },
  honest: { name: 'transition cosine, honest', about: 'Both ends in the target’s space: it falls with the collapse.', of: evaluated((one) => one.transition_cosine), digits: 3 },
  found: { name: 'true next state among the nearest five', about: 'What the model is for. After a collapse it is found no more.', of: evaluated((one) => one['knn@5']), digits: 3 },
};

const WIDTH = 640;
const HEIGHT = 320;
const [LEFT, RIGHT, TOP, BOTTOM] = [64, 14, 12, 40];

/** The mean curve of the runs of an arm. */
export function meanCurve(runs: readonly Run[], of: (run: Run) => [number, number][]): [number, number][] {
  const curves = runs.map(of);
  return (curves[0] ?? []).map(([step], at) => [step, curves.reduce((sum, curve) => sum + (curve[at]?.[1] ?? NaN), 0) / curves.length]);
}

/** The value of a curve at a step: its last one up to then. */
export function valueAt(curve: readonly [number, number][], step: number): number {
  return curve.filter(([at]) => at <= step).at(-1)?.[1] ?? curve[0]?.[1] ?? NaN;
}

/** What can be said of the arm at a step. */
export function verdict(indicator: number, step: number, alarm: number | null, found: number): string {
  const nearest = `the true next state is among the nearest five in ${Math.round(100 * found)} %`;
  if (indicator > 0.95) return `Collapsed: before and after are one arrow, so copying is perfect, and ${nearest}. The alarm ${alarm !== null && alarm <= step ? `sounded at step ${alarm}` : 'has not sounded'}.`;
  if (alarm !== null && alarm <= step) return `On its way: the arrows close up step by step, and the alarm sounded at step ${alarm}; ${nearest}.`;
  return `Healthy: before and after stay ${Math.round((Math.acos(Math.min(1, indicator)) * 180) / Math.PI)}° apart; ${nearest}.`;
}

export function mountStudy(): void {
  const runs = study.runs as unknown as Run[];
  const names = Object.keys(ARMS);
  const byArm = new Map(names.map((arm) => [arm, runs.filter((run) => run.arm === arm)]));
  let chosen = 'scaled';
  const arms = element('arms');
  for (const [number, arm] of names.entries()) {
    const input = Object.assign(document.createElement('input'), { type: 'radio', name: 'arm', value: arm, checked: arm === chosen });
    const swatch = Object.assign(document.createElement('span'), { className: `swatch arm${number}` });
    const label = document.createElement('label');
    label.append(input, swatch, ARMS[arm]?.name ?? arm);
    input.addEventListener('change', () => {
      chosen = arm;
      draw();
    });
    arms.append(label);
  }
  const measure = element('measure') as HTMLSelectElement;
  for (const [value, one] of Object.entries(MEASURES)) measure.append(Object.assign(document.createElement('option'), { value, textContent: one.name }));
  const step = element('step') as HTMLInputElement;
  measure.addEventListener('change', () => draw());
  step.addEventListener('input', () => draw());
  const repositories = study.repositories as { name: string; use: string }[];
  const trained = repositories.filter((one) => one.use === 'train').map((one) => one.name);
  element('study-note').textContent = `${study.what}; trained on ${trained.join(', ')}. ${runs.length} runs, ${Math.round(study.minutes)} minutes on a laptop’s processor.`;

  const draw = () => {
    const now = Number(step.value);
    element('step-said').textContent = step.value;
    const one = MEASURES[measure.value] ?? Object.values(MEASURES)[0]!;
    const own = byArm.get(chosen) ?? [];
    const number = names.indexOf(chosen);
    const indicator = valueAt(meanCurve(own, MEASURES['copy']!.of), now);
    const found = valueAt(meanCurve(own, MEASURES['found']!.of), now);
    const alarms = own.map((run) => run.alarm).filter((alarm) => alarm !== null);
    const alarm = alarms.length > own.length / 2 ? Math.min(...alarms) : null;
    drawArrows(indicator, number);
    element('arrows-words').textContent = `Before and after, as the target draws them at step ${now}: cosine ${indicator.toFixed(indicator > 0.999 ? 5 : 3)}. This target ${ARMS[chosen]?.target ?? ''}.`;
    drawCurves(one, names.map((arm) => meanCurve(byArm.get(arm) ?? [], one.of)), number, now);
    element('curves-words').textContent = `${one.name[0]?.toUpperCase()}${one.name.slice(1)}, means of three seeds. ${one.about}`;
    element('verdict').textContent = verdict(indicator, now, alarm, found);
    drawTable(names, byArm, chosen, now);
  };
  draw();
}

function drawArrows(indicator: number, number: number): void {
  const half = Math.acos(Math.max(-1, Math.min(1, indicator))) / 2;
  const picture = element('arrows');
  const arrow = (angle: number, name: string, dashed: boolean) => {
    const [x, y] = [100 * Math.sin(angle), -100 * Math.cos(angle)];
    const line = svg('path', { d: `M0 0L${x} ${y}`, class: `arm${number}`, 'stroke-width': 5, 'stroke-linecap': 'round', ...(dashed ? { 'stroke-dasharray': '2 9' } : {}) });
    const end = svg('circle', { cx: x, cy: y, r: 5, class: `arm${number}`, fill: 'none', 'stroke-width': 3 });
    const label = svg('text', { x: x + (angle < 0 ? -9 : 9), y: y + 4, 'text-anchor': angle < 0 ? 'end' : 'start' });
    label.textContent = name;
    return [line, end, label];
  };
  const arc = svg('path', { d: 'M-100 0A100 100 0 0 1 100 0', class: 'grid' });
  picture.replaceChildren(arc, ...arrow(-Math.max(half, 1e-4), 'before', false), ...arrow(half, 'after', true));
}

function drawCurves(measure: Measure, curves: [number, number][][], chosen: number, now: number): void {
  const all = curves.flat().map(([, value]) => value);
  const scale = (value: number) => (measure.logarithmic ? Math.log10(value) : value);
  let [low, high] = [Math.min(...all.map(scale)), Math.max(...all.map(scale))];
  const room = (high - low || 1) * 0.06;
  [low, high] = [low - room, high + room];
  const x = (step: number) => LEFT + ((WIDTH - LEFT - RIGHT) * step) / 300;
  const y = (value: number) => TOP + ((HEIGHT - TOP - BOTTOM) * (high - scale(value))) / (high - low);
  const parts: SVGElement[] = [];
  for (const value of ticks(low, high, measure.logarithmic ?? false)) {
    parts.push(svg('path', { d: `M${LEFT} ${y(value)}H${WIDTH - RIGHT}`, class: 'grid' }));
    const label = svg('text', { x: LEFT - 8, y: y(value) + 4, 'text-anchor': 'end', class: 'faint' });
    label.textContent = measure.logarithmic && value < 0.01 ? value.toExponential(0) : String(Number(value.toPrecision(3)));
    parts.push(label);
  }
  for (const step of [0, 60, 120, 180, 240, 300]) {
    const label = svg('text', { x: x(step), y: HEIGHT - BOTTOM + 20, 'text-anchor': 'middle', class: 'faint' });
    label.textContent = step ? String(step) : 'step 0';
    parts.push(label);
  }
  parts.push(svg('path', { d: `M${x(now)} ${TOP}V${HEIGHT - BOTTOM}`, class: 'now' }));
  const order = curves.map((_, number) => number).sort((one, other) => Number(one === chosen) - Number(other === chosen));
  for (const number of order) {
    const curve = curves[number] ?? [];
    parts.push(svg('path', { d: `M${curve.map(([step, value]) => `${x(step)} ${y(value)}`).join('L')}`, class: `curve arm${number}${number === chosen ? ' chosen' : ''}` }));
  }
  element('curves').replaceChildren(...parts);
}

/** Round values between two ends (of the logarithm, where that is drawn). */
export function ticks(low: number, high: number, logarithmic: boolean): number[] {
  if (logarithmic && high - low > 2) return Array.from({ length: Math.floor(high) - Math.ceil(low) + 1 }, (_, at) => 10 ** (Math.ceil(low) + at));
  const [from, to] = logarithmic ? [10 ** low, 10 ** high] : [low, high];
  const rough = (to - from) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const size = [1, 2, 5, 10].map((times) => times * power).find((one) => one >= rough) ?? rough;
  return Array.from({ length: Math.floor(to / size) - Math.ceil(from / size) + 1 }, (_, at) => (Math.ceil(from / size) + at) * size);
}

function drawTable(names: string[], byArm: Map<string, Run[]>, chosen: string, now: number): void {
  const shown = ['copy', 'loss', 'rank', 'target', 'predicted', 'honest', 'found'].map((key) => MEASURES[key]!);
  const head = row('th', ['target', ...shown.map((one) => one.name)]);
  const rows = names.map((arm) => {
    const values = shown.map((one) => valueAt(meanCurve(byArm.get(arm) ?? [], one.of), now).toFixed(one.digits));
    const made = row('td', [ARMS[arm]?.name ?? arm, ...values]);
    made.className = arm === chosen ? 'chosen' : '';
    return made;
  });
  const table = element('figures') as HTMLTableElement;
  table.querySelectorAll('thead, tbody').forEach((part) => part.remove());
  const [top, body] = [document.createElement('thead'), document.createElement('tbody')];
  top.append(head);
  body.append(...rows);
  table.append(top, body);
}

function row(name: 'th' | 'td', texts: string[]): HTMLTableRowElement {
  const made = document.createElement('tr');
  for (const [number, text] of texts.entries()) {
    const cell = document.createElement(number ? name : 'th');
    cell.textContent = text;
    if (name === 'th' || !number) cell.setAttribute('scope', name === 'th' ? 'col' : 'row');
    made.append(cell);
  }
  return made;
}

function svg(name: string, attributes: Record<string, string | number>): SVGElement {
  const made = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, String(value));
  return made;
}

function element(id: string): Element {
  const found = document.getElementById(id);
  if (!found) throw new Error(`The page has no ${id}.`);
  return found;
}
