import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { age, called, escapeMarkdown, findDefinition, findLine, firstChange, joined, named, percent, shortName } from '../../src/words';

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
  assert.equal(called('<module>', 'docs/CHANGES.md'), 'CHANGES.md');
  assert.equal(shortName('Client.get', 'src/client.py'), 'get');
  assert.equal(shortName('Client.get', 'src/client.py', ['Client.get', 'Client.put']), 'get');
  assert.equal(shortName('Client.get', 'src/client.py', ['Client.get', 'Server.get']), 'Client.get');
  assert.equal(shortName('api.Client.get#2', 'src/client.py', ['get']), 'Client.get (2nd definition)');
  assert.equal(shortName('get', 'src/client.py', ['Server.get']), 'get');
  assert.equal(shortName('Client.__init__', 'src/client.py'), 'Client.__init__');
  assert.equal(shortName('<module>', 'src/client.py'), 'client.py, module level');
  assert.equal(called('Client.get#2', 'src/client.py'), 'Client.get (2nd definition)');
  assert.equal(shortName('Client.get#3', 'src/client.py'), 'get (3rd definition)');
  assert.equal(named('Client#12.get'), 'Client.get (in the 12th Client)');
  assert.equal(named('Client#21.get#2'), 'Client.get (in the 21st Client, 2nd definition)');
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

void describe('the first change of a diff', () => {
  const header = '--- a/a.py\n+++ b/a.py\n';
  void it('is its first added line, counted from the first line of the text', () => {
    const diff = `${header}@@ -8,4 +8,4 @@ f\n a\n b\n-c\n+d\n e\n`;
    assert.deepEqual(firstChange(diff), { offset: 9, text: 'd' });
  });
  void it('is what follows, where lines were only removed', () => {
    assert.deepEqual(firstChange(`${header}@@ -1,3 +1,2 @@\n a\n-b\n c\n`), { offset: 1, text: 'c' });
    assert.deepEqual(firstChange(`${header}@@ -1,2 +1,1 @@\n a\n-b\n`), { offset: 1, text: '' });
    assert.deepEqual(firstChange(`${header}@@ -1,1 +0,0 @@\n-b\n`), { offset: 0, text: '' });
    assert.equal(firstChange(''), undefined);
  });
  void it('is found in the whole file, nearest to where it should be', () => {
    const lines = ['x = 1', 'y', '    x = 1', 'z'];
    assert.equal(findLine(lines, 'x = 1', 3), 2);
    assert.equal(findLine(lines, 'gone', 2), 2);
    assert.equal(findLine(lines, '', 9), 3);
  });
});
