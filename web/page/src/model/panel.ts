/**
 * The panel in which a visitor edits a file and sees what the model makes of it. `mount` builds it below an element;
 * all computing is the worker's.
 */

import type { Role } from '../../../engine/src/api.ts';
import { clear, element, percent, svg } from './elements.ts';
import type { DiffLine, Expected, Lens, Next, Point, Preset, Reply, Request, Shown, Similar } from './protocol.ts';

/** The parts of an edit's vector: what each holds, and how many numbers it has. */
const PARTS = [
  ['words added and removed', 256],
  ['words touched', 256],
  ['words around the change', 128],
  ['learnt by the networks', 128],
] as const;
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
export function mount(root: HTMLElement, options: { readonly worker: Worker; readonly presets: readonly Preset[] }): Promise<void> {
  const panel = new Panel(root, options.worker, options.presets);
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
  private readonly strips = PARTS.map(([, size]) => element('canvas', { width: String(size), height: '1', 'aria-hidden': 'true' }));
  private readonly parts = PARTS.map(() => element('p', { className: 'model-part' }));
  private readonly lens = element('div', { className: 'model-lens', role: 'group', 'aria-label': 'In an editor' });
  private readonly nearest = element('ol', { className: 'model-nearest' });
  private readonly next = element('ol', { className: 'model-next' });
  private readonly map = svg('svg', { viewBox: `0 0 ${MAP_SIZE} ${MAP_SIZE}`, role: 'img', class: 'model-map' });
  private readonly path = element('div', { className: 'model-path-said' });
  private readonly steps = element('div');
  private readonly collapse = element('input', { type: 'range', min: '0', max: '10', value: '0', id: 'model-collapse' });
  private readonly collapsed = element('output', { htmlFor: 'model-collapse' });
  private readonly presets: readonly Preset[];
  private edits: readonly Point[] = [];
  private point: Point | null = null;
  private copies: readonly number[] = [];
  private newest = 0;
  private changedAt = 0;

  constructor(root: HTMLElement, worker: Worker, presets: readonly Preset[]) {
    this.worker = worker;
    this.presets = presets;
    root.classList.add('model');
    root.append(...this.layout());
    this.status.textContent = 'Loading the model…';
    this.chooser.replaceChildren(
      ...presets.map((preset, i) => element('option', { value: String(i) }, `${preset.definition}: ${preset.title}`)),
      element('option', { value: '-1' }, 'Your own: paste two versions of a file'),
    );
    for (const area of [this.before, this.after]) {
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
    this.choose(); // the worker answers when it has loaded what it needs
  }

  private layout(): HTMLElement[] {
    const card = (title: string, width: '' | 'double' | 'wide', said: string, ...content: (HTMLElement | SVGElement)[]): HTMLElement =>
      element(
        'section',
        { className: width ? `card model-${width}` : 'card' },
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
      this.lens,
      element(
        'div',
        { className: 'model-cards' },
        card(
          'Similar past edits',
          'double',
          'The evidence of the lens. How likely each is to fit, and why: it means the same, it changes the same words, it is in the same place.',
          this.nearest,
        ),
        card('Tokens', '', 'What the tokeniser reads, coloured by kind; what the other side lacks is underlined.', this.tokens),
        card('Words and their gates', '', 'How much each changed word weighs in the edit’s vector. To the model, a faint word is just “a rare word”.', this.gates),
        card(
          'The edit’s vector',
          '',
          '768 numbers in four parts; how much each part weighs is the model’s choice for this edit.',
          ...this.strips.map((strip, i) => element('div', {}, this.parts[i] ?? '', strip)),
        ),
        card(
          'Where next in this file',
          '',
          'How the network shares the next edit among the file’s other definitions. In the editor the history and the text decide.',
          this.next,
        ),
        card(
          'The edits after this one',
          'wide',
          'Every dot is a past edit; edits that the model finds alike lie near each other. The circle is yours, the numbered arrows go on to the three edits that the model predicts, each from those before it, and the squares are what really followed.',
          element('div', { className: 'model-way' }, this.map, this.path),
        ),
        card(
          'Is the model only copying?',
          'wide',
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
    this.edits = reply.map;
    this.drawEdits();
    this.times.title = `The model and ${reply.edits.toLocaleString('en')} past edits were there ${reply.ms.toFixed(0)} ms after the worker began.`;
  }

  private choose(): void {
    const preset = this.presets[Number(this.chooser.value)];
    this.before.value = preset?.before ?? '';
    this.after.value = preset?.after ?? '';
    if (preset) for (const area of [this.before, this.after]) scrollToChange(area, preset);
    this.ask();
  }

  /** Asks the worker about the texts as they stand: it answers the newest question, and leaves off older ones. */
  private ask(): void {
    this.newest++;
    this.changedAt = performance.now();
    const preset = this.presets[Number(this.chooser.value)] ?? null;
    const request: Request = { id: this.newest, before: this.before.value, after: this.after.value, preset };
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
    this.drawVector(reply);
  }

  private drawVector({ vector, parts }: Of<'edit'>): void {
    const style = getComputedStyle(this.parts[0] ?? this.status);
    const [up, down] = [style.getPropertyValue('--good') || 'green', style.getPropertyValue('--bad') || 'red'];
    const most = Math.max(1e-6, ...parts);
    let begin = 0;
    PARTS.forEach(([name, size], i) => {
      const weight = parts[i] ?? 0;
      this.parts[i]?.replaceChildren(bar(weight / most, 'accent'), `${name} ${weight.toFixed(2)}`);
      const own = vector.subarray(begin, begin + size);
      begin += size;
      const context = this.strips[i]?.getContext('2d');
      if (!context) return;
      const largest = own.reduce((least, value) => Math.max(least, Math.abs(value)), 1e-6);
      context.clearRect(0, 0, size, 1);
      own.forEach((value, at) => {
        context.globalAlpha = Math.min(1, Math.abs(value) / largest);
        context.fillStyle = value > 0 ? up : down;
        context.fillRect(at, 0, 1, 1);
      });
    });
  }

  private showNearest(reply: Of<'nearest'>): void {
    this.nearest.replaceChildren(...reply.similar.map((one, i) => similarItem(one, !i)));
    this.point = reply.point;
    this.showLens(reply.lens);
  }

  private showLens({ definition, title, likeliest, threshold }: Lens): void {
    const line = this.after.value.split('\n').find((text) => definition && heads(text, definition));
    const chance = `At this score, the best past edit fits about ${Math.floor(100 * likeliest)} % of the time; your editor shows it from ${percent(threshold)} on.`;
    this.lens.replaceChildren(
      element('p', { className: 'model-said' }, title ? 'What your editor shows above the definition, a lens:' : 'Your editor would show no lens here.'),
      element('pre', {}, element('span', { className: 'model-lens-title' }, title ?? ' '), '\n', element('code', {}, line?.trim() ?? definition)),
      element('p', { className: 'model-said' }, title ? `Its evidence is that commit’s own diff, the first below. ${chance}` : chance),
    );
  }

  private showTokens(reply: Of<'tokens'>): void {
    const wasOpen = this.tokens.querySelector('details')?.open ?? false;
    this.tokens.replaceChildren(
      element('p', {}, `${reply.count.toLocaleString('en')} structure tokens after the edit`),
      coloured('Before', reply.before, wasOpen || !reply.after.leaves.some(({ changed }) => changed)),
      coloured('After', reply.after, true),
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
    this.drawPath(reply.predicted.flatMap(({ point }) => point ?? []), reply.actual.flatMap(({ point }) => point ?? []));
    this.path.replaceChildren(...followedSaid(reply.predicted, reply.actual));
    const rows = reply.steps.map(({ subject, predicted, copied }, i) =>
      element(
        'tr',
        {},
        element('th', { scope: 'row', title: subject }, `${i + 1}. ${subject.length > 60 ? `${subject.slice(0, 59)}…` : subject}`),
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
    const number = (kind: string, points: readonly Point[], side: number): void => {
      const written: { readonly at: Point; readonly label: SVGElement }[] = [];
      points.forEach((point, i) => {
        const beside = written.find(({ at: { x, y } }) => Math.hypot(x - point.x, y - point.y) * MAP_SIZE < 16 * scale);
        if (beside) {
          beside.label.textContent += ` ${i + 1}`; // several lie in one place
          return;
        }
        const label = svg('text', {
          x: String(point.x * MAP_SIZE + 5 * scale),
          y: String(point.y * MAP_SIZE + side * 9 * scale),
          class: `model-${kind}`,
        });
        label.style.fontSize = `${14 * scale}px`;
        label.textContent = String(i + 1);
        written.push({ at: point, label });
        path.append(label);
      });
    };
    number('expected', predicted, -1);
    number('followed', actual, 2);
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

/** What lies at the numbers of the map. */
function followedSaid(predicted: readonly Expected[], actual: Of<'rolled'>['actual']): HTMLElement[] {
  const list = (items: readonly HTMLElement[]): HTMLElement => element('ol', {}, ...items);
  return [
    element('h4', {}, 'Predicted'),
    list(
      predicted.map(({ like, right }) =>
        element('li', {}, like ? `like “${like}”` : 'nowhere on the map', right === null ? '' : `; cosine with what followed ${right.toFixed(2)}`),
      ),
    ),
    element('h4', {}, 'What really followed'),
    actual.length ? list(actual.map(({ subject }) => element('li', {}, subject))) : element('p', {}, 'Nothing yet: this edit is yours.'),
  ];
}

function similarItem(one: Similar, open: boolean): HTMLElement {
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
      { open },
      element(
        'summary',
        {},
        element('span', { className: 'chip' }, percent(one.score)),
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

/** A text with its tokens, drawn when it is opened: a page of many elements is slow on a phone. */
function coloured(title: string, shown: Shown, open: boolean): HTMLElement {
  const made = element('details', { open }, element('summary', {}, title));
  const draw = (): void => {
    if (made.querySelector('pre')) return;
    made.append(element('pre', { tabIndex: 0 }, code(shown)));
    if (shown.cut) made.append(element('p', { className: 'model-said' }, 'Only the beginning of the file is shown.'));
  };
  if (open) draw();
  else made.addEventListener('toggle', draw, { once: true });
  return made;
}

function code({ text, leaves }: Shown): HTMLElement {
  const made = element('code');
  let written = 0;
  for (const { start, end, role, changed } of leaves) {
    const kind = KINDS[role];
    if (kind === 'name' && !changed) continue; // as the text around it
    made.append(text.slice(written, start), element('span', { className: `model-${kind}${changed ? ' model-changed' : ''}` }, text.slice(start, end)));
    written = end;
  }
  made.append(text.slice(written));
  return made;
}

/** Whether a line is the head of a definition, by its last name. */
function heads(line: string, definition: string): boolean {
  const [, name] = /^\s*(?:async\s+)?(?:def|class)\s+(\w+)/.exec(line) ?? [];
  return name !== undefined && name === definition.split('#')[0]?.split('.').at(-1);
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
