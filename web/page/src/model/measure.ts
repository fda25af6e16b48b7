/** A worker beside the model's: works out the measure of the past edits while the model is loaded. */

import { measureOf } from '../../../engine/src/gallery.ts';

addEventListener('message', (event: MessageEvent<Uint8Array>) => {
  const measure = measureOf(event.data);
  postMessage(measure, measure ? { transfer: [measure.buffer] } : {});
});
