// What a copy indicator is, in a drawing that moves: one edit, the two arrows of the target, and the loss of a model that only
// copies. Nothing of it is measured; all of it follows from the angle between the arrows.

const SECONDS = 6;
const APART = 60; // degrees, at first

const say = (angle: number): string => {
  if (angle > APART / 2) return 'Two arrows: the target tells the versions apart. Repeating the first arrow is a bad guess, so the model has to learn what the edit does.';
  if (angle > 6) return 'They close up. The loss falls, as it should when something is learnt. Only the copy indicator says what really happens.';
  return 'One arrow for both versions: “nothing changes” is a perfect prediction. The loss is 0, and the model has learnt nothing: it has collapsed.';
};

export function mountIdea(): void {
  const slider = byId('idea-step') as HTMLInputElement;
  const play = byId('idea-play');
  let frame = 0;
  const draw = (): void => {
    const angle = APART * (1 - Number(slider.value) / 100);
    const cosine = Math.cos((angle * Math.PI) / 180);
    point('idea-before', -angle / 2);
    point('idea-after', angle / 2);
    byId('idea-loss').style.setProperty('--share', String(1 - cosine));
    byId('idea-indicator').style.setProperty('--share', String(cosine));
    byId('idea-loss-said').textContent = (1 - cosine).toFixed(2);
    byId('idea-indicator-said').textContent = cosine.toFixed(2);
    byId('idea-words').textContent = say(angle);
  };
  const stop = (): void => {
    cancelAnimationFrame(frame);
    frame = 0;
    play.textContent = '▶ Let it collapse';
  };
  const start = (): void => {
    const from = performance.now();
    const next = (now: number): void => {
      slider.value = String(Math.min(100, Math.max(0, (now - from) / SECONDS / 10)));
      draw();
      if (Number(slider.value) < 100) frame = requestAnimationFrame(next);
      else stop();
    };
    play.textContent = '❚❚ Pause';
    frame = requestAnimationFrame(next);
  };
  play.addEventListener('click', () => {
    if (frame) stop();
    else start();
  });
  slider.addEventListener('input', () => {
    stop();
    draw();
  });
  draw();
  if (matchMedia('(prefers-reduced-motion: reduce)').matches) return;
  const sight = new IntersectionObserver(
    (seen) => {
      if (!seen.some(({ isIntersecting }) => isIntersecting)) return;
      sight.disconnect();
      if (!frame && slider.value === '0') start();
    },
    { threshold: 0.9 },
  );
  sight.observe(byId('idea-arrows'));
}

function point(id: string, angle: number): void {
  byId(id).setAttribute('transform', `rotate(${angle.toFixed(2)})`);
}

function byId(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (!found) throw new Error(`The page has no ${id}.`);
  return found;
}
