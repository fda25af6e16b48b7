// What a training run says of its model. No `vscode` in here.

import * as fs from 'node:fs/promises';
import * as path from 'node:path';

export interface Verdict {
  /** MRR@10 of the new model and of the shipped one on the repository's newest edits; undefined: not compared. */
  readonly ours: number | undefined;
  readonly shipped: number | undefined;
  /** The lower end of the 95 % interval of their difference; undefined in models of earlier versions. */
  readonly least: number | undefined;
}

/** Read the comparison that `codewm-train` writes into `model.json`. Rejects when there is no model. */
export async function readVerdict(folder: string): Promise<Verdict> {
  const model: unknown = JSON.parse(await fs.readFile(path.join(folder, 'model.json'), 'utf8'));
  const name = field(model, 'name');
  const rows = field(field(model, 'evaluation'), 'rows');
  const first: unknown = Array.isArray(rows) ? rows[0] : undefined;
  return {
    ours: typeof name === 'string' ? number(field(first, name)) : undefined,
    shipped: number(field(first, 'shipped')),
    least: number(field(field(field(model, 'evaluation'), 'gain'), 'low')),
  };
}

/** Whether the new model is better, and not by chance. */
export function isBetter(verdict: Verdict): boolean {
  const { ours, shipped, least } = verdict;
  return ours !== undefined && shipped !== undefined && (least ?? ours - shipped) > 0;
}

/** `0.712 against 0.655`. */
export function inWords(verdict: Verdict): string {
  return `${(verdict.ours ?? 0).toFixed(3)} against ${(verdict.shipped ?? 0).toFixed(3)}`;
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

function number(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}
