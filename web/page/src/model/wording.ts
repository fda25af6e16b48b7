/** What the panel says of an edit. */

import type { Step } from './protocol.ts';

export const MODULE = '<module>'; // the name of what is in no definition

/** A definition, as it is shown. */
export function placed(definition: string): string {
  return definition === MODULE ? 'module level' : definition;
}

/** What was edited, and how many more definitions, of which nothing else is said. */
export function editOf(definition: string, more: number): string {
  const others = counted(more, definition === MODULE ? 'definition' : 'more definition');
  if (definition === MODULE) return more ? `An edit outside any definition and of ${others}; only the first is looked up.` : 'An edit outside any definition.';
  return more ? `An edit of ${definition} and ${others}; only ${definition} is looked up.` : `An edit of ${definition || 'this text'}.`;
}

/** Where the line of a definition would stand, of one that has none. */
export function absent(definition: string, removed: boolean): string {
  if (definition === MODULE) return 'outside any definition';
  return removed ? `removed ${definition}` : definition;
}

/** A cosine of the roll-out, as it is shown. */
export function shownCosine(cosine: number): string {
  return cosine.toFixed(3);
}

/** Which of the two guesses is nearer how often, by the figures that are shown. */
export function nearer(steps: readonly Pick<Step, 'predicted' | 'copied'>[]): string {
  const by = steps.map(({ predicted, copied }) => Math.sign(Number(shownCosine(predicted)) - Number(shownCosine(copied))));
  const [better, worse, equal] = [1, -1, 0].map((sign) => by.filter((one) => one === sign).length) as [number, number, number];
  if (equal === by.length) return 'Here the predictor is no better than a copy.';
  return `Here the predictor is nearer in ${better} of ${counted(by.length, 'step')}, the copy in ${worse}${equal ? `; in ${equal} they are equal` : ''}.`;
}

/** How long a stage took; null: it did not run. */
export function milliseconds(ms: number | null): string {
  if (ms === null) return '–';
  return ms < 0.05 ? '< 0.1 ms' : `${ms.toFixed(1)} ms`;
}

export function counted(count: number, one: string): string {
  return `${count.toLocaleString('en')} ${one}${count === 1 ? '' : 's'}`;
}
