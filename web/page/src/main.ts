// Puts the page together: the model's worker first, as it takes longest; the study at once; and when the model has answered,
// what is needed to work offline.
import presets from '../../../build/web/presets.json' with { type: 'json' };
import { mountStudy } from './collapse.ts';
import { mount } from './model/panel.ts';

const root = document.getElementById('model-root');
if (root) {
  void mount(root, { worker: new Worker('model-worker.js'), presets })
    .then(
      () => document.getElementById('model-state')?.remove(),
      (error: unknown) => {
        root.textContent = `The model could not be loaded (${String(error)}). It needs a browser of 2023 or newer, and a page that was not opened from the disk.`;
      },
    )
    .finally(() => {
      // Over HTTP everything is kept for the next time, once what was asked for is there.
      if ('serviceWorker' in navigator && location.protocol.startsWith('http')) void navigator.serviceWorker.register('offline.js');
    });
}
mountStudy();
