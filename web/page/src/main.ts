// Puts the page together: the study at once, the model when it is loaded, and what is needed to work offline.
import { mountStudy } from './collapse.ts';
import { mount } from './model/panel.ts';

mountStudy();

const root = document.getElementById('model-root');
if (root) {
  void mount(root, { worker: () => new Worker('model-worker.js') }).then(
    () => document.getElementById('model-state')?.remove(),
    (error: unknown) => {
      root.textContent = `The model could not be loaded (${String(error)}). It needs a browser of 2023 or newer, and a page that was not opened from the disk.`;
    },
  );
}

// Over HTTP everything is kept for the next time; where a page was opened from the disk, it is there anyway.
if ('serviceWorker' in navigator && location.protocol.startsWith('http')) void navigator.serviceWorker.register('offline.js');
