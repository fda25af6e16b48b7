import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { companion, findServer, type Wanted } from '../../src/lookup';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'codewm-lookup-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function program(name: string, text = 'exit 0'): string {
  const file = path.join(folder, name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, `#!/bin/sh\n${text}\n`);
  chmodSync(file, 0o755);
  return file;
}

function wanted(more: Partial<Wanted>): Wanted {
  return { setting: '', interpreter: undefined, searchPath: '', workspaceFolders: [], shellPath: () => Promise.resolve(''), ownPrograms: '', neutralFolder: folder, ...more };
}

describe('the server is looked for', () => {
  it('where the setting says, and nowhere else then', async () => {
    const set = program('set/my-server');
    const beside = program('env/bin/codewm-lsp');
    const interpreter = program('env/bin/python');
    const searchPath = path.dirname(beside);
    assert.deepEqual(await findServer(wanted({ setting: set, interpreter, searchPath })), {
      kind: 'found',
      command: set,
      args: [],
      where: 'codewm.path',
    });
    const folderOfIt = await findServer(wanted({ setting: path.dirname(beside) }));
    assert.equal(folderOfIt.kind === 'found' && folderOfIt.command, beside);
    const named = await findServer(wanted({ setting: 'codewm-lsp', searchPath }));
    assert.equal(named.kind === 'found' && named.command, beside);
    for (const setting of [path.join(folder, 'gone'), 'gone', './set/my-server', path.join(folder, 'env')]) {
      assert.deepEqual(await findServer(wanted({ setting, interpreter, searchPath })), { kind: 'wrongPath', setting });
    }
  });

  it('beside the interpreter, before PATH', async () => {
    const beside = program('env/bin/codewm-lsp');
    const onPath = program('bin/codewm-lsp');
    const interpreter = program('env/bin/python');
    const found = await findServer(wanted({ interpreter, searchPath: path.dirname(onPath) }));
    assert.deepEqual(found, { kind: 'found', command: beside, args: [], where: 'the selected interpreter' });
  });

  it('in the interpreter itself, started where nothing can be imported by accident', async () => {
    const interpreter = program('env/bin/python', `[ "$(pwd -P)" = "$(cd '${folder}' && pwd -P)" ]`);
    const found = await findServer(wanted({ interpreter }));
    assert.deepEqual(found, {
      kind: 'found',
      command: interpreter,
      args: ['-m', 'codewm_lsp.server'],
      where: 'the selected interpreter',
    });
  });

  it('on PATH, but not in the workspace and not in relative folders', async () => {
    const inside = program('workspace/bin/codewm-lsp');
    const outside = program('usr/bin/codewm-lsp');
    const interpreter = program('env/bin/python', 'exit 1');
    const searchPath = ['', 'bin', path.dirname(inside), path.dirname(outside)].join(path.delimiter);
    const workspaceFolders = [path.join(folder, 'workspace')];
    const found = await findServer(wanted({ interpreter, searchPath, workspaceFolders }));
    assert.deepEqual(found, { kind: 'found', command: outside, args: [], where: 'PATH' });
  });

  it('on the PATH of the shell, which is asked for only when nothing else was found', async () => {
    const known = program('home/.local/bin/codewm-lsp');
    const onPath = program('usr/bin/codewm-lsp');
    const shellPath = (): Promise<string> => Promise.resolve(path.dirname(known));
    const found = await findServer(wanted({ shellPath }));
    assert.deepEqual(found, { kind: 'found', command: known, args: [], where: 'the PATH of your shell' });
    const never = (): Promise<string> => Promise.reject(new Error('asked'));
    const first = await findServer(wanted({ shellPath: never, searchPath: path.dirname(onPath) }));
    assert.equal(first.kind === 'found' && first.command, onPath);
  });

  it('last in the environment that the extension made', async () => {
    const own = program('storage/server/bin/codewm-lsp');
    const found = await findServer(wanted({ ownPrograms: path.dirname(own) }));
    assert.deepEqual(found, { kind: 'found', command: own, args: [], where: 'the environment of the extension' });
  });

  it('and every place is named when it is nowhere', async () => {
    const interpreter = program('env/bin/python', 'exit 1');
    assert.deepEqual(await findServer(wanted({ interpreter, searchPath: folder })), {
      kind: 'missing',
      tried: ['codewm.path is not set', `${interpreter} does not have codewm`, 'codewm-lsp is not on PATH'],
    });
    const none = await findServer(wanted({}));
    assert.ok(none.kind === 'missing' && none.tried.includes('no Python interpreter is selected'));
  });

  it('together with the programs that came with it', async () => {
    const server = program('env/bin/codewm-lsp');
    const found = { kind: 'found', command: server, args: [], where: 'PATH' } as const;
    assert.equal(await companion(found, 'codewm-train'), undefined);
    const train = program('env/bin/codewm-train');
    assert.equal(await companion(found, 'codewm-train'), train);
  });
});
