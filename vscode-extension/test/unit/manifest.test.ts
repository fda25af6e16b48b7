import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { it } from 'node:test';

const ROOT = path.resolve(import.meta.dirname, '..');
const manifest = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as {
  contributes: {
    keybindings?: unknown;
    commands: { command: string; category: string }[];
    configuration: { properties: Record<string, { default: unknown; description?: string; markdownDescription?: string }> };
  };
  capabilities: { untrustedWorkspaces: { supported: unknown; restrictedConfigurations: string[] }; virtualWorkspaces: { supported: boolean } };
};

void it('steals no key, and calls its commands CodeWM', () => {
  assert.equal(manifest.contributes.keybindings, undefined);
  assert.ok(manifest.contributes.commands.every((one) => one.category === 'CodeWM' && one.command.startsWith('codewm.')));
});

void it('takes no program, no model and no store from a workspace that is not trusted', () => {
  const { untrustedWorkspaces, virtualWorkspaces } = manifest.capabilities;
  assert.equal(untrustedWorkspaces.supported, 'limited');
  assert.deepEqual(untrustedWorkspaces.restrictedConfigurations, ['codewm.path', 'codewm.model', 'codewm.store']);
  assert.equal(virtualWorkspaces.supported, false);
});

void it('describes every setting and gives its default', () => {
  const { properties } = manifest.contributes.configuration;
  assert.ok(Object.keys(properties).length > 10);
  for (const [name, property] of Object.entries(properties)) {
    assert.ok(property.description ?? property.markdownDescription, `${name} is described`);
    assert.notEqual(property.default, undefined, `${name} has a default`);
  }
});

void it('is small, but for the server that travels in it', () => {
  const server = path.join(ROOT, 'server');
  const carried = existsSync(server) ? readdirSync(server).map((name) => statSync(path.join(server, name)).size) : [];
  assert.ok(statSync(path.join(ROOT, 'codewm.vsix')).size - carried.reduce((sum, one) => sum + one, 0) <= 450 * 1024);
});

void it('brings the pictures of its README along', () => {
  const readme = readFileSync(path.join(ROOT, 'dist', 'README.md'), 'utf8');
  const pictures = [...readme.matchAll(/!\[[^\]]*\]\(([^)]+)\)/g)].map((found) => found[1] ?? '');
  assert.ok(pictures.length >= 2);
  const packed = readFileSync(path.join(ROOT, '.vscodeignore'), 'utf8');
  assert.ok(packed.includes('!dist/README.md\n') && packed.includes('!dist/images/*.png\n'));
  for (const picture of pictures) {
    assert.match(picture, /^dist\/images\/[\w-]+\.png$/);
    assert.ok(existsSync(path.join(ROOT, picture)), picture);
  }
});
