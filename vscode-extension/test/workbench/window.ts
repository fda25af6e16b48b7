// A window of the workbench, in the words of a user.

import { mkdirSync } from 'node:fs';
import path from 'node:path';
import type { Locator, Page } from 'playwright-core';
import { type Machine, ROOT } from './machine';

/** Milliseconds until a test gives up; nothing is asserted about time. */
export const PATIENCE = Number(process.env['CODEWM_PATIENCE'] ?? 120_000);
const OPENING = 300_000; // the same for a window, which on a busy machine takes its time
const MOST_LOADS = 3; // of a window whose connection the workbench itself gives up

/** Wait until `look` gives something that is `wanted`; what it gave. */
export async function until<Seen>(
  what: string,
  look: () => Promise<Seen> | Seen,
  wanted: (seen: Seen) => boolean = (seen) => Boolean(seen),
  patience = PATIENCE,
): Promise<Seen> {
  const end = Date.now() + patience;
  let seen: Seen | undefined;
  for (;;) {
    try {
      seen = await look();
      if (wanted(seen)) {
        return seen;
      }
    } catch (error) {
      if (Date.now() > end) {
        throw error;
      }
    }
    if (Date.now() > end) {
      throw new Error(`${what}: it did not come true. Last seen: ${JSON.stringify(seen)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 60));
  }
}

export interface Lens {
  readonly text: string;
  /** The line of code below it. */
  readonly above: string;
  /** Pixels from the top of the editor. */
  readonly top: number;
}

export class Window {
  private constructor(
    readonly page: Page,
    readonly folder: string,
    private readonly authority: string,
  ) {}

  static async open(machine: Machine, folder: string, file?: string, size = { width: 1280, height: 800 }): Promise<Window> {
    const context = await machine.browser.newContext({ viewport: size, deviceScaleFactor: 1 });
    await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: machine.origin });
    context.setDefaultTimeout(OPENING);
    const window = new Window(await context.newPage(), folder, machine.authority);
    const payload = file === undefined ? [] : [['openFile', window.remote(path.join(folder, file))]];
    const query = new URLSearchParams({ folder, payload: JSON.stringify(payload) });
    for (let times = 1; ; times += 1) {
      await window.load(`${machine.origin}/?${query.toString()}`, file !== undefined);
      if (file === undefined || !machine.extended || times === MOST_LOADS || (await window.connected())) {
        return window;
      }
      await window.picture(`not-connected-${String(times)}`);
      console.error(`The window has lost its extension host; it is loaded again.\n${machine.logs()}`);
    }
  }

  private async load(address: string, withFile: boolean): Promise<void> {
    await this.page.goto(address, { waitUntil: 'commit' });
    await this.page.locator('.monaco-workbench').waitFor();
    if (withFile) {
      await this.page.locator('.monaco-editor .view-line').first().waitFor();
    }
  }

  /** Whether the extension was activated: it is in the language status. Where the workbench itself gives up, a user reloads. */
  private async connected(): Promise<boolean> {
    const status = this.page.locator('.statusbar-item[id="status.languageStatus"]:visible');
    const lost = this.page.locator('.monaco-dialog-box', { hasText: 'reload the window' });
    const end = Date.now() + PATIENCE;
    while (Date.now() < end && !(await lost.isVisible())) {
      if (await status.isVisible()) {
        return true;
      }
      await new Promise((resolve) => setTimeout(resolve, 60));
    }
    return false;
  }

  async close(): Promise<void> {
    await this.page.context().close();
  }

  remote(file: string): string {
    return `vscode-remote://${this.authority}${file}`;
  }

  /** The lenses on the screen, from top to bottom. */
  async lenses(): Promise<Lens[]> {
    return this.page.evaluate(() => {
      const editor = document.querySelector('.editor-instance .monaco-editor');
      if (editor === null) {
        return [];
      }
      const words = (node: Element): string => (node.textContent ?? '').replaceAll('\u00a0', ' ').trim();
      const lines = [...editor.querySelectorAll('.view-line')].map((line) => ({ y: line.getBoundingClientRect().top, text: words(line) }));
      return [...editor.querySelectorAll('.codelens-decoration')]
        .filter((lens) => words(lens) !== '')
        .map((lens) => {
          const { top, bottom } = lens.getBoundingClientRect();
          const below = lines.filter((line) => line.y >= bottom - 8).sort((one, other) => one.y - other.y)[0];
          return { text: words(lens), above: below?.text ?? '', top: Math.round(top) };
        })
        .sort((one, other) => one.top - other.top);
    });
  }

  /** Wait for a lens with these words. */
  async lens(text: string | RegExp, above = ''): Promise<Lens> {
    const fits = (lens: Lens): boolean =>
      (typeof text === 'string' ? lens.text.includes(text) : text.test(lens.text)) && lens.above.includes(above);
    const found = await until(`a lens "${String(text)}"`, () => this.lenses(), (lenses) => lenses.some(fits));
    const lens = found.find(fits);
    if (lens === undefined) {
      throw new Error('unreachable');
    }
    return lens;
  }

  async clickLens(text: string | RegExp): Promise<void> {
    await this.page.locator('.codelens-decoration a', { hasText: text }).first().click();
  }

  /** Run a command by its title in the palette, as a user does with the keyboard. */
  async run(title: string): Promise<void> {
    const input = await this.choose(title);
    await input.waitFor({ state: 'hidden', timeout: PATIENCE });
  }

  /** Run a command that asks for words, in a box with this placeholder, and give it some. */
  async runWith(title: string, placeholder: string, words: string): Promise<void> {
    await this.choose(title);
    const box = this.page.locator(`.quick-input-widget input[placeholder^="${placeholder}"]`);
    await box.waitFor({ timeout: PATIENCE });
    await box.fill(words);
    await box.press('Enter');
    await box.waitFor({ state: 'hidden', timeout: PATIENCE });
  }

  private async choose(title: string): Promise<Locator> {
    const input = this.page.locator('.quick-input-widget input[type=text]');
    await until(`the command palette for "${title}"`, async () => {
      if (!(await input.isVisible())) {
        await this.page.keyboard.press('F1');
      }
      return input.isVisible();
    });
    const first = this.page.locator('.quick-input-list .monaco-list-row').first();
    await until(`the command "${title}"`, async () => {
      if (!(await input.isVisible())) {
        await this.page.keyboard.press('F1'); // it closes when something else takes the focus
      }
      await input.fill(`>${title}`, { timeout: 5000 });
      await first.filter({ hasText: title }).waitFor({ timeout: 5000 });
      await input.press('Enter', { timeout: 5000 });
      return true;
    });
    return input;
  }

  /** The name of the tab in front. */
  async tab(): Promise<string> {
    return (await this.page.locator('.tabs-container .tab.active').first().getAttribute('data-resource-name')) ?? '';
  }

  /** The first result of the palette for a title; empty when there is none. */
  async offered(title: string): Promise<string[]> {
    const input = this.page.locator('.quick-input-widget input[type=text]');
    await until('the command palette', async () => {
      if (!(await input.isVisible())) {
        await this.page.keyboard.press('F1');
      }
      return input.isVisible();
    });
    await input.fill(`>${title}`);
    const rows = this.page.locator('.quick-input-list .monaco-list-row .label-name');
    await until('results', () => rows.count());
    const found = await rows.allTextContents();
    await input.press('Escape');
    return found;
  }

  notifications(): Locator {
    return this.page.locator('.notification-toast .notification-list-item');
  }

  async notification(text: string): Promise<Locator> {
    const toast = this.notifications().filter({ hasText: text });
    await until(`the message "${text}"`, () => toast.count());
    return toast.first();
  }

  /** Press a button of a row, and wait for what the extension says then; the pointer rests on it, or it goes away by itself. */
  async press(row: Locator, button: string, message: string): Promise<Locator> {
    const toast = this.notifications().filter({ hasText: message }).first();
    await until(`the message "${message}"`, async () => {
      if (!(await toast.isVisible())) {
        await row.hover({ timeout: 5000 });
        await row.locator(`.action-label[aria-label*="${button}"]`).click({ timeout: 5000 }); // a row that is just drawn anew takes no notice
      }
      await toast.hover({ timeout: 10_000 });
      return true;
    });
    return toast;
  }

  /** Dialogs, messages and the status bar, for a test that fails. */
  async said(): Promise<string> {
    const [dialogs, messages] = await Promise.all(
      ['.monaco-dialog-box', '.notification-toast'].map((place) => this.page.locator(place).allTextContents()),
    );
    const items = this.page.locator('.statusbar-item[aria-label]');
    const status = await items.evaluateAll((found) => found.map((item) => item.getAttribute('aria-label')));
    return JSON.stringify({ dialogs, messages, status });
  }

  /** Put the cursor behind some words of the code. */
  async clickBehind(line: string): Promise<void> {
    const row = this.line(line);
    await row.click();
    await this.page.keyboard.press('End');
  }

  line(text: string): Locator {
    return this.page.locator('.editor-instance .monaco-editor .view-line').filter({ hasText: text }).first();
  }

  /** Rows of a view, as their texts. */
  async rows(view: string): Promise<string[]> {
    const rows = this.pane(view).locator('.monaco-list-row');
    return (await rows.allTextContents()).map((text) => text.replaceAll('\u00a0', ' '));
  }

  /** The text of the view "Details", which is a page in a frame. */
  async details(): Promise<string> {
    const texts = await Promise.all(
      this.page.frames().map((frame) => frame.evaluate(() => document.querySelector('h2')?.parentElement?.innerText ?? '').catch(() => '')),
    );
    return texts.join('').replaceAll('\u00a0', ' ');
  }

  pane(view: string): Locator {
    return this.page.locator('.pane').filter({ has: this.page.locator('.pane-header .title', { hasText: view }) });
  }

  row(view: string, text: string): Locator {
    return this.pane(view).locator('.monaco-list-row').filter({ hasText: text }).first();
  }

  /** Open the menu of a row, and choose from it. */
  async chooseOf(row: Locator, title: string): Promise<void> {
    await row.click({ button: 'right' });
    const entry = this.page.locator('.monaco-menu .action-label', { hasText: title });
    await entry.waitFor({ timeout: PATIENCE });
    await until(`the menu to close on "${title}"`, async () => {
      if (await entry.isVisible()) {
        await entry.click({ timeout: 5000 }); // a menu that has just been opened takes no notice
      }
      return !(await entry.isVisible());
    });
  }

  /** The texts of the two sides of the diff that is open, as far as they are on the screen. */
  async diff(): Promise<{ title: string; before: string; after: string }> {
    return this.page.evaluate(() => {
      const words = (side: string): string => {
        const lines = [...document.querySelectorAll(`.monaco-diff-editor .editor.${side} .view-line`)];
        return lines
          .map((line) => ({ y: line.getBoundingClientRect().top, text: (line.textContent ?? '').replaceAll('\u00a0', ' ') }))
          .sort((one, other) => one.y - other.y)
          .map((line) => line.text)
          .join('\n');
      };
      const title = document.querySelector('.tabs-container .tab.active .label-name')?.textContent ?? '';
      return { title, before: words('original'), after: words('modified') };
    });
  }

  /** A picture of the window, or of a part of it. */
  async picture(name: string, part?: { x: number; y: number; width: number; height: number }): Promise<void> {
    const folder = process.env['CODEWM_PICTURES'] ?? path.join(ROOT, 'test-results');
    mkdirSync(folder, { recursive: true });
    await this.page.mouse.move(5, 795);
    await new Promise((resolve) => setTimeout(resolve, 500)); // what fades in or out has done so
    const file = path.join(folder, `vscode-${name.replaceAll(/[^\w-]+/g, '-')}.png`);
    await this.page.screenshot({ path: file, ...(part === undefined ? {} : { clip: part }) });
  }
}
