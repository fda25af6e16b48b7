/** One graph of a bundle, ready to be run. */

import { readOnnx, type OnnxNode } from './onnx.ts';
import { OPERATORS } from './operators.ts';
import { weightOf, type Tensor } from './tensor.ts';

export class Graph {
  private readonly nodes: readonly OnnxNode[];
  private readonly weights: ReadonlyMap<string, Tensor>;
  private readonly plans = new Map<string, readonly OnnxNode[]>();
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];

  /** Reads a graph and works out its weights, once. Throws an Error that says what is wrong with it. */
  constructor(name: string, bytes: Uint8Array) {
    try {
      const graph = readOnnx(bytes);
      const known = new Map(graph.weights.map((weight) => [weight.name, weightOf(weight)]));
      const nodes: OnnxNode[] = [];
      for (const node of graph.nodes) {
        if (!OPERATORS[node.op]) throw new Error(`the operator ${node.op} is not known`);
        if (node.inputs.every((input) => known.has(input))) known.set(node.outputs[0], run(node, known));
        else nodes.push(node);
      }
      const given = new Set(nodes.flatMap((node) => node.outputs));
      const lost = graph.outputs.find((output) => !given.has(output));
      if (lost !== undefined || !graph.outputs.length) throw new Error(`nothing gives ${lost ?? 'an output'}`);
      const used = new Set(nodes.flatMap((node) => node.inputs));
      for (const weight of known.keys()) if (!used.has(weight)) known.delete(weight);
      this.nodes = nodes;
      this.weights = known;
      this.inputs = graph.inputs.filter((input) => !known.has(input));
      this.outputs = graph.outputs;
    } catch (error) {
      throw new Error(`${name} is no graph that can be run: ${(error as Error).message}`);
    }
  }

  /** The wanted outputs (all, if none is named), by name; what they do not depend on is not computed. */
  run(feed: Readonly<Record<string, Tensor>>, wanted: readonly string[] = this.outputs): Record<string, Tensor> {
    const key = wanted.join();
    let plan = this.plans.get(key);
    if (!plan) this.plans.set(key, (plan = this.planned(wanted)));
    const known = new Map(this.weights);
    for (const [name, value] of Object.entries(feed)) known.set(name, value);
    for (const node of plan) known.set(node.outputs[0], run(node, known));
    return Object.fromEntries(wanted.map((name) => [name, known.get(name)!]));
  }

  private planned(wanted: readonly string[]): readonly OnnxNode[] {
    const needed = new Set(wanted);
    const plan: OnnxNode[] = [];
    for (const node of this.nodes.toReversed()) {
      if (!needed.has(node.outputs[0])) continue;
      node.inputs.forEach((input) => needed.add(input));
      plan.push(node);
    }
    return plan.reverse();
  }
}

function run(node: OnnxNode, known: ReadonlyMap<string, Tensor>): Tensor {
  const inputs = node.inputs.map((name) => {
    const value = known.get(name);
    if (!value) throw new Error(`${node.op} needs ${name}, which nothing gives`);
    return value;
  });
  return OPERATORS[node.op](inputs, node.attributes);
}
