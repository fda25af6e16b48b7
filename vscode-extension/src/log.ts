// Where the extension and the server write: a log channel, and a trace channel that is made when it is first needed.

import * as vscode from 'vscode';
import { SECTION, traceSetting } from './settings';

export const NAME = 'CodeWM';

/** A line of the server's stderr: `2026-01-31 12:00:00,000 WARNING codewm_lsp.server: text`. */
const LINE = /^\S+ \S+ (DEBUG|INFO|WARNING|ERROR|CRITICAL) (.*)$/;

/** Write what the server says at the level at which it says it; what it continues, at the level before. */
export function forwardStderr(channel: vscode.LogOutputChannel): (data: string) => void {
  let rest = '';
  let write = (text: string): void => channel.info(text);
  return (data) => {
    const lines = (rest + data).split(/\r?\n/);
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const [, level, text] = LINE.exec(line) ?? [];
      if (level === 'ERROR' || level === 'CRITICAL') {
        write = (words) => channel.error(words);
      } else if (level === 'WARNING') {
        write = (words) => channel.warn(words);
      } else if (level !== undefined) {
        write = (words) => channel.info(words); // asked for by codewm.logLevel: not to be filtered once more
      }
      if (line.trim()) {
        write(`server: ${text ?? line}`);
      }
    }
  };
}

/** The messages between editor and server, in a channel of their own. It appears with the first of them. */
export class TraceChannel implements vscode.LogOutputChannel {
  private channel: vscode.OutputChannel | undefined;
  private readonly changed = new vscode.EventEmitter<vscode.LogLevel>();
  private readonly listening: vscode.Disposable;

  readonly name = `${NAME} Trace`;
  readonly onDidChangeLogLevel = this.changed.event;

  constructor() {
    this.listening = vscode.workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration(`${SECTION}.trace`)) {
        this.changed.fire(this.logLevel);
      }
    });
  }

  /** The language client traces when this says so; the setting decides. */
  get logLevel(): vscode.LogLevel {
    return traceSetting() === 'off' ? vscode.LogLevel.Off : vscode.LogLevel.Trace;
  }

  private get output(): vscode.OutputChannel {
    this.channel ??= vscode.window.createOutputChannel(this.name, 'log');
    return this.channel;
  }

  private write(level: string, message: string | Error): void {
    if (traceSetting() !== 'off') {
      const text = message instanceof Error ? (message.stack ?? message.message) : message;
      this.output.appendLine(`${new Date().toISOString()} [${level}] ${text}`);
    }
  }

  trace(message: string): void {
    this.write('trace', message);
  }
  debug(message: string): void {
    this.write('debug', message);
  }
  info(message: string): void {
    this.write('info', message);
  }
  warn(message: string): void {
    this.write('warn', message);
  }
  error(message: string | Error): void {
    this.write('error', message);
  }
  append(value: string): void {
    this.output.append(value);
  }
  appendLine(value: string): void {
    this.output.appendLine(value);
  }
  replace(value: string): void {
    this.output.replace(value);
  }
  clear(): void {
    this.channel?.clear();
  }
  show(): void {
    this.output.show(true);
  }
  hide(): void {
    this.channel?.hide();
  }
  dispose(): void {
    this.listening.dispose();
    this.changed.dispose();
    this.channel?.dispose();
  }
}
