// One language client: what it is told about us, and what happens when its server ends by itself.

import {
  CloseAction,
  type CloseHandlerResult,
  ErrorAction,
  type ErrorHandler,
  type ErrorHandlerResult,
  ExecuteCommandRequest,
  type InitializeParams,
  LanguageClient,
  RevealOutputChannelOn,
  type StaticFeature,
  type DynamicFeature,
} from 'vscode-languageclient/node';
import type * as vscode from 'vscode';
import type { Found } from './lookup';
import { forwardStderr, NAME } from './log';
import type { LineEnds } from './lineEnds';
import { SECTION, serverSettings } from './settings';

const MOST_RESTARTS = 4;
const WITHIN = 3 * 60_000; // milliseconds

/** Says what to do when the server ends by itself: start it again, but not for ever. */
export class Restarts implements ErrorHandler {
  private readonly times: number[] = [];

  constructor(
    private readonly begunAnew: () => void,
    private readonly gaveUp: () => void,
  ) {}

  error(): ErrorHandlerResult {
    return { action: ErrorAction.Continue, handled: true }; // the connection's end says it all
  }

  closed(): CloseHandlerResult {
    const now = Date.now();
    this.times.push(now);
    if (this.times.filter((time) => now - time < WITHIN).length > MOST_RESTARTS) {
      this.gaveUp();
      return { action: CloseAction.DoNotRestart, handled: true };
    }
    this.begunAnew();
    return { action: CloseAction.Restart, handled: true };
  }
}

/** The client of the library, without the commands of the server: those are commands of this extension. */
class Client extends LanguageClient {
  override registerFeature(feature: StaticFeature | DynamicFeature<unknown>): void {
    if ('registrationType' in feature && feature.registrationType.method === ExecuteCommandRequest.method) {
      return;
    }
    super.registerFeature(feature);
  }

  protected override fillInitializeParams(params: InitializeParams): void {
    super.fillInitializeParams(params);
    params.capabilities.experimental = { codewm: { status: true } };
  }
}

export function makeClient(
  found: Found,
  neutralFolder: string,
  channels: { readonly log: vscode.LogOutputChannel; readonly trace: vscode.LogOutputChannel },
  errorHandler: ErrorHandler,
  lineEnds: LineEnds,
): LanguageClient {
  const forward = forwardStderr(channels.log);
  return new Client(
    SECTION,
    NAME,
    { command: found.command, args: [...found.args], options: { cwd: neutralFolder } },
    {
      documentSelector: [{ scheme: 'file', language: 'python' }],
      initializationOptions: serverSettings(),
      outputChannel: channels.log,
      traceOutputChannel: channels.trace,
      revealOutputChannelOn: RevealOutputChannelOn.Never,
      errorHandler,
      middleware: {
        provideInlayHints: async (document, range, token, next) => {
          const hints = (await next(document, range, token)) ?? [];
          return token.isCancellationRequested ? [] : lineEnds.take(document, range, hints);
        },
      },
      stdioOptions: {
        stdout: () => undefined,
        stderr: (stream) => {
          stream.setEncoding('utf8');
          stream.on('data', forward);
        },
      },
    },
  );
}
