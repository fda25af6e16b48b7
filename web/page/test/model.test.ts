// The panel of the model in the page as it is published, in Chromium.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { DESKTOP, isWide, launch, open, type Opened, PHONE } from './browser.ts';
import { age } from '../src/model/age.ts';
import { editOf, milliseconds, nearer } from '../src/model/wording.ts';
import { serve, type Site } from './site.ts';

const PATIENCE = { timeout: 120_000 };
const STAGES = 6;

let browser: Browser;
let site: Site;
let page: Page;
let errors: string[];

before(async () => {
  [browser, site] = await Promise.all([launch(), serve()]);
  ({ page, errors } = await opened());
});

afterEach(() => {
  assert.deepEqual(errors, []);
});

after(async () => {
  await browser?.close();
  site?.close();
});

async function opened(options: Parameters<typeof open>[2] = {}): Promise<Opened> {
  const found = await open(browser, site.address, options);
  await found.page.locator('#model-state').waitFor({ state: 'detached', ...PATIENCE });
  return found;
}

/** Waits until all stages have answered the newest text. */
async function answered(): Promise<void> {
  await page.waitForFunction((stages) => document.querySelectorAll('.model-times li:not(.model-old)').length === stages, STAGES, PATIENCE);
}

/** Puts a text into an editor and waits for the answer. */
async function write(editor: string, text: string): Promise<void> {
  await page.locator(editor).evaluate((area, pasted) => {
    (area as HTMLTextAreaElement).value = pasted;
    area.dispatchEvent(new Event('input'));
  }, text);
  await answered();
}

/** Chooses an edit of the history and waits for the answer. */
async function choose(preset: string): Promise<void> {
  await page.locator('#model-preset').evaluate((select, value) => {
    (select as HTMLSelectElement).value = value;
    select.dispatchEvent(new Event('change'));
  }, preset);
  await answered();
}

async function texts(selector: string): Promise<string[]> {
  return await page.locator(selector).allTextContents();
}

/** What is timed, without the numbers. */
async function times(): Promise<string[]> {
  return (await texts('.model-times li')).map((said) => said.replace(/(< )?[\d.]+ ms$/, 'ms'));
}

async function own(was: string, is: string): Promise<void> {
  await page.selectOption('#model-preset', '-1');
  await write('#model-before', was);
  await write('#model-after', is);
}

test('each edit of the history shows all that the model makes of it', async () => {
  const presets = await page.locator('#model-preset option').count();
  for (let preset = 1; preset < presets - 1; preset++) {
    await choose(String(preset));
    assert.ok((await page.locator('.model-nearest > li').count()) >= 5);
    assert.match((await texts('.model-nearest .chip'))[0] ?? '', /^\d\d? %$/);
    assert.ok((await page.locator('.model-nearest .model-diff .model-added, .model-nearest .model-diff .model-removed').count()) > 0);
    assert.ok((await page.locator('.model-tokens .model-changed').count()) > 0);
    assert.ok((await page.locator('.model tbody tr').count()) > 3);
    assert.equal(await page.locator('.model-path > path').count(), 3, 'three predicted edits');
    assert.equal(await page.locator('.model-path > rect').count(), 3, 'three that followed');
    assert.deepEqual((await texts('.model-numbers > text')).sort(), ['1', '1', '2', '2', '3', '3', 'you']);
    assert.deepEqual(await covering(), [], `edit ${preset}`);
    assert.equal(await page.locator('.model-path-said li').count(), 6);
    const said = await texts('.model-path-said li');
    assert.match(said[0] ?? '', /^like “.+”; similarity to what really followed: -?[01]\.\d\d \(repeating your edit: -?[01]\.\d\d\)$/);
    for (const predicted of said.slice(0, 3)) assert.ok(!said.slice(3).includes(/“(.+)”/.exec(predicted)?.[1] ?? ''), 'named by an edit of the past');
    assert.match(await page.locator('.model-map').getAttribute('aria-label') ?? '', /3 predicted edits and 3 that really followed/);
  }
  assert.ok(presets > 3);
});

/** Pairs of numbers on the map of which one covers the other, and those that stand over its edge. */
async function covering(): Promise<string[]> {
  return await page.locator('.model-map').evaluate((map) => {
    const edge = map.getBoundingClientRect();
    const marks = [...map.querySelectorAll('.model-numbers > circle, .model-numbers > rect')].map((mark) => mark.getBoundingClientRect());
    const outside = marks.filter((box) => box.left < edge.left || box.top < edge.top || box.right > edge.right || box.bottom > edge.bottom).map((box) => `outside: ${box.x}, ${box.y}`);
    const pairs = marks.flatMap((one, at) => marks.slice(0, at).filter((other) => one.left < other.right - 1 && other.left < one.right - 1 && one.top < other.bottom - 1 && other.top < one.bottom - 1).map((other) => `${one.x}, ${one.y} and ${other.x}, ${other.y}`));
    return [...outside, ...pairs];
  });
}

test('a visitor begins with a small example, which has a lens and shows where it goes on', async () => {
  await choose('0');
  assert.match((await page.locator('#model-preset option').first().textContent()) ?? '', /^read: a small example/);
  assert.ok((await page.inputValue('#model-before')).split('\n').length < 25, 'it is read at a glance');
  assert.match((await page.locator('.model-lens-title').textContent()) ?? '', /^like [0-9a-f]{7} /);
  assert.deepEqual((await texts('.model-next code')).sort(), ['load', 'write']);
  assert.match((await texts('.model-path-said')).join(), /Nothing yet/);
  assert.equal(await page.locator('.model-path > path').count(), 3);
  assert.deepEqual(await covering(), []);
});

test('an edit is typed letter by letter when asked for, and its answers follow', async () => {
  await choose('0');
  const whole = await page.inputValue('#model-after');
  const lens = await page.locator('.model-lens-title').textContent();
  await page.click('.model-chosen button');
  await page.waitForFunction(() => /read_text\(enc?o?d?i?n?g?\)/.test((document.getElementById('model-after') as HTMLTextAreaElement).value));
  await page.waitForFunction((text) => (document.getElementById('model-after') as HTMLTextAreaElement).value === text, whole);
  await page.waitForFunction((text) => document.querySelector('.model-lens-title')?.textContent === text, lens, PATIENCE);
  assert.match((await page.locator('.model-chosen button').textContent()) ?? '', /See it typed/);
});

test('the times of the first answer are not passed off as usual', async () => {
  const { page, context } = await open(browser, site.address, { serviceWorkers: 'block' });
  await page.locator('#model-state').waitFor({ state: 'detached', ...PATIENCE });
  assert.match((await page.locator('.model-total').textContent()) ?? '', /^first answer, loading the model \d+ ms$/);
  assert.match((await page.locator('.model-pace').textContent()) ?? '', /^The first answer takes longest/);
  await page.focus('#model-after');
  await page.keyboard.type('x');
  await page.waitForFunction(() => /^Median of 1 answer: \d+ ms from the keystroke\.$/.test(document.querySelector('.model-pace')?.textContent ?? ''), undefined, PATIENCE);
  assert.match((await page.locator('.model-total').textContent()) ?? '', /^keystroke to answer \d+ ms$/);
  await context.close();
});

test('what only moves lines is no edit, and does not become the one that is looked up', async () => {
  const module = `import json\n\n${Array.from({ length: 20 }, (_, i) => `NAME_${i} = ${i}\n`).join('')}\n\n`; // larger than its functions
  const before = `${module}def read(path):\n    return path.read_text()\n\n\ndef write(path):\n    pass\n`;
  const is = before.replace('read_text()', 'read_text(encoding="utf-8")');
  for (const typed of [`${is}\n`, `${is}\n\n\n`, is.replace('\ndef write', '\n\n\ndef write'), is.replace('import json\n', 'import json  \n')]) {
    await own(before, typed);
    assert.equal(await page.locator('.model-status').textContent(), 'An edit of read.', JSON.stringify(typed));
    assert.match((await page.locator('.model-lens').textContent()) ?? '', /def read\(/);
  }
});

test('what is not Python is said to be so, and gets no lens', async () => {
  const script = 'export async function fetchAll(urls) {\n  const found = [];\n  for (const url of urls) {\n    found.push(await fetch(url));\n  }\n  return found.map((one) => one.json());\n}\n';
  await own(script, script.replace('fetch(url)', 'fetch(url, { signal })'));
  assert.match((await page.locator('.model-status').textContent()) ?? '', /^This isn’t Python, .* nothing is looked up\.$/);
  assert.equal(await page.locator('.model-lens').isVisible(), false);
  assert.equal(await page.locator('.model-cards').isVisible(), false);
  assert.match((await page.locator('.model-copying').textContent()) ?? '', /^This isn’t Python/);
  assert.deepEqual(await times(), ['tokenise ms', 'encode ms', 'search –', 'keystroke to answer –', 'where next –', 'predict –']);
  await write('#model-before', 'def f(x):\n    return x\n');
  await write('#model-after', 'def f(x):\n    return x + 1\n');
  for (const part of ['.model-lens', '.model-cards']) assert.ok(await page.locator(part).isVisible(), 'shown again, of Python');
  assert.deepEqual(await texts('.model-next li'), ['There is no other definition in the file.']);
});

test('what took no time did not run, and the stages stand in their order', async () => {
  const code = 'def f(x):\n    return x\n\n\ndef g(x):\n    return f(x)\n';
  await own(code, code.replace('return x', 'return x + 1'));
  assert.deepEqual(await times(), ['tokenise ms', 'encode ms', 'search ms', 'keystroke to answer ms', 'where next ms', 'predict ms']);
  await write('#model-after', code);
  assert.deepEqual((await times()).slice(2), ['search –', 'keystroke to answer –', 'where next –', 'predict –']);
  assert.deepEqual([null, 0, 0.04, 0.05, 12.345].map(milliseconds), ['–', '< 0.1 ms', '< 0.1 ms', '0.1 ms', '12.3 ms']);
});

test('an edit of the history that is changed is the visitor’s own, and nothing has followed it', async () => {
  for (const editor of ['#model-after', '#model-before']) {
    await choose('1');
    assert.equal(await page.locator('.model-path > rect').count(), 3);
    const steps = await texts('.model-copying tbody th');
    assert.equal(steps[0], 'this edit');
    assert.equal((await texts('.model-path-said ol:last-of-type li'))[0]?.slice(0, 20), /^1\. (.*)/.exec(steps[1] ?? '')?.[1]?.slice(0, 20), 'one numbering');
    await write(editor, `${await page.inputValue(editor)}\n\nNEW_CONSTANT = 1\n`);
    assert.equal(await page.inputValue('#model-preset'), '-1');
    assert.equal(await page.locator('.model-chosen button').isDisabled(), true);
    assert.equal(await page.locator('.model-path > rect').count(), 0);
    assert.match((await texts('.model-path-said')).join(), /Nothing yet: this edit is yours/);
    assert.doesNotMatch((await texts('.model-path-said')).join(), /similarity to/);
    assert.ok((await page.locator('.model-copying tbody tr').count()) <= 1);
  }
  await choose('1');
  assert.equal(await page.locator('.model-path > rect').count(), 3, 'chosen again, it is whole');
});

test('other definitions that were edited, and one that was removed, are named as such', async () => {
  const code = 'import json\n\n\ndef f(x):\n    return x\n\n\ndef g(x):\n    return json.dumps(x, indent=4)\n';
  await own(code, code.replace('return x', 'return x + 1').replace('indent=4', 'indent=2'));
  assert.equal(await page.locator('.model-status').textContent(), 'An edit of g and 1 more definition; only g is looked up.');
  await write('#model-after', code.replace('import json', 'import json\nimport os\n\nLIMIT = os.environ.get("LIMIT")'));
  assert.equal(await page.locator('.model-status').textContent(), 'An edit outside any definition.');
  assert.match((await page.locator('.model-lens pre').textContent()) ?? '', /outside any definition$/);
  assert.equal(await page.locator('.model-lens code').count(), 0, 'which is no code');
  await write('#model-after', code.slice(0, code.indexOf('def g')));
  assert.equal(await page.locator('.model-status').textContent(), 'An edit of g.');
  assert.match((await page.locator('.model-lens pre').textContent()) ?? '', /removed g$/);
  assert.equal(editOf('<module>', 2), 'An edit outside any definition and of 2 definitions; only the first is looked up.');
  assert.equal(editOf('', 0), 'An edit of this text.');
});

test('which guess is nearer is decided by the figures that are shown', () => {
  const step = (predicted: number, copied: number) => ({ predicted, copied });
  assert.equal(nearer([step(0.8942, 0.8938)]), 'Here the predictor is no better than a copy.');
  assert.equal(nearer([step(0.895, 0.894)]), 'Here the predictor is nearer in 1 of 1 step, the copy in 0.');
  assert.equal(nearer([step(0.9, 0.8), step(0.7, 0.8), step(0.8001, 0.8)]), 'Here the predictor is nearer in 1 of 3 steps, the copy in 1; in 1 they are equal.');
});

test('the lens of an editor is shown with its evidence, and none where no past edit is likely enough', async () => {
  const spoken: boolean[] = [];
  for (let preset = 0; preset < (await page.locator('#model-preset option').count()) - 1; preset++) {
    await choose(String(preset));
    const title = (await page.locator('.model-lens-title').textContent()) ?? '';
    const best = Number(/^(\d+) %/.exec((await texts('.model-nearest .chip'))[0] ?? '')?.[1]);
    const least = Number(/your editor shows it from (\d+) % on/.exec((await page.locator('.model-lens').textContent()) ?? '')?.[1]);
    spoken.push(title.trim() !== '');
    if (!title.trim()) {
      assert.ok(best <= least, `${best} %`);
      assert.match((await page.locator('.model-lens').textContent()) ?? '', /no lens here/);
      continue;
    }
    assert.ok(best >= least, `${best} %`);
    const [, commit, subject] = /^like ([0-9a-f]{7}) ['"](.+)['"] · .+ ago/.exec(title) ?? [];
    const evidence = (await texts('.model-nearest summary'))[0] ?? '';
    assert.ok(commit && evidence.includes(commit), title);
    assert.ok(subject && evidence.includes(subject.replace(/…$/, '')), title);
    assert.ok(await page.locator('.model-nearest details[open] .model-diff').first().isVisible());
  }
  assert.ok(spoken.includes(true));
});

test('a search for an edit of the history finds none of its own commit, of its definition or after it', async () => {
  const commits = (await page.evaluate(async () => {
    const { entries } = (await (await fetch('model/gallery.json')).json()) as { entries: { commit: string; time: number; path: string; definition: string; subject: string }[] };
    return entries.map(({ commit, time, subject }) => ({ commit, time, subject }));
  })) as { commit: string; time: number; subject: string }[];
  for (const preset of ['1', '2', '3']) {
    await choose(preset);
    const [definition, subject] = ((await page.locator(`#model-preset option[value="${preset}"]`).textContent()) ?? '').split(/: (.*)/s);
    const own = commits.find((one) => one.subject === subject);
    for (const said of await texts('.model-nearest summary .model-said')) {
      const [, name, commit] = /, ([^,;]+); [\d-]+, ([0-9a-f]+)$/.exec(said) ?? [];
      const found = commits.find((one) => one.commit === commit);
      assert.ok(found && (!own || found.time < own.time), said);
      assert.ok(name, said);
    }
    assert.ok(definition);
  }
});

test('what is typed is seen in the words, the tokens and the similar edits', async () => {
  const code = 'def fetch(url):\n    return get(url)\n';
  await own(code, code.replace('get(url)', 'get(url, timeout=RETRY_SECONDS)'));
  assert.match(await page.locator('.model-status').textContent() ?? '', /An edit of fetch/);
  const words = await texts('.model-body tbody th');
  assert.ok(words.includes('timeout') && words.includes('=RETRY_SECONDS'), words.join());
  assert.ok((await texts('.model-tokens .model-changed')).includes('RETRY_SECONDS'));
  const similar = await texts('.model-nearest summary');
  await write('#model-after', code.replace('get(url)', 'assert_is_sorted(url)'));
  assert.notDeepEqual(await texts('.model-nearest summary'), similar);
});

test('the last keystroke is the one that is answered', async () => {
  const code = 'def f(x):\n    return x\n';
  await own(code, code);
  await page.focus('#model-after');
  await page.keyboard.press('Control+End');
  await page.keyboard.type('\ndef typed_in_a_hurry(): pass');
  await page.waitForFunction(
    () => [...document.querySelectorAll('.model-body tbody th')].some((head) => head.textContent === '=typed_in_a_hurry'),
    undefined,
    PATIENCE,
  );
  await answered();
});

test('two texts with the same tokens are no edit', async () => {
  const code = 'def f(x):\n    return x\n';
  await own(code, `${code}\n\n`);
  assert.match(await page.locator('.model-status').textContent() ?? '', /same tokens/);
  assert.equal(await page.locator('.model-nearest > li').count(), 0);
});

test('broken syntax is answered like any other', async () => {
  const code = 'class A:\n    def whole(self):\n        return 1\n';
  for (const broken of ['def half(', `${code}    def typed(self, x: "\n`, `${code}\n    """Never closed`, '}]) else 🐍 \u0000 é', '']) {
    await own(code, broken);
    assert.match(await page.locator('.model-status').textContent() ?? '', /^An edit (of (?!<module>)|outside any definition)/, broken);
    assert.ok((await page.locator('.model-nearest > li').count()) > 0, broken);
  }
});

test('ten thousand pasted lines do not block the page', async () => {
  const lines = Array.from({ length: 2500 }, (_, i) => `def function_${i}(a, b):\n    total = a * ${i} + b\n    return total\n\n`);
  await own('x = 1\n', '');
  await page.locator('#model-after').evaluate((area, pasted) => {
    const clipboardData = new DataTransfer();
    clipboardData.setData('text/plain', pasted);
    area.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }));
  }, lines.join(''));
  await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(resolve)));
  assert.equal((await page.inputValue('#model-after')).split('\n').length, 10_001);
  await answered();
  assert.match((await texts('.model-tokens'))[0] ?? '', /Only the beginning/);
  assert.ok((await page.locator('.model-nearest > li').count()) > 0);
  await own('', '');
});

test('two pasted versions are shown where they differ', async () => {
  const lines = Array.from({ length: 300 }, (_, i) => `value_${i} = ${i}`);
  await own('', '');
  const paste = async (editor: string, text: string): Promise<void> => {
    await page.focus(editor);
    await page.keyboard.insertText(text); // types it at once, at the caret
    await page.locator(editor).evaluate((area) => area.dispatchEvent(new InputEvent('input', { inputType: 'insertFromPaste' })));
  };
  await paste('#model-before', lines.join('\n'));
  await paste('#model-after', lines.with(150, 'value_150 = None').join('\n'));
  await answered();
  for (const editor of ['#model-before', '#model-after']) {
    const [first, last] = await page.locator(editor).evaluate((area) => {
      const height = area.scrollHeight / 300;
      return [area.scrollTop / height, (area.scrollTop + area.clientHeight) / height];
    });
    assert.ok(first !== undefined && last !== undefined && first < 150 && last > 151, `${editor}: ${first} to ${last}`);
  }
  await own('', '');
});

test('code that looks like markup is text', async () => {
  const evil = 'x = "<img src=x onerror=alert(1)><script>alert(2)</script>"\n';
  await own('x = 1\n', `${evil}def f():\n    # <b>bold</b>\n    return 1\n`);
  assert.match(await page.locator('.model-tokens').textContent() ?? '', /<img src=x onerror=alert\(1\)>/);
  assert.equal(await page.locator('.model img, .model script, .model b').count(), 0);
});

test('drawing the states together shows the copy indicator going to 1', async () => {
  await choose('1');
  const said = async (): Promise<number> => Number(/copy indicator of this edit (\d\.\d+)/.exec((await page.locator('output[for="model-collapse"]').textContent()) ?? '')?.[1]);
  const healthy = await said();
  await page.focus('#model-collapse');
  await page.keyboard.press('End');
  assert.ok(healthy < 1);
  assert.equal(await said(), 1);
  assert.match(await page.locator('output[for="model-collapse"]').textContent() ?? '', /Every state is the same/);
});

test('the panel fits a phone', async () => {
  await page.setViewportSize(PHONE);
  const presets = await page.locator('#model-preset option').count();
  for (let preset = 0; preset < presets - 1; preset++) {
    await choose(String(preset));
    assert.equal(await isWide(page), false, `edit ${preset}`);
    // The page cuts off what is wider than a card.
    const over = await page.locator('select, textarea, .model-map').evaluateAll((all) =>
      all.filter((one) => one.getBoundingClientRect().right > (one.closest('.card') ?? document.body).getBoundingClientRect().right).map((one) => one.id || one.className.toString()),
    );
    assert.deepEqual(over, []);
  }
  await page.setViewportSize(DESKTOP);
});

test('a model that cannot be loaded is said to be so', async () => {
  const { page, context } = await open(browser, 'about:blank', { serviceWorkers: 'block' });
  await page.route('**/model-worker.js', (route) => route.fulfill({ contentType: 'text/javascript', body: 'postMessage({ kind: "failed", message: "it is damaged" })' }));
  await page.goto(site.address);
  await page.waitForFunction(() => document.getElementById('model-root')?.textContent?.includes('it is damaged'), undefined, PATIENCE);
  await context.close();
});

test('a file that is missing is named', async () => {
  const { page, context } = await open(browser, 'about:blank', { serviceWorkers: 'block' });
  await page.route('**/model/edit.onnx', (route) => route.fulfill({ status: 404, body: '' }));
  await page.goto(site.address);
  await page.waitForFunction(() => document.getElementById('model-root')?.textContent?.includes('edit.onnx is not there (404)'), undefined, PATIENCE);
  await context.close();
});

test('a browser that gives workers no workers answers, too', async () => {
  const { page, context } = await open(browser, 'about:blank', { serviceWorkers: 'block' });
  await page.route('**/measure-worker.js', (route) => route.abort());
  await page.goto(site.address);
  await page.locator('.model-nearest > li').first().waitFor(PATIENCE);
  await context.close();
});

test('ages are those of a lens', () => {
  const day = 86_400;
  assert.deepEqual(
    [59, 60, 7_200, day, 20 * day, 61 * day, 800 * day].map(age),
    ['just now', '1 minute ago', '2 hours ago', '1 day ago', '2 weeks ago', '2 months ago', '2 years ago'],
  );
});
