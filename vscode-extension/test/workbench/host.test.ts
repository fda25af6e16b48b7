// Runs test/host inside the extension host of the real workbench.

import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { it } from 'node:test';
import { CHANGED, client, makeShop } from './history';
import { ROOT, SERVER, startMachine } from './machine';

void it('the suite inside the extension host passes', async () => {
  const python = path.join(path.dirname(SERVER), 'python');
  // An interpreter with codewm in it, but no codewm-lsp beside it: a stand-in is written by the test below.
  const machine = await startMachine({
    smokeTest: true,
    extensions: [path.join(ROOT, 'test/fixtures/python-extension')],
    environment: { PYTHON_BESIDE: python, PYTHON_MODULE: path.join(ROOT, 'test-results/python/python') },
  });
  try {
    const alone = path.join(ROOT, 'test-results/python/python');
    mkdirSync(path.dirname(alone), { recursive: true });
    writeFileSync(alone, `#!/bin/sh\nexec '${python}' "$@"\n`);
    chmodSync(alone, 0o755);

    const folders = ['one', 'two'].map((name) => {
      const shop = makeShop(path.join(machine.folder, name));
      shop.write(CHANGED, client('sessions', { timeout: 'fetch' }));
      return { path: shop.path };
    });
    const workspace = path.join(machine.folder, 'both.code-workspace');
    writeFileSync(workspace, JSON.stringify({ folders, settings: { 'codewm.path': SERVER } }));

    const page = await machine.browser.newPage();
    const lines: string[] = [];
    const ended = new Promise<number>((resolve) => {
      void page.exposeFunction('codeAutomationLog', (_type: string, words: unknown[]) => {
        lines.push(words.map(String).join(' '));
      });
      void page.exposeFunction('codeAutomationExit', (code: number) => resolve(code));
    });
    const remote = (file: string): string => `vscode-remote://${machine.authority}${file}`;
    const payload = [
      ['extensionDevelopmentPath', remote(ROOT)],
      ['extensionTestsPath', remote(path.join(ROOT, 'dist-test/host.js'))],
      ['skipWelcome', 'true'],
    ];
    const query = new URLSearchParams({ workspace, payload: JSON.stringify(payload) });
    await page.goto(`${machine.origin}/?${query.toString()}`, { waitUntil: 'commit', timeout: 300_000 });
    const code = await ended;
    const said = lines.filter((line) => /\b(not )?ok |failed/.test(line)).join('\n');
    console.log(said);
    assert.equal(code, 0, said);
  } finally {
    await machine.stop();
  }
});
