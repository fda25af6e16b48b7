import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { requirement, suitablePython } from '../../src/environment';
import { shellPath } from '../../src/shell';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'codewm-environment-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function program(name: string, text: string): string {
  const file = path.join(folder, name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, `#!/bin/sh\n${text}\n`);
  chmodSync(file, 0o755);
  return file;
}

describe('the environment of the extension', () => {
  it('is made by the first Python on PATH that is new enough and can make one', async () => {
    const old = program('old/python3', 'exit 1');
    const good = program('good/python', 'exit 0');
    const searchPath = [path.dirname(old), path.dirname(good)].join(path.delimiter);
    assert.equal(await suitablePython({ searchPath, workspaceFolders: [] }), good);
    assert.equal(await suitablePython({ searchPath: path.dirname(old), workspaceFolders: [] }), undefined);
    assert.equal(await suitablePython({ searchPath, workspaceFolders: [folder] }), undefined);
  });

  it('gets the wheel that came along, else the published package, else nothing', async () => {
    assert.equal(await requirement(folder, false), undefined);
    assert.equal(await requirement(folder, true), 'codewm');
    mkdirSync(path.join(folder, 'server'));
    const wheel = path.join(folder, 'server', 'codewm-1.0-py3-none-any.whl');
    writeFileSync(wheel, '');
    assert.equal(await requirement(folder, false), wheel);
    assert.equal(await requirement(folder, true), wheel);
  });
});

describe('the PATH of the shell', () => {
  const before = process.env['SHELL'];
  afterEach(() => {
    if (before === undefined) {
      delete process.env['SHELL'];
    } else {
      process.env['SHELL'] = before;
    }
  });

  it('is read past what the shell says as it starts', async () => {
    process.env['SHELL'] = program('shell', 'echo Welcome; PATH=/from/the/profile:$PATH; eval "$2"; echo Bye');
    assert.match(await shellPath(), /^\/from\/the\/profile:/);
  });

  it('is done without when the shell fails', async () => {
    process.env['SHELL'] = program('shell', 'exit 3');
    assert.match(await shellPath(), /\.local.bin$/);
  });
});
