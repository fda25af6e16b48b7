/** The rich action of an edit, fifteen numbers a person can read: `codewm_lsp.world_model.actions`. */

import type { Node, Query } from 'web-tree-sitter';
import { ACTION_SIZE, type Definition } from './api.ts';
import { binaryOf, length, Memory, textOf } from './text.ts';
import type { Tokeniser } from './tokens.ts';

const MANY_NODES = Math.log1p(1000);
const MANY = Math.log1p(15);

interface Parts {
  readonly nodes: number;
  readonly flow: string;
  readonly functions: ReadonlyMap<string, readonly string[]>;
  readonly headers: string;
  readonly imports: readonly string[];
}

const NOTHING: Parts = { nodes: 0, flow: '', functions: new Map(), headers: '', imports: [] };
const SEPARATOR = '\u0000';

export class Actions {
  private readonly tokeniser: Tokeniser;
  private readonly query: Query;
  private readonly known = new Memory<string, Parts>(64);

  constructor(tokeniser: Tokeniser, parts: string) {
    this.tokeniser = tokeniser;
    this.query = tokeniser.query(parts);
  }

  of(before: string, after: string, kind: Definition['kind']): Float32Array {
    const action = new Float32Array(ACTION_SIZE);
    action[!before ? 0 : !after ? 1 : 2] = 1;
    action[kind === 'class' ? 4 : kind === 'module' ? 5 : 3] = 1;
    if (before === after) return action;
    const [old, now] = [this.parts(before), this.parts(after)];
    if (before && after) action[6] = location(before, after);
    const delta = now.nodes - old.nodes;
    action[7] = Math.max(-1, Math.min(1, (Math.sign(delta) * Math.log1p(Math.abs(delta))) / MANY_NODES));
    let [added, removed, modified] = [0, 0, 0];
    for (const name of new Set([...old.functions.keys(), ...now.functions.keys()])) {
      const left = old.functions.get(name) ?? [];
      const right = now.functions.get(name) ?? [];
      added += Math.max(0, right.length - left.length);
      removed += Math.max(0, left.length - right.length);
      modified += left.filter((text, i) => i < right.length && text !== right[i]).length;
    }
    action[8] = counted(added);
    action[9] = counted(removed);
    action[10] = counted(modified);
    action[11] = counted(surplus(now.imports, old.imports));
    action[12] = +(old.flow !== now.flow);
    action[13] = +(old.headers !== now.headers);
    action[14] = (length(after) - length(before)) / Math.max(length(after), length(before));
    return action;
  }

  private parts(text: string): Parts {
    return text ? this.known.get(text, () => this.read(binaryOf(text))) : NOTHING;
  }

  private read(data: string): Parts {
    const tree = this.tokeniser.tree(data);
    try {
      const found = new Map<string, Node[]>();
      for (const { name, node } of this.query.captures(tree.rootNode)) {
        const nodes = found.get(name);
        if (nodes) nodes.push(node);
        else found.set(name, [node]);
      }
      const inOrder = (name: string): Node[] => (found.get(name) ?? []).sort((a, b) => a.startIndex - b.startIndex);
      const own = (node: Node): string => textOf(data.slice(node.startIndex, node.endIndex));
      const functions = new Map<string, string[]>();
      const bodies = inOrder('function');
      inOrder('name')
        .slice(0, bodies.length)
        .forEach((name, i) => {
          const bodiesOfName = functions.get(own(name));
          if (bodiesOfName) bodiesOfName.push(own(bodies[i]));
          else functions.set(own(name), [own(bodies[i])]);
        });
      return {
        nodes: tree.rootNode.descendantCount,
        flow: inOrder('flow').map((node) => node.type).join(SEPARATOR),
        functions,
        headers: inOrder('header').map(own).join(SEPARATOR),
        imports: (found.get('import') ?? []).map(own),
      };
    } finally {
      tree.delete();
    }
  }
}

function location(before: string, after: string): number {
  const [old, now] = [before.split('\n'), after.split('\n')];
  let same = 0;
  while (same < old.length && same < now.length && old[same] === now[same]) same++;
  return Math.min(1, same / Math.max(1, Math.max(old.length, now.length) - 1));
}

function counted(count: number): number {
  return Math.min(1, Math.log1p(count) / MANY);
}

/** How many of some texts there are beyond those of others. */
function surplus(some: readonly string[], others: readonly string[]): number {
  const left = [...others];
  let found = 0;
  for (const text of some) {
    const at = left.indexOf(text);
    if (at < 0) found++;
    else left.splice(at, 1);
  }
  return found;
}
