// The machine under test: code-server with our packaged extension in it, and a Chromium that looks at it.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Browser, chromium } from 'playwright-core';

export const ROOT = path.resolve(import.meta.dirname, '..'); // the bundles of the tests lie in dist-test
const TOOLS = required('CODEWM_WORKBENCH', 'the folder that scripts/workbench.sh prepares');
const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((file) => existsSync(file));

/** `codewm-lsp` of the environment that the tests run in. */
export const SERVER = required('CODEWM_LSP', 'the path of codewm-lsp');

/** Seconds for which a window that the server has lost may come back: a machine that stands still is not the end of it. */
const GRACE = '60';

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-dev-shm-usage',
];

export const SETTINGS = {
  'files.autoSave': 'off',
  'files.hotExit': 'off',
  'security.workspace.trust.enabled': false,
  'workbench.startupEditor': 'none',
  'workbench.reduceMotion': 'on',
  'workbench.tips.enabled': false,
  'workbench.colorTheme': 'Default Dark Modern',
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'window.menuBarVisibility': 'hidden',
  'window.commandCenter': false,
  'chat.disableAIFeatures': true,
  'chat.commandCenter.enabled': false,
  'extensions.autoUpdate': false,
  'extensions.ignoreRecommendations': true,
  'editor.minimap.enabled': false,
  'editor.cursorBlinking': 'solid',
  'editor.fontFamily': "'DejaVu Sans Mono', monospace",
  'editor.fontSize': 13,
  'editor.suggestOnTriggerCharacters': false,
  'editor.quickSuggestions': { other: 'off', comments: 'off', strings: 'off' },
  'editor.wordBasedSuggestions': 'off',
  'editor.autoClosingBrackets': 'never',
  'editor.stickyScroll.enabled': false,
  'breadcrumbs.enabled': false,
  'git.enabled': false,
  'telemetry.telemetryLevel': 'off',
  'update.mode': 'none',
} as const;

function required(name: string, what: string): string {
  const value = process.env[name];
  if (value === undefined || value === '') {
    throw new Error(`${name} is not set: ${what}. Run these tests with \`make extension\`.`);
  }
  return value;
}

export interface Machine {
  readonly origin: string;
  readonly authority: string;
  readonly browser: Browser;
  /** A folder of this run's own. */
  readonly folder: string;
  readonly environment: NodeJS.ProcessEnv;
  /** Whether our extension, or one of the tests, is installed. */
  readonly extended: boolean;
  /** Write the settings `codewm.*`; the workbench applies them at once. */
  settings(more: Record<string, unknown>): void;
  /** The ids of the processes of our language server. */
  servers(): number[];
  /** The ends of the logs of the workbench, its extension hosts and CodeWM, newest lines last. */
  logs(): string;
  stop(): Promise<void>;
}

export interface Choices {
  /** The packaged extension, or none. */
  readonly vsix?: string | undefined;
  /** Folders of further extensions. */
  readonly extensions?: readonly string[];
  readonly smokeTest?: boolean;
  readonly environment?: NodeJS.ProcessEnv;
}

export async function startMachine(choices: Choices): Promise<Machine> {
  if (CHROMIUM === undefined) {
    throw new Error('chromium is not installed: run scripts/workbench.sh');
  }
  const folder = mkdtempSync(path.join(tmpdir(), 'codewm-workbench-'));
  const node = path.join(TOOLS, 'node-24', 'bin');
  const entry = serverEntry();
  const userData = path.join(folder, 'user-data');
  const extensions = path.join(folder, 'extensions');
  mkdirSync(path.join(userData, 'User'), { recursive: true });
  mkdirSync(path.join(userData, 'Machine')); // settings of the machine's scope count from here only, where it is a remote
  mkdirSync(extensions, { recursive: true });
  const environment: NodeJS.ProcessEnv = {
    ...process.env,
    PATH: `${node}:/usr/local/bin:/usr/bin:/bin`,
    HOME: path.join(folder, 'home'),
    XDG_CONFIG_HOME: path.join(folder, 'config'),
    XDG_DATA_HOME: path.join(folder, 'data'),
    XDG_CACHE_HOME: path.join(folder, 'cache'),
    CODEWM_CACHE: path.join(folder, 'index'),
    EXTENSIONS_GALLERY: '{"serviceUrl":"http://127.0.0.1:9/none","itemUrl":"","resourceUrlTemplate":""}',
    ...choices.environment,
  };
  delete environment['VSCODE_IPC_HOOK_CLI'];
  mkdirSync(path.join(folder, 'home'));
  const write = (more: Record<string, unknown>): void => {
    writeFileSync(path.join(userData, 'User', 'settings.json'), JSON.stringify(SETTINGS, null, 2));
    writeFileSync(path.join(userData, 'Machine', 'settings.json'), JSON.stringify(more, null, 2));
  };
  write({ 'codewm.path': SERVER });

  const folders = ['--user-data-dir', userData, '--extensions-dir', extensions];
  if (choices.vsix !== undefined) {
    const args = [entry, ...folders, '--install-extension', choices.vsix];
    execFileSync(path.join(node, 'node'), args, { env: environment, stdio: 'pipe' });
  }
  for (const extension of choices.extensions ?? []) {
    const target = path.join(extensions, path.basename(extension));
    execFileSync('cp', ['-r', extension, target]);
  }
  if ((choices.extensions ?? []).length > 0) {
    rmSync(path.join(extensions, 'extensions.json'), { force: true });
  }

  const port = await freePort();
  const authority = `127.0.0.1:${String(port)}`;
  const child = spawn(
    path.join(node, 'node'),
    [
      entry,
      ...folders,
      ...['--auth', 'none', '--bind-addr', authority, '--disable-telemetry', '--disable-update-check'],
      ...['--disable-workspace-trust', '--disable-getting-started-override', '--reconnection-grace-time', GRACE],
      ...(choices.smokeTest === true ? ['--vscode-option', 'enable-smoke-test-driver'] : []),
    ],
    { env: environment, stdio: ['ignore', 'pipe', 'pipe'], detached: true },
  );
  let said = '';
  child.stdout.on('data', (data: Buffer) => (said += data.toString()));
  child.stderr.on('data', (data: Buffer) => (said += data.toString()));
  await answers(`http://${authority}/healthz`, child, () => said);

  const browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
  return {
    origin: `http://${authority}`,
    authority,
    browser,
    folder,
    environment,
    extended: choices.vsix !== undefined || (choices.extensions ?? []).length > 0,
    settings: write,
    servers: () => languageServers(path.join(folder, 'index')),
    logs: () => `${said}\n${logs(path.join(userData, 'logs'))}`,
    stop: async () => {
      await browser.close();
      await end(child);
      rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    },
  };
}

/** Make the .vsix from the tree as it is; its path. */
export function packaged(): string {
  const file = path.join(ROOT, 'codewm.vsix');
  if (!existsSync(file)) {
    throw new Error(`${file} is missing: make vsix`);
  }
  return file;
}

const LOGGED = /^(CodeWM|remoteexthost|remoteagent)\.log$/;
const LOG_LINES = 60;

function logs(folder: string): string {
  const files = existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: 'utf8' }) : [];
  const ends = files
    .filter((file) => LOGGED.test(path.basename(file)))
    .sort()
    .map((file) => `---- ${file}\n${readFileSync(path.join(folder, file), 'utf8').trimEnd().split('\n').slice(-LOG_LINES).join('\n')}`);
  return ends.join('\n');
}

function serverEntry(): string {
  const [name] = readdirSync(TOOLS).filter((one) => one.startsWith('code-server-') && !one.endsWith('.log'));
  return path.join(TOOLS, name ?? 'code-server', 'node_modules', 'code-server', 'out', 'node', 'entry.js');
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      probe.close(() => resolve(port));
    });
  });
}

async function answers(url: string, child: ChildProcess, said: () => string): Promise<void> {
  const end = Date.now() + 120_000;
  while (Date.now() < end && child.exitCode === null) {
    try {
      if ((await fetch(url)).ok) {
        return;
      }
    } catch {
      // not yet
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`code-server did not begin to answer:\n${said()}`);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null) {
    return;
  }
  const ended = new Promise((resolve) => child.once('exit', resolve));
  try {
    process.kill(-child.pid, 'SIGTERM');
  } catch {
    return;
  }
  const patience = setTimeout(() => {
    try {
      process.kill(-(child.pid ?? 0), 'SIGKILL');
    } catch {
      // gone
    }
  }, 5000);
  await ended;
  clearTimeout(patience);
}

/** Processes of codewm-lsp whose index is in our folder: no others of this machine. */
function languageServers(index: string): number[] {
  const found: number[] = [];
  for (const entry of readdirSync('/proc')) {
    if (/^\d+$/.test(entry)) {
      try {
        const command = readFileSync(`/proc/${entry}/cmdline`, 'utf8');
        if (/codewm[-_]lsp/.test(command) && readFileSync(`/proc/${entry}/environ`, 'utf8').includes(`CODEWM_CACHE=${index}`)) {
          found.push(Number(entry));
        }
      } catch {
        // it ended in the meantime, or is not ours
      }
    }
  }
  return found;
}
