/**
 * The panel in which a visitor edits a file and sees what the model makes of it. `mount` builds it below an element;
 * all computing is the worker's.
 */

import type { Role } from '../../../engine/src/api.ts';
import { clear, element, percent, svg } from './elements.ts';
import type { DiffLine, Next, Point, Preset, Reply, Request, Shown, Similar } from './protocol.ts';

const PARTS = ['words, signed', 'words, unsigned', 'place', 'learnt'] as const;
const WHY = { meaning: 'meaning', signed: 'words added and removed', unsigned: 'words touched', place: 'place' } as const;
const KINDS: Readonly<Record<Role, string>> = {
  variable: 'name',
  name: 'definition',
  parameter: 'name',
  keyword: 'name',
  callee: 'call',
  attribute: 'name',
  type: 'type',
  decorator: 'call',
  import: 'type',
  string: 'text',
  docstring: 'text',
  comment: 'comment',
  number: 'number',
  syntax: 'syntax',
};
const MAP_SIZE = 320;
const SMALLEST_VIEW = 100; // of the map
const LARGE_PASTE = 50_000; // characters

type Of<Kind extends Reply['kind']> = Extract<Reply, { kind: Kind }>;

/** Builds the panel below `root`. Resolves when the first answer is shown; rejects when the model cannot be loaded. */
export function mount(root: HTMLElement, options: { readonly worker: () => Worker }): Promise<void> {
  const panel = new Panel(root, options.worker());
  return panel.ready;
}

class Panel {
  readonly ready: Promise<void>;
  private readonly worker: Worker;
  private readonly chooser = element('select', { id: 'model-preset' });
  private readonly before = editor('model-before');
  private readonly after = editor('model-after');
  private readonly status = element('p', { className: 'model-status', role: 'status' });
  private readonly times = element('ul', { className: 'model-times', 'aria-label': 'Milliseconds of each stage' });
  private readonly tokens = element('div', { className: 'model-tokens' });
  private readonly gates = element('div');
  private readonly vector = element('canvas', { width: '192', height: '24', role: 'img' });
  private readonly weights = element('ul', { className: 'model-weights' });
  private readonly nearest = element('ol', { className: 'model-nearest' });
  private readonly next = element('ol', { className: 'model-next' });
  private readonly map = svg('svg', { viewBox: `0 0 ${MAP_SIZE} ${MAP_SIZE}`, role: 'img', class: 'model-map' });
  private readonly steps = element('div');
  private readonly collapse = element('input', { type: 'range', min: '0', max: '10', value: '0', id: 'model-collapse' });
  private readonly collapsed = element('output', { htmlFor: 'model-collapse' });
  private presets: readonly Preset[] = [];
  private edits: readonly Point[] = [];
  private point: Point | null = null;
  private copies: readonly number[] = [];
  private newest = 0;
  private busy = 0; // id of the request that the worker has, 0 for none
  private waiting = false;
  private changedAt = 0;

  constructor(root: HTMLElement, worker: Worker) {
    this.worker = worker;
    root.classList.add('model');
    root.append(...this.layout());
    this.status.textContent = 'Loading the model…';
    for (const area of [this.before, this.after]) {
      area.disabled = true;
      area.addEventListener('input', () => {
        this.ask();
      });
      area.addEventListener('paste', (event) => {
        const text = event.clipboardData?.getData('text/plain') ?? '';
        if (text.length < LARGE_PASTE) return;
        event.preventDefault(); // a browser's own way takes seconds over so much
        area.setRangeText(text, area.selectionStart, area.selectionEnd, 'end');
        this.ask();
      });
    }
    this.chooser.addEventListener('change', () => {
      this.choose();
    });
    this.collapse.addEventListener('input', () => {
      this.showCollapse();
    });
    this.ready = new Promise((resolve, reject) => {
      worker.addEventListener('message', (event: MessageEvent<Reply>) => {
        this.hear(event.data);
        if (event.data.kind === 'rolled') resolve();
        else if (event.data.kind === 'failed') reject(new Error(event.data.message));
      });
      worker.addEventListener('error', () => {
        this.status.textContent = 'The model cannot be loaded: this browser refused to start it.';
        reject(new Error('the worker cannot be started'));
      });
    });
  }

  private layout(): HTMLElement[] {
    const card = (title: string, said: string, ...content: (HTMLElement | SVGElement)[]): HTMLElement =>
      element(
        'section',
        { className: content.includes(this.steps) ? 'card model-wide' : 'card' },
        element('h3', {}, title),
        element('p', { className: 'model-said' }, said),
        element('div', { className: 'model-body', tabIndex: 0, role: 'group', 'aria-label': title }, ...content),
      );
    const area = (label: string, input: HTMLElement): HTMLElement =>
      element('div', {}, element('label', { htmlFor: input.id }, label), input);
    return [
      element(
        'div',
        { className: 'model-choice' },
        element('label', { htmlFor: 'model-preset' }, 'An edit of this project’s history'),
        this.chooser,
        this.times,
      ),
      element('div', { className: 'model-editors' }, area('Before', this.before), area('After: type here', this.after)),
      this.status,
      element(
        'div',
        { className: 'model-cards' },
        card('Similar past edits', 'The edits of this project most like yours. Why: cosine of the vectors, shared words, same place.', this.nearest),
        card('Tokens', 'What the tokeniser reads, coloured by kind; what the other side lacks is underlined.', this.tokens),
        card('Words and their gates', 'How much each changed word weighs in the edit’s vector. To the model, a faint word is just “a rare word”.', this.gates),
        card('The edit’s vector', '768 numbers in four parts; the weights are the model’s choice for this edit.', this.vector, this.weights),
        card(
          'Where next in this file',
          'How the network shares the next edit among the file’s other definitions. In the editor the history and the text decide.',
          this.next,
        ),
        card(
          'The edits after this one',
          'Every dot is a past edit. The filled circle is yours; the arrows go on to the three edits that are predicted, the squares are what really followed.',
          this.map,
        ),
        card(
          'Is the model only copying?',
          'An edit changes little, so repeating the old state is a strong guess: how right it is, is the copy indicator. The longer bar is the better guess.',
          this.steps,
          element('label', { htmlFor: 'model-collapse' }, 'Draw all states together, as in a collapse'),
          this.collapse,
          this.collapsed,
        ),
      ),
    ];
  }

  private hear(reply: Reply): void {
    switch (reply.kind) {
      case 'ready':
        this.begin(reply);
        return;
      case 'failed':
        this.status.textContent = `The model cannot be loaded: ${reply.message}`;
        return;
      case 'rolled':
        this.busy = 0;
        if (this.waiting) this.send();
    }
    if (reply.id !== this.newest) return;
    this.time(reply);
    if (reply.kind === 'edit') this.showEdit(reply);
    else if (reply.kind === 'nearest') this.showNearest(reply);
    else if (reply.kind === 'tokens') this.showTokens(reply);
    else if (reply.kind === 'next') this.showNext(reply.next);
    else this.showRolled(reply);
  }

  private begin(reply: Of<'ready'>): void {
    this.presets = reply.presets;
    this.edits = reply.map;
    this.chooser.replaceChildren(
      ...reply.presets.map((preset, i) => element('option', { value: String(i) }, `${preset.definition}: ${preset.title}`)),
      element('option', { value: '-1' }, 'Your own: paste two versions of a file'),
    );
    for (const area of [this.before, this.after]) area.disabled = false;
    this.status.textContent = `Ready in ${reply.ms.toFixed(0)} ms: ${reply.edits.toLocaleString('en')} past edits to search.`;
    this.drawEdits();
    this.choose();
  }

  private choose(): void {
    const preset = this.presets[Number(this.chooser.value)];
    this.before.value = preset?.before ?? '';
    this.after.value = preset?.after ?? '';
    if (preset) for (const area of [this.before, this.after]) scrollToChange(area, preset);
    this.ask();
  }

  /** Asks the worker about the texts as they stand. While it is busy, only the newest question waits. */
  private ask(): void {
    this.newest++;
    this.changedAt = performance.now();
    if (this.busy) this.waiting = true;
    else this.send();
  }

  private send(): void {
    this.waiting = false;
    this.busy = this.newest;
    const preset = Number(this.chooser.value);
    const path = this.presets[preset]?.path ?? '';
    const request: Request = { id: this.newest, before: this.before.value, after: this.after.value, path, preset };
    this.worker.postMessage(request);
  }

  private time(reply: Exclude<Reply, Of<'ready'> | Of<'failed'>>): void {
    const names = { edit: 'encode', nearest: 'search', tokens: 'tokenise', next: 'where next', rolled: 'predict' };
    if (reply.kind === 'edit') clear(this.times);
    this.times.append(element('li', { className: 'chip' }, `${names[reply.kind]} ${reply.ms.toFixed(1)} ms`));
    if (reply.kind !== 'nearest') return;
    const took = performance.now() - this.changedAt;
    this.times.append(element('li', { className: 'chip model-total' }, `keystroke to answer ${took.toFixed(0)} ms`));
  }

  private showEdit(reply: Of<'edit'>): void {
    this.status.textContent = reply.empty ? 'The two texts have the same tokens: change something.' : `An edit of ${reply.definition || 'this text'}.`;
    const largest = Math.max(1e-6, ...reply.words.map((word) => Math.max(word.signed, word.unsigned)));
    const rows = reply.words.map(({ word, common, net, signed, unsigned }) =>
      element(
        'tr',
        { className: common ? '' : 'model-rare' },
        element('th', { scope: 'row' }, word),
        element('td', {}, net > 0 ? `+${net}` : String(net)),
        element('td', {}, bar(signed / largest, net < 0 ? 'bad' : 'good'), signed.toFixed(2)),
        element('td', {}, bar(unsigned / largest, 'accent'), unsigned.toFixed(2)),
      ),
    );
    const heads = ['word', 'net', 'signed', 'unsigned'].map((name) => element('th', { scope: 'col' }, name));
    this.gates.replaceChildren(element('table', {}, element('thead', {}, element('tr', {}, ...heads)), element('tbody', {}, ...rows)));
    this.drawVector(reply.vector);
    const most = Math.max(1e-6, ...reply.parts);
    this.weights.replaceChildren(...reply.parts.map((weight, i) => element('li', {}, bar(weight / most, 'accent'), PARTS[i] ?? '')));
    this.vector.setAttribute('aria-label', reply.parts.map((weight, i) => `${PARTS[i] ?? ''}: weight ${weight.toFixed(2)}`).join('; '));
  }

  private drawVector(vector: Float32Array): void {
    const context = this.vector.getContext('2d');
    if (!context) return;
    const [width, rows] = [this.vector.width, 4];
    const height = this.vector.height / rows;
    const style = getComputedStyle(this.vector);
    const [up, down] = [style.getPropertyValue('--good') || 'green', style.getPropertyValue('--bad') || 'red'];
    const largest = vector.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-6);
    context.clearRect(0, 0, this.vector.width, this.vector.height);
    vector.forEach((value, i) => {
      context.globalAlpha = Math.min(1, Math.abs(value) / largest);
      context.fillStyle = value > 0 ? up : down;
      context.fillRect(i % width, Math.floor(i / width) * height, 1, height);
    });
  }

  private showNearest(reply: Of<'nearest'>): void {
    this.nearest.replaceChildren(...reply.similar.map((one) => similarItem(one)));
    this.point = reply.point;
  }

  private showTokens(reply: Of<'tokens'>): void {
    this.tokens.replaceChildren(
      element('p', {}, `${reply.count.toLocaleString('en')} structure tokens after the edit`),
      coloured('Before', reply.before),
      coloured('After', reply.after),
    );
    for (const shown of this.tokens.querySelectorAll('pre')) {
      const changed = shown.querySelector<HTMLElement>('.model-changed');
      if (changed) shown.scrollTop = Math.max(0, changed.offsetTop - 3 * changed.offsetHeight);
    }
  }

  private showNext(next: readonly Next[]): void {
    const items = next.map(({ definition, line, share, like }) =>
      element(
        'li',
        {},
        bar(share, 'accent'),
        element('code', {}, definition),
        ` line ${line + 1}, ${percent(share)}`,
        like ? element('span', { className: 'model-said' }, ` expected to be like: ${like}`) : '',
      ),
    );
    this.next.replaceChildren(...(items.length ? items : [element('li', {}, 'There is no other definition in the file.')]));
  }

  private showRolled(reply: Of<'rolled'>): void {
    this.drawPath(reply.predicted, reply.actual);
    const rows = reply.steps.map(({ subject, predicted, copied }, i) =>
      element(
        'tr',
        {},
        element('th', { scope: 'row' }, `${i + 1}. ${subject}`),
        element('td', {}, bar(predicted, 'accent'), predicted.toFixed(3)),
        element('td', {}, bar(copied, 'warm'), copied.toFixed(3)),
      ),
    );
    const heads = ['after', 'the predictor, step by step', 'copying the first state'].map((name) => element('th', { scope: 'col' }, name));
    this.steps.replaceChildren(
      rows.length
        ? element('table', {}, element('thead', {}, element('tr', {}, ...heads)), element('tbody', {}, ...rows))
        : element('p', {}, 'This needs a definition that is there before and after.'),
    );
    this.copies = reply.collapse;
    this.showCollapse();
  }

  private showCollapse(): void {
    const by = Number(this.collapse.value);
    const copied = this.copies[by];
    if (copied === undefined) {
      this.collapsed.textContent = '';
      return;
    }
    const said = by < 10 ? '' : ' Every state is the same: copying is always right, the loss is 0, and the states say nothing.';
    this.collapsed.textContent = `Drawn together by ${by * 10} %: copy indicator of this edit ${copied.toFixed(3)}.${said}`;
  }

  private drawEdits(): void {
    clear(this.map);
    const dots = svg('path', { class: 'model-dots', d: this.edits.map(({ x, y }) => `M${x * MAP_SIZE} ${y * MAP_SIZE}h0`).join('') });
    this.map.append(dots, svg('g', { class: 'model-path' }));
  }

  /** Shows the part of the map that some points are in; how much larger that is drawn, as a share. */
  private zoomTo(points: readonly Point[]): number {
    const [xs, ys] = [points.map(({ x }) => x * MAP_SIZE), points.map(({ y }) => y * MAP_SIZE)];
    const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
    const size = Math.min(MAP_SIZE, Math.max(SMALLEST_VIEW, 1.5 * Math.max(right - left, bottom - top)));
    this.map.setAttribute('viewBox', `${(left + right - size) / 2} ${(top + bottom - size) / 2} ${size} ${size}`);
    return size / MAP_SIZE;
  }

  private drawPath(predicted: readonly Point[], actual: readonly Point[]): void {
    const path = this.map.querySelector('.model-path');
    if (!path) return;
    clear(path);
    if (!this.point) {
      this.map.setAttribute('aria-label', 'A map of past edits.');
      return;
    }
    const scale = this.zoomTo([this.point, ...predicted, ...actual]);
    let from = this.point;
    for (const to of predicted) {
      path.append(arrow(from, to, 7 * scale));
      from = to;
    }
    const size = 8 * scale;
    for (const { x, y } of actual)
      path.append(svg('rect', { x: String(x * MAP_SIZE - size / 2), y: String(y * MAP_SIZE - size / 2), width: String(size), height: String(size) }));
    path.append(svg('circle', { ...at(this.point), r: String(5 * scale) }));
    const ends = `${predicted.length} predicted edits and ${actual.length} that really followed`;
    this.map.setAttribute('aria-label', `A map of ${this.edits.length} past edits with yours, ${ends}.`);
  }
}

function editor(id: string): HTMLTextAreaElement {
  return element('textarea', { id, className: 'model-editor', spellcheck: false, autocapitalize: 'off', autocomplete: 'off', rows: 14, wrap: 'off' });
}

/** Shows the first line that the two versions of a preset do not share. */
function scrollToChange(area: HTMLTextAreaElement, preset: Preset): void {
  const [old, now] = [preset.before.split('\n'), preset.after.split('\n')];
  const line = old.findIndex((text, i) => text !== now[i]);
  const height = area.scrollHeight / Math.max(1, area.value.split('\n').length);
  area.scrollTop = Math.max(0, (line - 3) * height);
}

function bar(share: number, tone: 'accent' | 'good' | 'bad' | 'warm'): HTMLElement {
  const filled = element('span', { className: `model-bar model-${tone}`, 'aria-hidden': 'true' });
  filled.style.setProperty('--share', String(Math.max(0, Math.min(1, share))));
  return filled;
}

function similarItem(one: Similar): HTMLElement {
  const why = Object.entries(WHY).map(([part, name]) => {
    const value = one.parts[part as keyof typeof WHY];
    return element('li', {}, bar(value, 'accent'), `${name} ${value.toFixed(2)}`);
  });
  const date = new Date(one.time * 1000).toISOString().slice(0, 10);
  return element(
    'li',
    {},
    element(
      'details',
      {},
      element(
        'summary',
        {},
        element('span', { className: 'chip' }, one.score.toFixed(2)),
        ' ',
        element('strong', {}, one.subject),
        ' ',
        element('span', { className: 'model-said' }, `${one.path}, ${one.definition}; ${date}, ${one.commit}`),
      ),
      element('ul', { className: 'model-weights' }, ...why),
      one.shared.length ? element('p', {}, `Words of both: ${one.shared.join(', ')}`) : '',
      diff(one.diff),
    ),
  );
}

function diff(lines: readonly DiffLine[]): HTMLElement {
  const names = { ' ': 'same', '+': 'added', '-': 'removed' } as const;
  return element(
    'pre',
    { className: 'model-diff', tabIndex: 0 },
    ...lines.map(({ sign, text }) => element('span', { className: `model-${names[sign]}` }, `${sign} ${text}\n`)),
  );
}

function coloured(title: string, { text, cut, leaves }: Shown): HTMLElement {
  const code = element('code');
  let position = 0;
  for (const { start, end, role, changed } of leaves) {
    if (start > position) code.append(text.slice(position, start));
    code.append(element('span', { className: `model-${KINDS[role]}${changed ? ' model-changed' : ''}` }, text.slice(start, end)));
    position = end;
  }
  code.append(text.slice(position));
  const more = cut ? element('p', { className: 'model-said' }, 'Only the beginning of the file is shown.') : '';
  return element('details', { open: title === 'After' }, element('summary', {}, title), element('pre', { tabIndex: 0 }, code), more);
}

function at({ x, y }: Point): Record<string, string> {
  return { cx: (x * MAP_SIZE).toFixed(2), cy: (y * MAP_SIZE).toFixed(2) };
}

function arrow(from: Point, to: Point, wings: number): SVGElement {
  const [x1, y1] = [from.x * MAP_SIZE, from.y * MAP_SIZE];
  const [x2, y2] = [to.x * MAP_SIZE, to.y * MAP_SIZE];
  const turn = Math.atan2(y2 - y1, x2 - x1);
  const wing = (by: number): string => `L ${(x2 - wings * Math.cos(turn + by)).toFixed(2)} ${(y2 - wings * Math.sin(turn + by)).toFixed(1)}`;
  const point = `${x2.toFixed(1)} ${y2.toFixed(1)}`;
  return svg('path', { d: `M ${x1.toFixed(1)} ${y1.toFixed(1)} L ${point} ${wing(0.5)} M ${point} ${wing(-0.5)}` });
}
