/**
 * The panel in which a visitor edits a file and sees what the model makes of it. `mount` builds it below an element;
 * all computing is the worker's.
 */

import type { Role } from '../../../engine/src/api.ts';
import { clear, element, percent, svg } from './elements.ts';
import type { DiffLine, Expected, Lens, Next, Point, Preset, Reply, Request, Shown, Similar } from './protocol.ts';
import type { Started } from './started.ts';
import { drawWay, WAY_SIZE, WAY_WIDTH } from './way.ts';
import { absent, counted, editOf, milliseconds, nearer, placed, shownCosine } from './wording.ts';

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
/** What is timed, in the order in which it is listed; `total` is from the keystroke to the lens. */
const STAGES = { tokens: 'tokenise', edit: 'encode', nearest: 'search', total: 'keystroke to answer', next: 'where next', rolled: 'predict' } as const;
const LARGE_PASTE = 50_000; // characters
const TYPING = 45; // ms between two characters that the page types itself
const TYPED = 120; // characters at the most, one by one

type Of<Kind extends Reply['kind']> = Extract<Reply, { kind: Kind }>;

interface Options {
  readonly model: Started;
  readonly presets: readonly Preset[];
  /** Where the card about copying goes, which needs to be explained first. */
  readonly copying: HTMLElement;
}

/** Builds the panel below `root`. Resolves when the first answer is shown; rejects when the model cannot be loaded. */
export function mount(root: HTMLElement, options: Options): Promise<void> {
  return new Panel(root, options).ready;
}

class Panel {
  readonly ready: Promise<void>;
  private readonly worker: Worker;
  private readonly chooser = element('select', { id: 'model-preset' });
  private readonly before = editor('model-before');
  private readonly after = editor('model-after');
  private readonly status = element('p', { className: 'model-status', role: 'status' });
  private readonly type = element('button', { type: 'button', className: 'button' }, '▶ See it typed');
  private readonly chips = Object.entries(STAGES).map(([stage, name]) => element('li', { className: stage === 'total' ? 'chip model-total' : 'chip' }, `${name} …`));
  private readonly times = element('ul', { className: 'model-times', 'aria-label': 'Milliseconds of each stage' }, ...this.chips);
  private readonly cards = element('div', { className: 'model-cards' });
  private readonly pace = element('p', { className: 'model-said model-pace' }, '\u00a0');
  private readonly tokens = element('div', { className: 'model-tokens' });
  private readonly gates = element('div');
  private readonly strips = PARTS.map(([, size]) => element('canvas', { width: String(size), height: '1', 'aria-hidden': 'true' }));
  private readonly parts = PARTS.map(() => element('p', { className: 'model-part' }));
  private readonly lens = element('div', { className: 'model-lens', role: 'group', 'aria-label': 'In an editor' });
  private readonly nearest = element('ol', { className: 'model-nearest' });
  private readonly next = element('ol', { className: 'model-next' });
  private readonly map = svg('svg', { viewBox: `0 0 ${WAY_WIDTH} ${WAY_SIZE}`, role: 'img', class: 'model-map' });
  private readonly path = element('div', { className: 'model-path-said' });
  private readonly steps = element('div');
  private readonly guess = element('p', { className: 'model-guess' }, '\u00a0');
  private readonly collapse = element('input', { type: 'range', min: '0', max: '10', value: '0', id: 'model-collapse' });
  private readonly collapsed = element('output', { htmlFor: 'model-collapse' });
  private readonly presets: readonly Preset[];
  /** The preset that was chosen last, also when its texts have been changed since. */
  private origin: Preset | null = null;
  private edits: readonly Point[] = [];
  private point: Point | null = null;
  private copies: readonly number[] = [];
  private newest = 0;
  private python = true;
  private empty = false;
  private changedAt = 0;
  private typing = 0;
  private answered = false;
  /** Milliseconds from each keystroke to its answer, without the first, of a browser that has just loaded the model. */
  private readonly paces: number[] = [];

  constructor(root: HTMLElement, { model: { worker, refused }, presets, copying }: Options) {
    this.worker = worker;
    this.presets = presets;
    root.classList.add('model');
    root.append(...this.layout());
    copying.classList.add('model');
    copying.append(...this.copyingLayout());
    this.status.textContent = 'Loading the model…';
    this.chooser.replaceChildren(
      ...presets.map((preset, i) => element('option', { value: String(i) }, `${preset.definition}: ${preset.title}`)),
      element('option', { value: '-1' }, 'Your own: paste two versions of a file'),
    );
    for (const area of [this.before, this.after]) {
      area.addEventListener('input', (event) => {
        this.change();
        if (event instanceof InputEvent && event.inputType === 'insertFromPaste') this.scrollToChange();
      });
      area.addEventListener('paste', (event) => {
        const text = event.clipboardData?.getData('text/plain') ?? '';
        if (text.length < LARGE_PASTE) return;
        event.preventDefault(); // a browser's own way takes seconds over so much
        area.setRangeText(text, area.selectionStart, area.selectionEnd, 'end');
        this.change();
        this.scrollToChange();
      });
    }
    this.chooser.addEventListener('change', () => {
      this.choose();
    });
    this.type.addEventListener('click', () => {
      if (this.typing) this.stopTyping();
      else this.startTyping();
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
      refused.catch((error: unknown) => {
        this.status.textContent = `The model cannot be loaded: ${String(error)}.`;
        reject(error as Error);
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
    this.cards.append(
      card(
        'Similar past edits',
        'double',
        'The evidence of the lens. How likely each is to fit, and why: it means the same, it changes the same words, it is in the same place.',
        this.nearest,
      ),
      card('Tokens', '', 'What the tokeniser reads, coloured by kind; what the other side lacks is underlined.', this.tokens),
      card('Words and their gates', '', 'How much each changed word weighs in the edit’s vector. Words in grey are too rare for the model to know; it sees each only as “a rare word”.', this.gates),
      card(
        'The edit’s vector',
        '',
        '768 numbers in four parts; how much each part weighs is the model’s choice for this edit.',
        ...this.strips.map((strip, i) => element('div', {}, this.parts[i] ?? '', strip)),
      ),
      card(
        'Where next in this file',
        '',
        'Where the network expects the next edit, by probability. In an editor the history and the text decide.',
        this.next,
      ),
      card(
        'The edits after this one',
        'wide',
        'Each dot is a past edit; similar edits lie close together. From yours, the arrows go on to the three edits that the model predicts one after the other; the squares, where the history knows them, are what really followed. What is near your edit is drawn larger; the small map says which part of all edits is shown.',
        element('div', { className: 'model-way' }, this.map, this.path),
      ),
    );
    return [
      element(
        'div',
        { className: 'model-choice' },
        element('label', { htmlFor: 'model-preset' }, 'A small example, or an edit of this project’s history'),
        element('div', { className: 'model-chosen' }, this.chooser, this.type),
      ),
      element('div', { className: 'model-editors' }, area('Before', this.before), area('After: type here', this.after)),
      this.status,
      this.lens,
      this.times,
      this.pace,
      this.cards,
    ];
  }

  private copyingLayout(): HTMLElement[] {
    return [
      element('h3', {}, 'Your edit: is the model only copying?'),
      element(
        'p',
        { className: 'model-said' },
        'For the edit above and those after it, this shows how close the predicted state comes to the true one, and how close repeating the first state comes. The longer bar is the better guess. For a small edit a copy is close, so one edit says little: of 5,917 edits of 18 repositories, the model has the true next state among its nearest five in 53 %, a copy in 51 %, and the mean copy indicator is 0.69.',
      ),
      this.guess,
      element('div', { className: 'model-body model-copying', tabIndex: 0, role: 'group', 'aria-label': 'Predicted and copied states' }, this.steps),
      element('label', { htmlFor: 'model-collapse' }, 'Pull all states together, as in a collapse'),
      this.collapse,
      this.collapsed,
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
    this.times.title = `The model and ${reply.edits.toLocaleString('en')} past edits were there ${reply.ms.toFixed(0)} ms after the worker began.`;
  }

  private choose(): void {
    this.stopTyping();
    const preset = this.presets[Number(this.chooser.value)];
    this.origin = preset ?? null;
    this.type.disabled = !preset;
    this.before.value = preset?.before ?? '';
    this.after.value = preset?.after ?? '';
    if (preset) this.scrollToChange();
    this.ask();
  }

  /** Shows the first line that the two versions do not share. */
  private scrollToChange(): void {
    const [old, now] = [this.before.value.split('\n'), this.after.value.split('\n')];
    const line = old.findIndex((text, i) => text !== now[i]);
    for (const [area, lines] of [[this.before, old], [this.after, now]] as const) {
      area.scrollTop = Math.max(0, (line - 3) * (area.scrollHeight / lines.length));
    }
  }

  /** Asks about texts that a visitor has changed: they are no longer those of the history. */
  private change(): void {
    this.stopTyping();
    if (this.before.value !== this.origin?.before || this.after.value !== this.origin.after) {
      this.chooser.value = '-1';
      this.type.disabled = true;
    }
    this.ask();
  }

  /** Types the change of the preset again, each letter of which is answered. */
  private startTyping(): void {
    const preset = this.presets[Number(this.chooser.value)];
    if (!preset) return;
    const { before, after } = preset;
    let [start, end] = [0, 0];
    while (start < before.length && before[start] === after[start]) start++;
    while (end < Math.min(before.length, after.length) - start && before.at(-1 - end) === after.at(-1 - end)) end++;
    const typed = after.slice(start, after.length - end);
    const size = Math.ceil(typed.length / TYPED);
    let done = 0;
    this.before.value = before;
    this.type.textContent = '❚❚ Stop';
    const next = (): void => {
      this.after.value = before.slice(0, start) + typed.slice(0, done) + before.slice(before.length - end);
      this.ask();
      if (done >= typed.length) this.stopTyping();
      done += size;
    };
    this.typing = window.setInterval(next, TYPING);
  }

  private stopTyping(): void {
    clearInterval(this.typing);
    this.typing = 0;
    this.type.textContent = '▶ See it typed';
  }

  /** Asks the worker about the texts as they stand: it answers the newest question, and leaves off older ones. */
  private ask(): void {
    this.newest++;
    this.changedAt = performance.now();
    const [before, after] = [this.before.value, this.after.value];
    const origin = before === this.origin?.before ? this.origin : null;
    const preset = origin && { path: origin.path, time: origin.time, next: after === origin.after ? origin.next : [] };
    const request: Request = { id: this.newest, before, after, preset };
    this.worker.postMessage(request);
    for (const one of [...this.chips, this.lens, this.nearest, this.next, this.path, this.steps, this.guess, this.status]) one.classList.add('model-old');
  }

  private time(reply: Exclude<Reply, Of<'ready'> | Of<'failed'>>): void {
    this.showTime(reply.kind, `${STAGES[reply.kind]} ${milliseconds(reply.ms)}`);
    if (reply.kind !== 'nearest') return;
    const took = performance.now() - this.changedAt;
    this.showTime('total', `${this.answered ? STAGES.total : 'first answer, loading the model'} ${reply.ms === null ? milliseconds(null) : `${took.toFixed(0)} ms`}`);
    if (this.answered && reply.ms !== null) this.paces.push(took);
    this.answered = true;
    const all = this.paces.toSorted((one, other) => one - other);
    this.pace.textContent = all.length
      ? `Median of ${counted(all.length, 'answer')}: ${(all[Math.floor(all.length / 2)] ?? took).toFixed(0)} ms from the keystroke.`
      : 'The first answer takes longest: the browser has to load and to compile what it runs. Type to see the usual time.';
  }

  private showTime(stage: keyof typeof STAGES, text: string): void {
    const chip = this.chips[Object.keys(STAGES).indexOf(stage)];
    if (!chip) return;
    chip.textContent = text;
    chip.classList.remove('model-old');
  }

  private showEdit(reply: Of<'edit'>): void {
    this.status.classList.remove('model-old');
    this.python = reply.python;
    this.empty = reply.empty;
    this.lens.hidden = this.cards.hidden = !reply.python;
    this.status.textContent = reply.empty
      ? 'The two texts have the same tokens: change something.'
      : reply.python
        ? `${editOf(reply.definition, reply.more)}${reply.broken ? ' The text does not parse as a whole; it is read all the same.' : ''}`
        : 'This isn’t Python, the one language that the model knows, so nothing is looked up.';
    if (!reply.python) return;
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
    for (const one of [this.lens, this.nearest]) one.classList.remove('model-old');
    this.nearest.replaceChildren(...reply.similar.map((one, i) => similarItem(one, !i)));
    this.point = reply.point;
    this.showLens(reply.lens);
  }

  private showLens({ definition, removed, title, likeliest, threshold }: Lens): void {
    const line = removed ? undefined : this.after.value.split('\n').find((text) => definition && heads(text, definition));
    const where = line ? element('code', {}, line.trim()) : element('span', { className: 'model-said' }, absent(definition, removed));
    const chance = !likeliest ? 'No past edit was found.' : `At this score, the best past edit fits about ${Math.floor(100 * likeliest)} % of the time; your editor shows it from ${percent(threshold)} on.`;
    this.lens.replaceChildren(
      element('p', { className: 'model-said' }, title ? 'What your editor shows above the definition, a lens:' : 'Your editor would show no lens here.'),
      element('pre', {}, element('span', { className: 'model-lens-title' }, title ?? ' '), '\n', where),
      element('p', { className: 'model-said' }, title ? `Its evidence is that commit’s own diff, the first below. ${chance}` : chance),
    );
  }

  private showTokens(reply: Of<'tokens'>): void {
    if (!this.python) return;
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
    this.next.classList.remove('model-old');
    const items = next.filter(({ share }) => share >= 0.005).map(({ definition, line, share, like }) =>
      element(
        'li',
        {},
        bar(share, 'accent'),
        element('code', {}, definition),
        ` line ${line + 1}, ${percent(share)}`,
        like ? element('span', { className: 'model-said' }, ` expected to be most similar to: ${like}`) : '',
      ),
    );
    const none = this.empty ? 'Nothing has changed.' : 'There is no other definition in the file.';
    this.next.replaceChildren(...(items.length ? items : [element('li', { className: 'model-none' }, none)]));
  }

  private showRolled(reply: Of<'rolled'>): void {
    for (const one of [this.path, this.steps, this.guess]) one.classList.remove('model-old');
    this.guess.textContent = reply.steps.length ? nearer(reply.steps) : '\u00a0';
    this.drawPath(reply.predicted.flatMap(({ point }) => point ?? []), reply.actual.flatMap(({ point }) => point ?? []));
    this.path.replaceChildren(...followedSaid(reply.predicted, reply.actual));
    const rows = reply.steps.map(({ subject, predicted, copied }, i) =>
      element(
        'tr',
        {},
        element('th', { scope: 'row', title: subject }, `${i ? `${i}. ` : ''}${subject.length > 60 ? `${subject.slice(0, 59)}…` : subject}`),
        element('td', {}, bar(predicted, 'accent'), shownCosine(predicted)),
        element('td', {}, bar(copied, 'warm'), shownCosine(copied)),
      ),
    );
    const heads = ['after', 'the predictor, step by step', 'copying the first state'].map((name) => element('th', { scope: 'col' }, name));
    this.steps.replaceChildren(
      rows.length
        ? element('table', {}, element('thead', {}, element('tr', {}, ...heads)), element('tbody', {}, ...rows))
        : element('p', {}, this.python ? 'This needs a definition that is there before and after.' : 'This isn’t Python, so nothing is compared.'),
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
    const said = by < 10 ? ' A small edit is normally near 1; the study’s figure is a mean over many.' : ' Every state is the same: copying is always right, the loss is 0, and the states say nothing.';
    this.collapsed.textContent = `Pulled together by ${by * 10} %: copy indicator of this edit ${copied.toFixed(3)}.${said}`;
  }

  private drawPath(predicted: readonly Point[], actual: readonly Point[]): void {
    if (this.point) drawWay(this.map, this.edits, this.point, predicted, actual);
    else clear(this.map);
    const ends = `${predicted.length} predicted edits and ${actual.length} that really followed`;
    this.map.setAttribute('aria-label', this.point ? `A map of ${this.edits.length} past edits with yours, ${ends}.` : 'A map of past edits.');
  }
}

function editor(id: string): HTMLTextAreaElement {
  return element('textarea', { id, className: 'model-editor', spellcheck: false, autocapitalize: 'off', autocomplete: 'off', rows: 14, wrap: 'off' });
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
      predicted.map(({ like, right, copied }, i) => {
        const where = !like ? 'nowhere on the map' : i && like === predicted[i - 1]?.like ? `still like “${like}”` : `like “${like}”`;
        const cosines = right === null || copied === null ? '' : `; similarity to what really followed: ${right.toFixed(2)} (repeating your edit: ${copied.toFixed(2)})`;
        return element('li', {}, where, cosines);
      }),
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
        element('span', { className: 'chip' }, `${Math.floor(100 * one.score)} %`), // as in the words of the lens
        ' ',
        element('strong', {}, one.subject),
        ' ',
        element('span', { className: 'model-said' }, `${one.path}, ${placed(one.definition)}; ${date}, ${one.commit}`),
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
