/** The model in a worker of its own: everything it needs is in this file once it is bundled. */

import edit from '../../../../codewm_lsp/models/base-3/edit.onnx';
import metadata from '../../../../codewm_lsp/models/base-3/model.json' with { type: 'json' };
import next from '../../../../codewm_lsp/models/base-3/next.onnx';
import state from '../../../../codewm_lsp/models/base-3/state.onnx';
import transition from '../../../../codewm_lsp/models/base-3/transition.onnx';
import words from '../../../../codewm_lsp/models/base-3/words.bin';
import numbers from '../../../../build/web/gallery.bin';
import description from '../../../../build/web/gallery.json' with { type: 'json' };
import tables from '../../../../build/web/tables.json' with { type: 'json' };
import grammar from '../../../engine/node_modules/tree-sitter-python/tree-sitter-python.wasm';
import treeSitter from '../../../engine/node_modules/web-tree-sitter/web-tree-sitter.wasm';
import { loadEngine, loadGallery } from '../../../engine/src/index.ts';
import type { Preset, Reply, Request } from './protocol.ts';
import { Thinking } from './thinking.ts';

const say = (reply: Reply): void => {
  postMessage(reply);
};

async function start(): Promise<Thinking> {
  const began = performance.now();
  const engine = await loadEngine({
    bundle: {
      'model.json': new TextEncoder().encode(JSON.stringify(metadata)),
      'words.bin': words,
      'state.onnx': state,
      'edit.onnx': edit,
      'transition.onnx': transition,
      'next.onnx': next,
    },
    treeSitter,
    grammar,
    tables,
  });
  const gallery = loadGallery(description, numbers);
  const presets = description.presets as Preset[];
  const map = description.map.map(([x, y]) => ({ x, y }));
  say({ kind: 'ready', presets, edits: gallery.size, map, ms: performance.now() - began });
  return new Thinking(engine, gallery, presets, map, say);
}

const thinking = start();
thinking.catch((error: unknown) => {
  say({ kind: 'failed', message: String(error) });
});

addEventListener('message', (event: MessageEvent<Request>) => {
  void thinking.then((one) => {
    one.think(event.data);
  });
});
