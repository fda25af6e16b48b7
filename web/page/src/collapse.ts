// The study of collapse as an interactive chart: docs/study/collapse.json and long.json, means of the seeds that have come equally far.
import short from '../../../docs/study/collapse.json' with { type: 'json' };
import long from '../../../docs/study/long.json' with { type: 'json' };

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
  /** The same of repeating the state before. */
  'copy_knn@5': number;
}

export interface Run {
  arm: string;
  seed: number;
  /** Whether it has come to its end, where the study says so. */
  complete?: boolean;
  alarm: number | null;
  evaluations: Evaluation[];
  loss_steps: number[];
  losses: number[];
}

/** One setting of the study. Runs may have come to different steps. */
interface Study {
  what: string;
  repositories: { name: string; use: string }[];
  minutes?: number;
  runs: Run[];
}

const STUDIES: readonly { name: string; study: Study }[] = [
  { name: '300 steps, three seeds', study: short as unknown as Study },
  { name: 'the paper’s length, 15,000 steps', study: long as unknown as Study },
];

interface Measure {
  name: string;
  /** What it is; what the runs have of it is said by `spread`. */
  about: string;
  /** The curve of a run: steps and values. */
  of: (run: Run) => [number, number][];
  logarithmic?: boolean;
  digits: number;
}

/** What a target does that keeps this share of itself. */
function kept(decay: number): string {
  return `At each step this target keeps ${Number((100 * decay).toFixed(3))} % of itself.`;
}

const ARMS: Record<string, { name: string; target: string }> = {
  scaled: { name: '0.82', target: 'This target follows as fast, for its 300 steps, as the paper’s 0.996 does for its 15,000.' },
  fast: { name: '0.996', target: kept(0.996) },
  'near-static': { name: '0.99999', target: 'This target nearly stands still.' },
  frozen: { name: '1, frozen', target: 'This target never moves.' },
  sigreg: { name: 'none, SIGReg', target: 'No separate target network: SIGReg, a term of the loss, keeps the states apart.' },
  'two-loss': { name: 'none, two losses', target: 'No separate target network: two other terms of the loss keep the states apart.' },
};
const NUMBERS = Object.keys(ARMS); // what their colours go by
const FROZEN = NUMBERS.indexOf('frozen'); // whose curve lies on another one

const evaluated = (value: (one: Evaluation) => number) => (run: Run): [number, number][] => run.evaluations.map((one) => [one.step, value(one)]);

const MEASURES: Record<string, Measure> = {
  copy: { name: 'copy indicator', about: 'How alike the target draws before and after. At 1, copying is a perfect prediction.', of: evaluated((one) => one.copy_indicator), digits: 3 },
  gap: { name: 'copy indicator’s gap to 1', about: 'How far the copy indicator is from 1, on a logarithmic scale.', of: evaluated((one) => Math.max(1e-7, 1 - one.copy_indicator)), logarithmic: true, digits: 5 },
  loss: { name: 'loss', about: 'What training makes small. By itself it does not say whether that was learnt or copied.', of: (run) => run.loss_steps.map((step, at) => [step, run.losses[at] ?? NaN]), logarithmic: true, digits: 3 },
  rank: { name: 'effective rank, online', about: 'How many directions the states use.', of: evaluated((one) => one.rank_online), digits: 1 },
  target: { name: 'effective rank, target', about: 'The same of the target’s states.', of: evaluated((one) => one.rank_target), digits: 1 },
  predicted: { name: 'effective rank, predicted', about: 'The same of the predicted states.', of: evaluated((one) => one.rank_predicted), digits: 1 },
  spread: { name: 'standard deviation of the features', about: 'How far states lie apart at all.', of: evaluated((one) => one.feature_std), digits: 3 },
  paper: { name: 'transition cosine, the paper’s', about: 'Of the predicted and the true next state, each in a space of its own.', of: evaluated((one) => one.transition_cosine_paper), digits: 3 },
  honest: { name: 'transition cosine, honest', about: 'Both ends in the target’s space.', of: evaluated((one) => one.transition_cosine), digits: 3 },
  found: { name: 'true next state among the nearest five', about: 'What the model is for.', of: evaluated((one) => one['knn@5']), digits: 3 },
  copied: { name: 'nearest-five rate of a plain copy', about: 'How often the state before, repeated, has the true next state among its nearest five. What is learnt lies above it.', of: evaluated((one) => one['copy_knn@5']), digits: 3 },
};

const COLLAPSED = 0.95; // copy indicator from which on a run is called so

const WIDTH = 640;
const HEIGHT = 320;
const [LEFT, RIGHT, TOP, BOTTOM] = [64, 14, 12, 40];

/** The runs of an arm that are shown: those that have come as far as its furthest. A mean of others would jump where they end. */
export function furthest(runs: readonly Run[]): Run[] {
  const last = Math.max(...runs.map(reached));
  return runs.filter((run) => reached(run) === last);
}

/** Which runs are not at their end, and whether they are shown all the same. */
export function unfinished(runs: readonly Run[]): string {
  const last = Math.max(...runs.map(reached));
  const told = runs
    .filter((run) => run.complete === false || reached(run) < last)
    .map((run) => {
      const left = furthest(runs.filter(({ arm }) => arm === run.arm)).includes(run) ? 'shown as far as it has come' : 'left out';
      return `${ARMS[run.arm]?.name ?? run.arm} with seed ${run.seed} (step ${said(reached(run))}, ${left})`;
    });
  return told.length ? `Still training: ${told.join('; ')}.` : '';
}

/** The mean curve of runs: at each step, of those that have a value there. */
export function meanCurve(runs: readonly Run[], of: (run: Run) => [number, number][]): [number, number][] {
  const values = new Map<number, number[]>();
  for (const [step, value] of runs.flatMap(of)) if (Number.isFinite(value)) values.set(step, [...(values.get(step) ?? []), value]);
  return [...values].sort(([one], [other]) => one - other).map(([step, all]) => [step, all.reduce((sum, value) => sum + value, 0) / all.length]);
}

/** The value of a curve at a step: its last one up to then. */
export function valueAt(curve: readonly [number, number][], step: number): number {
  return curve.filter(([at]) => at <= step).at(-1)?.[1] ?? curve[0]?.[1] ?? NaN;
}

/** The step that a run has come to. */
function reached(run: Run): number {
  return run.evaluations.at(-1)?.step ?? 0;
}

/** Whole numbers with commas. */
const said = (step: number): string => step.toLocaleString('en');

/** One arm at one step. */
interface Standing {
  /** As the choice of targets names it. */
  name: string;
  indicator: number;
  value: number;
}

/** What the runs have of a measure at a step. */
export function spread(standings: readonly Standing[], step: number, digits: number): string {
  const there = standings.filter(({ value }) => Number.isFinite(value)).toSorted((one, other) => one.value - other.value);
  const [low, high] = [there[0], there.at(-1)];
  if (!low || !high || low === high) return '';
  const told = ({ name, value, indicator }: Standing): string => `${value.toFixed(digits)} (${name}${indicator > COLLAPSED ? ', collapsed' : ''})`;
  return `At step ${said(step)} the runs range from ${told(low)} to ${told(high)}.`;
}

/** What is known of an arm at a step. */
interface Judged {
  indicator: number;
  step: number;
  alarm: number | null;
  /** Shares of transitions whose true next state is among the nearest five: of the predicted state, of a copy of the state before. */
  found: number;
  copied: number;
  /** Whether its runs went no further than that, of the steps asked about. */
  ended?: boolean;
}

/** What can be said of the arm at a step. */
export function verdict({ indicator, step, alarm, found, copied, ended = false }: Judged): string {
  if (![indicator, found, copied].every(Number.isFinite)) return `There are no figures of this run at step ${said(step)}.`;
  const angle = `${Math.round((Math.acos(Math.min(1, indicator)) * 180) / Math.PI)}°`;
  const [ours, theirs] = [found, copied].map((share) => Math.round(100 * share)) as [number, number]; // as they are said
  const worse = ours < theirs ? ', so the model is worse than copying' : ours === theirs ? ', so the model is no better than a copy' : '';
  const nearest = `The true next state is among the nearest five in ${ours} %; a copy of the state before finds it in ${theirs} %${worse}.`;
  const sounded = alarm !== null && alarm <= step;
  if (indicator > COLLAPSED) {
    const arrows = indicator > 0.999 ? 'are one arrow, so copying is perfect' : `are nearly one arrow, ${angle} apart, so copying is nearly perfect`;
    return `Collapsed: before and after ${arrows}. The alarm ${sounded ? `sounded at step ${said(alarm)}` : 'has not sounded'}. ${nearest}`;
  }
  if (sounded) return `On its way to a collapse: before and after are ${angle} apart, and the alarm sounded at step ${said(alarm)}. ${nearest}`;
  return `Not collapsed${ended ? ` as far as it has run, to step ${said(step)}` : ''}: before and after stay ${angle} apart. ${nearest}`;
}

export function mountStudy(): void {
  let shown = STUDIES[0]!.study;
  let names: string[] = [];
  let byArm = new Map<string, Run[]>();
  let last = 0;
  let chosen = '';
  let playing = 0;
  const arms = element('arms');
  const studies = element('setting') as HTMLSelectElement;
  const measure = element('measure') as HTMLSelectElement;
  const step = element('step') as HTMLInputElement;
  const play = element('play') as HTMLButtonElement;
  STUDIES.forEach(({ name }, i) => studies.append(Object.assign(document.createElement('option'), { value: String(i), textContent: name })));
  for (const [value, one] of Object.entries(MEASURES)) measure.append(Object.assign(document.createElement('option'), { value, textContent: one.name }));

  const stop = () => {
    clearInterval(playing);
    playing = 0;
    play.textContent = '▶ Play the training';
  };
  const advance = () => {
    step.stepUp();
    draw();
    if (Number(step.value) >= last) stop();
  };
  play.addEventListener('click', () => {
    if (playing) return stop();
    if (Number(step.value) >= last) step.value = step.min;
    draw();
    play.textContent = '❚❚ Pause';
    playing = window.setInterval(advance, Math.max(120, 5000 / ((last - Number(step.min)) / Number(step.step) + 1)));
  });
  studies.addEventListener('change', () => choose(Number(studies.value)));
  measure.addEventListener('change', () => draw());
  step.addEventListener('input', () => {
    stop();
    draw();
  });

  const choose = (number: number) => {
    stop();
    shown = STUDIES[number]!.study;
    names = NUMBERS.filter((arm) => shown.runs.some((run) => run.arm === arm));
    byArm = new Map(names.map((arm) => [arm, furthest(shown.runs.filter((run) => run.arm === arm))]));
    last = Math.max(...shown.runs.map(reached));
    const steps = [...new Set(shown.runs.flatMap((run) => run.evaluations.map((one) => one.step)))].sort((one, other) => one - other);
    const apart = Math.min(...steps.slice(1).map((at, i) => at - steps[i]!));
    Object.assign(step, { min: String(steps[0]), max: String(last), step: String(apart) });
    step.value = String(last);
    if (!byArm.has(chosen)) chosen = names[0]!;
    arms.replaceChildren(arms.firstElementChild!);
    for (const arm of names) {
      const input = Object.assign(document.createElement('input'), { type: 'radio', name: 'arm', value: arm, checked: arm === chosen });
      const swatch = Object.assign(document.createElement('span'), { className: `swatch arm${NUMBERS.indexOf(arm)}` });
      const label = document.createElement('label');
      label.append(input, swatch, ARMS[arm]?.name ?? arm);
      input.addEventListener('change', () => {
        chosen = arm;
        draw();
      });
      arms.append(label);
    }
    const trained = shown.repositories.filter((one) => one.use === 'train').map((one) => one.name);
    const minutes = shown.minutes ? `, ${Math.round(shown.minutes)} minutes on a laptop’s processor` : '';
    const count = [...byArm.values()].flat().length;
    element('study-note').textContent = `${shown.what}; trained on ${trained.join(', ')}. ${count} runs${minutes}. ${unfinished(shown.runs)}`;
    draw();
  };

  const draw = () => {
    const one = MEASURES[measure.value] ?? Object.values(MEASURES)[0]!;
    const own = byArm.get(chosen) ?? [];
    const now = Math.min(Number(step.value), Math.max(...own.map(reached)));
    element('step-said').textContent = said(Number(step.value));
    const number = NUMBERS.indexOf(chosen);
    const of = (arm: string, key: string, at: number): number => valueAt(meanCurve(byArm.get(arm) ?? [], MEASURES[key]!.of), at);
    const indicator = of(chosen, 'copy', now);
    const alarms = own.map((run) => run.alarm).filter((alarm) => alarm !== null);
    const alarm = alarms.length > own.length / 2 ? Math.min(...alarms) : null;
    drawArrows(indicator, number);
    element('arrows-words').textContent = `Before and after, as the target draws them at step ${said(now)}: cosine ${indicator.toFixed(indicator > 0.999 ? 5 : 3)}. ${ARMS[chosen]?.target ?? ''}`;
    drawCurves(one, names.map((arm) => ({ number: NUMBERS.indexOf(arm), points: meanCurve(byArm.get(arm) ?? [], one.of) })), number, Number(step.value), last);
    const seeds = own.length > 1 ? `means of ${own.length} seeds` : 'one seed';
    const far = names.filter((arm) => (byArm.get(arm) ?? []).some((run) => reached(run) >= now));
    const standings = far.map((arm) => ({ name: ARMS[arm]?.name ?? arm, indicator: of(arm, 'copy', now), value: valueAt(meanCurve(byArm.get(arm) ?? [], one.of), now) }));
    element('curves-words').textContent = `${one.name[0]?.toUpperCase()}${one.name.slice(1)}, ${seeds}. ${one.about} ${spread(standings, now, one.digits)}${far.length < names.length ? ' The others have not reached it.' : ''}`;
    element('verdict').textContent = verdict({ indicator, step: now, alarm, found: of(chosen, 'found', now), copied: of(chosen, 'copied', now), ended: now < Number(step.value) });
    drawTable(names, byArm, chosen, Number(step.value));
  };
  choose(0);
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

interface Curve {
  number: number;
  points: [number, number][];
}

function drawCurves(measure: Measure, curves: readonly Curve[], chosen: number, now: number, last: number): void {
  const all = curves.flatMap(({ points }) => points).map(([, value]) => value);
  const scale = (value: number) => (measure.logarithmic ? Math.log10(value) : value);
  let [low, high] = [Math.min(...all.map(scale)), Math.max(...all.map(scale))];
  const room = (high - low || 1) * 0.06;
  [low, high] = [low - room, high + room];
  const x = (step: number) => LEFT + ((WIDTH - LEFT - RIGHT) * step) / last;
  const y = (value: number) => TOP + ((HEIGHT - TOP - BOTTOM) * (high - scale(value))) / (high - low);
  const parts: SVGElement[] = [];
  for (const value of ticks(low, high, measure.logarithmic ?? false)) {
    parts.push(svg('path', { d: `M${LEFT} ${y(value)}H${WIDTH - RIGHT}`, class: 'grid' }));
    const label = svg('text', { x: LEFT - 8, y: y(value) + 4, 'text-anchor': 'end', class: 'faint' });
    label.textContent = measure.logarithmic && value < 0.01 ? value.toExponential(0) : String(Number(value.toPrecision(3)));
    parts.push(label);
  }
  for (const step of ticks(0, last, false)) {
    const label = svg('text', { x: x(step), y: HEIGHT - BOTTOM + 20, 'text-anchor': step > 0.95 * last ? 'end' : 'middle', class: 'faint' });
    label.textContent = step ? said(step) : 'step 0';
    parts.push(label);
  }
  parts.push(svg('path', { d: `M${x(now)} ${TOP}V${HEIGHT - BOTTOM}`, class: 'now' }));
  const order = curves.toSorted((one, other) => Number(one.number === chosen) - Number(other.number === chosen));
  for (const { number, points } of order) {
    parts.push(svg('path', { d: `M${points.filter(([step]) => step <= last).map(([step, value]) => `${x(step)} ${y(value)}`).join('L')}`, class: `curve arm${number}${number === chosen ? ' chosen' : ''}${number === FROZEN ? ' dashed' : ''}` }));
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
  const shown = ['copy', 'loss', 'rank', 'target', 'predicted', 'honest', 'found', 'copied'].map((key) => MEASURES[key]!);
  const head = row('th', ['target', ...shown.map((one) => one.name)]);
  const rows = names.map((arm) => {
    const runs = byArm.get(arm) ?? [];
    const there = runs.some((run) => reached(run) >= now);
    const values = shown.map((one) => (there ? valueAt(meanCurve(runs, one.of), now).toFixed(one.digits) : '–'));
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
