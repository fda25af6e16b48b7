/** Which lines of two texts differ in their order: `difflib.SequenceMatcher` without its heuristics. */

/** Numbers of the lines that are in no block that both have in common. */
export function unmatched(old: readonly string[], now: readonly string[]): [Set<number>, Set<number>] {
  const where = new Map<string, number[]>();
  now.forEach((line, number) => {
    const places = where.get(line);
    if (places) places.push(number);
    else where.set(line, [number]);
  });
  const removed = new Set(old.keys());
  const added = new Set(now.keys());
  const queue: [number, number, number, number][] = [[0, old.length, 0, now.length]];
  for (let next = queue.pop(); next; next = queue.pop()) {
    const [alo, ahi, blo, bhi] = next;
    const [i, j, size] = longest(old, where, now, alo, ahi, blo, bhi);
    if (!size) continue;
    for (let k = 0; k < size; k++) {
      removed.delete(i + k);
      added.delete(j + k);
    }
    if (alo < i && blo < j) queue.push([alo, i, blo, j]);
    if (i + size < ahi && j + size < bhi) queue.push([i + size, ahi, j + size, bhi]);
  }
  return [removed, added];
}

function longest(
  old: readonly string[],
  where: ReadonlyMap<string, readonly number[]>,
  now: readonly string[],
  alo: number,
  ahi: number,
  blo: number,
  bhi: number,
): [number, number, number] {
  let [besti, bestj, bestsize] = [alo, blo, 0];
  let lengths = new Map<number, number>();
  for (let i = alo; i < ahi; i++) {
    const next = new Map<number, number>();
    for (const j of where.get(old[i]) ?? []) {
      if (j < blo) continue;
      if (j >= bhi) break;
      const size = (lengths.get(j - 1) ?? 0) + 1;
      next.set(j, size);
      if (size > bestsize) [besti, bestj, bestsize] = [i - size + 1, j - size + 1, size];
    }
    lengths = next;
  }
  while (besti > alo && bestj > blo && old[besti - 1] === now[bestj - 1]) [besti, bestj, bestsize] = [besti - 1, bestj - 1, bestsize + 1];
  while (besti + bestsize < ahi && bestj + bestsize < bhi && old[besti + bestsize] === now[bestj + bestsize]) bestsize++;
  return [besti, bestj, bestsize];
}
