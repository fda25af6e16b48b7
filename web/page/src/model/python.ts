import type { Engine } from '../../../engine/src/api.ts';

const FEW_LEAVES = 8; // that are too few to tell
const SOME_ERRORS = 0.08; // for each leaf, of a text in which nothing looks like a definition
const MANY_ERRORS = 0.12; // of one in which something does
const MANY_LEAVES = 60;
const PYTHON_LINE = /^[ \t]*(?:(?:async )?def \w+ *\(|class \w+.*:[ \t]*$|import [\w.]+(?:, *[\w.]+)*[ \t]*$|from [\w.]+ import )/m;

/** Whether a text reads as Python. What is half typed does, and whatever has a line that only Python has; what has many
 * errors of the grammar and no definition does not. */
export function isPython(engine: Engine, text: string): boolean {
  const { leaves, errors } = engine.tokenise(text);
  const share = errors / Math.max(1, leaves.length);
  if (leaves.length < FEW_LEAVES || share < SOME_ERRORS || PYTHON_LINE.test(text)) return true;
  if (share >= MANY_ERRORS && leaves.length >= MANY_LEAVES) return false;
  return engine.definitions(text).some(({ kind }) => kind !== 'module');
}
