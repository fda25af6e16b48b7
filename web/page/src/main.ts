// Puts the page together: the model first, as it takes longest; the study when it is nearly in sight, or when the model has
// answered; and then what is needed to work offline.
import presets from '../../../build/web/presets.json' with { type: 'json' };
import { mount } from './model/panel.ts';
import { startModel } from './model/started.ts';

const STUDY_AHEAD = '600px'; // of the screen

/** Loads the script of the study, once. */
function study(): void {
  if (document.getElementById('study-script')) return;
  document.head.append(Object.assign(document.createElement('script'), { id: 'study-script', src: 'study.js' }));
}

function whenIdle(run: () => void): void {
  if ('requestIdleCallback' in window) requestIdleCallback(run, { timeout: 1000 });
  else setTimeout(run);
}

const [root, copying, collapse] = ['model-root', 'copying', 'collapse'].map((id) => document.getElementById(id));
if (root && copying && collapse) {
  const sight = new IntersectionObserver(
    (seen) => {
      if (seen.some(({ isIntersecting }) => isIntersecting)) study();
    },
    { rootMargin: STUDY_AHEAD },
  );
  sight.observe(collapse);
  void mount(root, { model: startModel(), presets, copying })
    .then(
      () => document.getElementById('model-state')?.remove(),
      (error: unknown) => {
        root.textContent = `The model could not be loaded (${String(error)}). It needs a browser of 2023 or newer, and a page that was not opened from the disk.`;
      },
    )
    .finally(() => {
      whenIdle(study);
      // Over HTTP everything is kept for the next time, once what was asked for is there.
      if ('serviceWorker' in navigator && location.protocol.startsWith('http')) void navigator.serviceWorker.register('offline.js');
    });
}
