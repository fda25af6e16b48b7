/**
 * The model in a worker of its own. Its files lie beside this one and are fetched side by side, and the first question is
 * answered stage by stage as they are there. The measure of the past edits, which makes searches quicker and no other, is
 * worked out in another worker once the first search has been answered.
 */

import metadata from '../../../../codewm_lsp/models/base-3/model.json' with { type: 'json' };
import tables from '../../../../build/web/tables.json' with { type: 'json' };
import { loadEngine, loadGallery, measureOf, setMeasure, type Measure } from '../../../engine/src/index.ts';
import type { Reply, Request } from './protocol.ts';
import { Thinking, type Past } from './thinking.ts';

const GRAPHS = ['state', 'edit', 'transition', 'next'] as const;

const began = performance.now();
const say = (reply: Reply): void => {
  postMessage(reply);
};

async function fetched(name: string): Promise<Response> {
  const response = await fetch(`model/${name}`);
  if (!response.ok) throw new Error(`${name} is not there (${response.status})`);
  return response;
}

async function bytes(name: string): Promise<Uint8Array> {
  return new Uint8Array(await (await fetched(name)).arrayBuffer());
}

/** In a second worker; here where the browser gives workers none of their own. */
function measured(numbers: Uint8Array): Promise<Measure | null> {
  return new Promise((resolve, reject) => {
    const here = (): void => {
      try {
        resolve(measureOf(numbers));
      } catch (error) {
        reject(error as Error);
      }
    };
    try {
      const helper = new Worker('measure-worker.js');
      helper.addEventListener('message', (event: MessageEvent<Measure | null>) => {
        helper.terminate();
        resolve(event.data);
      });
      helper.addEventListener('error', here);
      helper.postMessage(numbers);
    } catch {
      here();
    }
  });
}

async function past(): Promise<Past> {
  const [numbers, described] = await Promise.all([bytes('gallery.bin'), fetched('gallery.json')]);
  const description = (await described.json()) as { readonly map: readonly [number, number][] };
  const gallery = loadGallery(description, numbers);
  const map = description.map.map(([x, y]) => ({ x, y }));
  let measuring: Promise<void> | null = null;
  return {
    gallery,
    map,
    measured: () =>
      (measuring ??= measured(numbers).then((measure) => {
        setMeasure(gallery, measure);
      })),
  };
}

async function start(): Promise<Thinking> {
  const names = ['words.bin', ...GRAPHS.map((name) => `${name}.onnx`), 'web-tree-sitter.wasm', 'tree-sitter-python.wasm'];
  const files = new Map(await Promise.all(names.map(async (name) => [name, await bytes(name)] as const)));
  const engine = await loadEngine({
    bundle: { ...Object.fromEntries(files), 'model.json': new TextEncoder().encode(JSON.stringify(metadata)) },
    treeSitter: files.get('web-tree-sitter.wasm')!,
    grammar: files.get('tree-sitter-python.wasm')!,
    tables,
  });
  return new Thinking(engine, tables.lens, edits, say);
}

const edits = past();
const ready = edits.then(({ gallery, map }): Reply => ({ kind: 'ready', edits: gallery.size, map, ms: performance.now() - began }));
const thinking = start();
const failed = (error: unknown): void => {
  say({ kind: 'failed', message: String(error) });
};
ready.catch(() => undefined); // said below, when somebody listens

let asked = false;
addEventListener('message', (event: MessageEvent<Request>) => {
  if (!asked) void ready.then(say, failed);
  asked = true;
  void thinking.then((one) => one.ask(event.data)).catch(failed);
});
