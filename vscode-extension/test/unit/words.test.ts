import assert from 'node:assert/strict';
import { it } from 'node:test';
import { age, called, escapeMarkdown, findDefinition, joined, percent, shortName } from '../../src/words';

const NOW = Date.parse('2026-06-15T12:00:00+00:00');

void it('says how long ago something was', () => {
  assert.equal(age('2026-06-15T11:59:30+00:00', NOW), 'just now');
  assert.equal(age('2026-06-15T14:00:00+02:00', NOW), 'just now');
  assert.equal(age('2026-06-15T11:00:00+00:00', NOW), '1 hour ago');
  assert.equal(age('2026-02-15T12:00:00+00:00', NOW), '3 months ago');
  assert.equal(age('2024-01-01T00:00:00+00:00', NOW), '2 years ago');
  assert.equal(age('2027-01-01T00:00:00+00:00', NOW), 'just now');
});

void it('names definitions and amounts', () => {
  assert.equal(called('Client.get', 'src/client.py'), 'Client.get');
  assert.equal(called('<module>', 'src/client.py'), 'client.py, module level');
  assert.equal(shortName('Client.get', 'src/client.py'), 'get');
  assert.equal(shortName('Client.__init__', 'src/client.py'), 'Client.__init__');
  assert.equal(shortName('<module>', 'src/client.py'), 'client.py, module level');
  assert.equal(percent(0.727), '73 %');
  assert.equal(joined([]), '');
  assert.equal(joined(['signature']), 'signature');
  assert.equal(joined(['signature', 'body', 'control flow']), 'signature, body and control flow');
});

void it('takes what a repository says for text, not for Markdown', () => {
  assert.equal(escapeMarkdown('[x](command:evil) <b>*a*\n# b'), '\\[x\\]\\(command:evil\\) \\<b\\>\\*a\\* \\# b');
});

void it('finds where a definition is now', () => {
  const lines = ['import os', '', 'class Client:', '    def get(self):', '        pass', '', '    async def get_all(self):', 'def get():'];
  assert.equal(findDefinition(lines, 'Client.get', 3), 3);
  assert.equal(findDefinition(lines, 'get', 9), 7);
  assert.equal(findDefinition(lines, 'get#2', 9), 7);
  assert.equal(findDefinition(lines, 'Client.get_all', 0), 6);
  assert.equal(findDefinition(lines, 'Client', 0), 2);
  assert.equal(findDefinition(lines, 'gone', 0), undefined);
  assert.equal(findDefinition(lines, '<module>', 0), undefined);
  assert.equal(findDefinition(lines, '(a+)+$', 0), undefined);
});
