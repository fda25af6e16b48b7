/** The worker of the model, started by whichever script of the page is read first: loading it takes longest. */

export interface Started {
  readonly worker: Worker;
  /** Rejects when the browser refuses to start it, also if that was before somebody listened. */
  readonly refused: Promise<never>;
}

export function startModel(): Started {
  const page = globalThis as { codewmModel?: Started };
  return (page.codewmModel ??= start());
}

function start(): Started {
  const worker = new Worker('model-worker.js');
  const refused = new Promise<never>((_, reject) => {
    worker.addEventListener('error', () => {
      reject(new Error('this browser refused to start it'));
    });
  });
  refused.catch(() => undefined); // told to whoever waits
  return { worker, refused };
}
