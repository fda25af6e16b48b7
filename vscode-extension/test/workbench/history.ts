// A Git repository with a real history: four of five clients were given time-outs, the fifth was not.

import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const DAY = 86_400;
const NAMES = ['users', 'orders', 'invoices', 'reports', 'sessions'] as const;
type Name = (typeof NAMES)[number];

export const CHANGED = 'shop/sessions.py';
export const DEFINITION = 'SessionsClient.fetch_sessions';

interface Version {
  /** Methods that take a time-out. */
  readonly timeout?: 'none' | 'fetch' | 'both';
  readonly retries?: boolean;
}

/** The module of one client. */
export function client(name: Name, { timeout = 'none', retries = false }: Version = {}): string {
  const title = name[0]?.toUpperCase() + name.slice(1);
  const one = name.slice(0, -1);
  const [fetches, stores] = [timeout !== 'none', timeout === 'both'];
  return `"""Talks to the ${name} service."""

import http


class ${title}Client:
    """The ${name} of one shop."""

    def __init__(self, base):
        self.base = base

    def fetch_${name}(self, page${fetches ? ', timeout=30' : ''}):
        """One page of ${name}."""
        response = http.get(f"{self.base}/${name}?page={page}"${fetches ? ', timeout=timeout' : ''})
        response.raise_for_status()
        return response.json()["${name}"]

    def store_${one}(self, ${one}${stores ? ', timeout=30' : ''}):
        """Save one; its new number."""
${
  retries
    ? `        for attempt in range(3):
            response = http.post(f"{self.base}/${name}", json=${one}${stores ? ', timeout=timeout' : ''})
            if response.status_code < 500:
                break
`
    : `        response = http.post(f"{self.base}/${name}", json=${one}${stores ? ', timeout=timeout' : ''})
`
}        response.raise_for_status()
        return response.json()["id"]

    def count_${name}(self, items):
        """How many there are, over all pages."""
        return sum(item["size"] for item in items)
`;
}

export class Repository {
  private clock: number;

  constructor(readonly path: string) {
    this.clock = Math.floor(Date.now() / 1000) - 330 * DAY;
    mkdirSync(path, { recursive: true });
    this.git('init', '--quiet', '--initial-branch=main');
  }

  git(...args: string[]): string {
    return this.gitWith('', ...args);
  }

  private gitWith(input: string, ...args: string[]): string {
    const environment = { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1', ...this.who };
    return execFileSync('git', args, { cwd: this.path, env: environment, encoding: 'utf8', input }).trimEnd();
  }

  /** Many commits in one call of Git, each a subject and the files it writes. */
  commitMany(commits: readonly (readonly [string, Record<string, string>])[]): void {
    const data = (text: string): string => `data ${String(Buffer.byteLength(text))}\n${text}\n`;
    const stream = commits.map(([subject, files]) => {
      this.clock += DAY / 24;
      const who = `Ada Lovelace <ada.lovelace@example.org> ${String(this.clock)} +0000`;
      const changes = Object.entries(files).map(([file, text]) => `M 100644 inline ${file}\n${data(text)}`);
      return `commit refs/heads/main\nauthor ${who}\ncommitter ${who}\n${data(subject)}${changes.join('')}`;
    });
    this.gitWith(stream.join(''), 'fast-import', '--quiet');
    this.git('reset', '--quiet', '--hard', 'main');
  }

  private who: Record<string, string> = {};

  write(file: string, text: string): void {
    const full = path.join(this.path, file);
    mkdirSync(path.dirname(full), { recursive: true });
    writeFileSync(full, text);
  }

  commit(subject: string, author: string, days: number, files: Record<string, string>): string {
    this.clock += days * DAY;
    const mail = `${author.toLowerCase().replace(' ', '.')}@example.org`;
    const date = `${String(this.clock)} +0000`;
    this.who = {
      GIT_AUTHOR_NAME: author,
      GIT_AUTHOR_EMAIL: mail,
      GIT_AUTHOR_DATE: date,
      GIT_COMMITTER_NAME: author,
      GIT_COMMITTER_EMAIL: mail,
      GIT_COMMITTER_DATE: date,
    };
    for (const [file, text] of Object.entries(files)) {
      this.write(file, text);
    }
    this.git('add', '--all');
    this.git('commit', '--quiet', '--message', subject);
    return this.git('rev-parse', 'HEAD');
  }
}

/** A repository with one client, and no past to speak of. */
export function makeStall(folder: string): Repository {
  const repository = new Repository(folder);
  repository.commit('A client for sessions', 'Ada Lovelace', 300, { [CHANGED]: client('sessions') });
  return repository;
}

/** The repository; its last client is about to get what the others got. */
export function makeShop(folder: string): Repository {
  const repository = new Repository(folder);
  const all = (version: Version): Record<string, string> =>
    Object.fromEntries(NAMES.map((name) => [`shop/${name}.py`, client(name, version)]));
  repository.commit('Clients for all five services', 'Ada Lovelace', 0, { ...all({}), 'shop/__init__.py': '' });
  repository.commit('Say what this is', 'Grace Hopper', 3, { 'README.md': '# Shop\n' });
  const authors = ['Ada Lovelace', 'Grace Hopper', 'Ada Lovelace', 'Katherine Johnson'];
  NAMES.slice(0, 4).forEach((name, index) => {
    repository.commit(`Give the ${name} client time-outs`, authors[index] ?? '', 30, {
      [`shop/${name}.py`]: client(name, { timeout: 'both' }),
      [`tests/test_${name}.py`]: `from shop.${name} import *\n\n\ndef test_fetch_${name}_times_out(server):\n    assert server.slow("${name}")\n`,
    });
  });
  NAMES.slice(0, 3).forEach((name, index) => {
    repository.commit(`Try three times to store ${name}`, authors[index + 1] ?? '', 25, {
      [`shop/${name}.py`]: client(name, { timeout: 'both', retries: true }),
    });
  });
  repository.commit('Add a helper for prices', 'Grace Hopper', 9, {
    'shop/prices.py': 'def gross(net, rate=0.19):\n    """The price with tax."""\n    return round(net * (1 + rate), 2)\n',
  });
  return repository;
}

/** A repository in which `shop/prices.py` never changes without `docs/prices.md`, which is not committed with it now. */
export function makeGuide(folder: string): Repository {
  const repository = new Repository(folder);
  repository.commitMany(
    Array.from({ length: 80 }, (_, number): [string, Record<string, string>] => [
      `Price number ${String(number)}`,
      number % 2 === 0
        ? { 'shop/prices.py': `def gross(net):\n    return net + ${String(number)}\n`, 'docs/prices.md': `# ${String(number)}\n` }
        : { 'shop/tools.py': `def tool():\n    return ${String(number)}\n` },
    ]),
  );
  return repository;
}
