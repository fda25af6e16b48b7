/** The operators of ONNX that a bundle's graphs use, each as its specification says it (opset 21), on typed arrays. */

import { multiply } from './multiply.ts';
import type { Attribute } from './onnx.ts';
import { sizeOf, stridesOf, tensor, type Numbers, type Tensor } from './tensor.ts';

type Attributes = ReadonlyMap<string, Attribute>;
type Operator = (inputs: readonly Tensor[], attributes: Attributes) => Tensor;

const axisOf = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);
const like = (model: Numbers, count: number): Numbers =>
  model instanceof Float32Array ? new Float32Array(count) : model instanceof Int32Array ? new Int32Array(count) : new Uint8Array(count);

function number(attributes: Attributes, name: string, otherwise: number): number {
  const value = attributes.get(name);
  return typeof value === 'number' ? value : otherwise;
}

function each(input: Tensor, of: (value: number) => number): Tensor {
  const data = new Float32Array(input.data.length);
  for (let i = 0; i < data.length; i++) data[i] = of(input.data[i]);
  return tensor(input.dims, data);
}

/** Strides of a tensor seen in a larger shape, 0 where it is repeated. */
function stridesIn(dims: readonly number[], shape: readonly number[]): number[] {
  const own = stridesOf(dims);
  const skipped = shape.length - dims.length;
  return shape.map((_, axis) => (axis < skipped || dims[axis - skipped] === 1 ? 0 : own[axis - skipped]));
}

function joinedShape(one: readonly number[], other: readonly number[]): number[] {
  const rank = Math.max(one.length, other.length);
  return Array.from({ length: rank }, (_, axis) => {
    const a = one[axis - rank + one.length] ?? 1;
    const b = other[axis - rank + other.length] ?? 1;
    if (a !== b && a !== 1 && b !== 1) throw new Error(`shapes ${one} and ${other} do not fit together`);
    return a === 1 ? b : a;
  });
}

/** Calls `row` for each row along the last axis of `shape`: where it begins, and where it does in each operand. */
function eachRow(
  shape: readonly number[],
  strides: readonly (readonly number[])[],
  row: (at: number, places: readonly number[]) => void,
): void {
  const last = shape.length - 1;
  const width = shape[last];
  const index = new Array<number>(last).fill(0);
  const places = strides.map(() => 0);
  const rows = sizeOf(shape) / (width || 1);
  for (let number = 0; number < rows; number++) {
    row(number * width, places);
    for (let axis = last - 1; axis >= 0; axis--) {
      index[axis]++;
      for (let i = 0; i < places.length; i++) places[i] += strides[i][axis];
      if (index[axis] < shape[axis]) break;
      for (let i = 0; i < places.length; i++) places[i] -= strides[i][axis] * shape[axis];
      index[axis] = 0;
    }
  }
}

function both(of: (a: number, b: number) => number, truth = false): Operator {
  return ([one, other]) => {
    const shape = joinedShape(one.dims, other.dims);
    const a = one.data;
    const b = other.data;
    const data = truth ? new Uint8Array(sizeOf(shape)) : like(a, sizeOf(shape));
    const count = data.length;
    if (!shape.length) data[0] = of(a[0], b[0]);
    else if (b.length === 1) for (let i = 0, y = b[0]; i < count; i++) data[i] = of(a[i], y);
    else if (a.length === count && b.length === count) for (let i = 0; i < count; i++) data[i] = of(a[i], b[i]);
    else {
      const [left, right] = [stridesIn(one.dims, shape), stridesIn(other.dims, shape)];
      const width = shape[shape.length - 1];
      const [stepA, stepB] = [left[shape.length - 1], right[shape.length - 1]];
      eachRow(shape, [left, right], (at, [p, q]) => {
        for (let i = 0; i < width; i++) data[at + i] = of(a[p + i * stepA], b[q + i * stepB]);
      });
    }
    return tensor(shape, data);
  };
}

const addAny = both((a, b) => a + b);

/** Sums are taken so often that the two usual cases have loops of their own, which a compiler sees through. */
function add(inputs: readonly Tensor[], attributes: Attributes): Tensor {
  const [one, other] = inputs;
  const a = one.data;
  const b = other.data;
  if (!(a instanceof Float32Array && b instanceof Float32Array)) return addAny(inputs, attributes);
  const ends = one.dims.slice(one.dims.length - other.dims.length);
  if (one.dims.length < other.dims.length || !other.dims.length || ends.some((size, axis) => size !== other.dims[axis]))
    return addAny(inputs, attributes);
  const data = new Float32Array(a.length);
  const width = b.length;
  for (let at = 0; at < data.length; at += width) for (let i = 0; i < width; i++) data[at + i] = a[at + i] + b[i];
  return tensor(one.dims, data);
}

const divideAny = both((a, b) => a / b);

function divide(inputs: readonly Tensor[], attributes: Attributes): Tensor {
  const [one, other] = inputs;
  if (!(one.data instanceof Float32Array) || other.data.length !== 1) return divideAny(inputs, attributes);
  const data = new Float32Array(one.data.length);
  const by = other.data[0];
  for (let i = 0; i < data.length; i++) data[i] = one.data[i] / by;
  return tensor(one.dims, data);
}

function transposed(input: Tensor, order: readonly number[]): Tensor {
  const shape = order.map((axis) => input.dims[axis]);
  const own = stridesOf(input.dims);
  const strides = order.map((axis) => own[axis]);
  const data = like(input.data, input.data.length);
  const width = shape[shape.length - 1];
  const step = strides[shape.length - 1];
  eachRow(shape, [strides], (at, [from]) => {
    for (let i = 0; i < width; i++) data[at + i] = input.data[from + i * step];
  });
  return tensor(shape, data);
}

function slice([input, begins, ends, axes]: readonly Tensor[]): Tensor {
  const shape = [...input.dims];
  const strides = stridesOf(input.dims);
  let offset = 0;
  begins.data.forEach((begin, i) => {
    const axis = axisOf(axes ? axes.data[i] : i, shape.length);
    const size = shape[axis];
    const place = (value: number): number => Math.max(0, Math.min(size, value < 0 ? value + size : value));
    offset += place(begin) * strides[axis];
    shape[axis] = Math.max(0, place(ends.data[i]) - place(begin));
  });
  const data = like(input.data, sizeOf(shape));
  const width = shape[shape.length - 1];
  eachRow(shape, [strides], (at, [from]) => {
    for (let i = 0; i < width; i++) data[at + i] = input.data[offset + from + i];
  });
  return tensor(shape, data);
}

function gather([input, indices]: readonly Tensor[], attributes: Attributes): Tensor {
  const axis = axisOf(number(attributes, 'axis', 0), input.dims.length);
  const size = input.dims[axis];
  const outer = sizeOf(input.dims.slice(0, axis));
  const inner = sizeOf(input.dims.slice(axis + 1));
  const count = indices.data.length;
  const data = like(input.data, outer * count * inner);
  for (let i = 0; i < outer; i++)
    for (let j = 0; j < count; j++) {
      const index = axisOf(indices.data[j], size);
      if (index < 0 || index >= size) throw new Error(`index ${index} is outside of ${size}`);
      const from = (i * size + index) * inner;
      data.set(input.data.subarray(from, from + inner), (i * count + j) * inner);
    }
  return tensor([...input.dims.slice(0, axis), ...indices.dims, ...input.dims.slice(axis + 1)], data);
}

function concat(inputs: readonly Tensor[], attributes: Attributes): Tensor {
  const axis = axisOf(number(attributes, 'axis', 0), inputs[0].dims.length);
  const shape = [...inputs[0].dims];
  shape[axis] = inputs.reduce((total, input) => total + input.dims[axis], 0);
  const outer = sizeOf(shape.slice(0, axis));
  const data = like(inputs[0].data, sizeOf(shape));
  let at = 0;
  for (let i = 0; i < outer; i++)
    for (const input of inputs) {
      const width = input.data.length / outer;
      data.set(input.data.subarray(i * width, (i + 1) * width), at);
      at += width;
    }
  return tensor(shape, data);
}

function reshape([input, wanted]: readonly Tensor[], attributes: Attributes): Tensor {
  const keepsZero = number(attributes, 'allowzero', 0) === 0;
  const shape = Array.from(wanted.data, (size, axis) => (size === 0 && keepsZero ? input.dims[axis] : size));
  const open = shape.indexOf(-1);
  if (open >= 0) shape[open] = input.data.length / -sizeOf(shape);
  return tensor(shape, input.data);
}

function expand([input, wanted]: readonly Tensor[]): Tensor {
  const shape = joinedShape(input.dims, Array.from(wanted.data));
  const data = like(input.data, sizeOf(shape));
  const strides = stridesIn(input.dims, shape);
  const width = shape[shape.length - 1];
  const step = strides[shape.length - 1];
  eachRow(shape, [strides], (at, [from]) => {
    for (let i = 0; i < width; i++) data[at + i] = input.data[from + i * step];
  });
  return tensor(shape, data);
}

function layerNormalization([input, scale, bias]: readonly Tensor[], attributes: Attributes): Tensor {
  const epsilon = number(attributes, 'epsilon', 1e-5);
  const width = input.dims[input.dims.length - 1];
  const data = new Float32Array(input.data.length);
  for (let at = 0; at < data.length; at += width) {
    let sum = 0;
    for (let i = 0; i < width; i++) sum += input.data[at + i];
    const mean = sum / width;
    let squares = 0;
    for (let i = 0; i < width; i++) squares += (input.data[at + i] - mean) ** 2;
    const factor = 1 / Math.sqrt(squares / width + epsilon);
    for (let i = 0; i < width; i++) data[at + i] = (input.data[at + i] - mean) * factor * scale.data[i] + bias.data[i];
  }
  return tensor(input.dims, data);
}

function softmax([input]: readonly Tensor[]): Tensor {
  const width = input.dims[input.dims.length - 1];
  const values = input.data as Float32Array;
  const data = new Float32Array(values.length);
  for (let at = 0; at < data.length; at += width) {
    let largest = -Infinity;
    for (let i = 0; i < width; i++) if (values[at + i] > largest) largest = values[at + i];
    let sum = 0;
    for (let i = 0; i < width; i++) sum += data[at + i] = Math.exp(values[at + i] - largest);
    const factor = 1 / sum;
    for (let i = 0; i < width; i++) data[at + i] *= factor;
  }
  return tensor(input.dims, data);
}

function reduceSum([input, axes]: readonly Tensor[], attributes: Attributes): Tensor {
  const axis = axisOf(axes.data[0], input.dims.length);
  const size = input.dims[axis];
  const outer = sizeOf(input.dims.slice(0, axis));
  const inner = sizeOf(input.dims.slice(axis + 1));
  const sums = new Float64Array(outer * inner);
  for (let i = 0; i < outer; i++)
    for (let j = 0; j < size; j++)
      for (let k = 0; k < inner; k++) sums[i * inner + k] += input.data[(i * size + j) * inner + k];
  const keeps = number(attributes, 'keepdims', 1) === 1;
  const shape = input.dims.flatMap((one, i) => (i !== axis ? [one] : keeps ? [1] : []));
  return tensor(shape, Float32Array.from(sums));
}

function dequantizeLinear([codes, scales]: readonly Tensor[], attributes: Attributes): Tensor {
  const block = number(attributes, 'block_size', 0);
  const axis = axisOf(number(attributes, 'axis', 1), 2);
  const [rows, columns] = codes.dims;
  const width = scales.dims[1];
  const data = new Float32Array(rows * columns);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) {
      const scale = axis === 0 ? scales.data[Math.floor(i / block) * width + j] : scales.data[i * width + Math.floor(j / block)];
      data[i * columns + j] = codes.data[i * columns + j] * scale;
    }
  return tensor(codes.dims, data);
}

function cast([input]: readonly Tensor[], attributes: Attributes): Tensor {
  if (number(attributes, 'to', 1) !== 1) throw new Error(`a cast to type ${attributes.get('to')} is not known`);
  return input.data instanceof Float32Array ? input : tensor(input.dims, Float32Array.from(input.data));
}

function shape([input]: readonly Tensor[], attributes: Attributes): Tensor {
  const dims = input.dims.slice(number(attributes, 'start', 0), number(attributes, 'end', input.dims.length));
  return tensor([dims.length], Int32Array.from(dims));
}

function squeeze([input, axes]: readonly Tensor[]): Tensor {
  const gone = axes && new Set(Array.from(axes.data, (axis) => axisOf(axis, input.dims.length)));
  return tensor(input.dims.filter((size, axis) => (gone ? !gone.has(axis) : size !== 1)), input.data);
}

function unsqueeze([input, axes]: readonly Tensor[]): Tensor {
  const rank = input.dims.length + axes.data.length;
  const added = new Set(Array.from(axes.data, (axis) => axisOf(axis, rank)));
  const own = input.dims.values();
  return tensor(Array.from({ length: rank }, (_, axis) => (added.has(axis) ? 1 : own.next().value!)), input.data);
}

function range([begin, end, step]: readonly Tensor[]): Tensor {
  const count = Math.max(0, Math.ceil((end.data[0] - begin.data[0]) / step.data[0]));
  return tensor([count], Int32Array.from({ length: count }, (_, i) => begin.data[0] + i * step.data[0]));
}

function where([condition, one, other]: readonly Tensor[]): Tensor {
  if (one.data.length !== other.data.length || condition.data.length !== one.data.length)
    throw new Error('a choice between tensors of different shapes is not known');
  return tensor(one.dims, Float32Array.from(one.data, (value, i) => (condition.data[i] ? value : other.data[i])));
}

const ROOT_2_OVER_PI = Math.sqrt(2 / Math.PI);

function gelu([input]: readonly Tensor[], attributes: Attributes): Tensor {
  if (attributes.get('approximate') !== 'tanh') throw new Error('only the approximate Gelu is known');
  return each(input, (x) => 0.5 * x * (1 + Math.tanh(ROOT_2_OVER_PI * (x + 0.044715 * x * x * x))));
}

export const OPERATORS: Readonly<Record<string, Operator>> = {
  Add: add,
  Sub: both((a, b) => a - b),
  Mul: both((a, b) => a * b),
  Div: divide,
  Equal: both((a, b) => +(a === b), true),
  Greater: both((a, b) => +(a > b), true),
  Not: ([input]) => tensor(input.dims, Uint8Array.from(input.data, (value) => +!value)),
  Sin: ([input]) => each(input, Math.sin),
  Cos: ([input]) => each(input, Math.cos),
  Sigmoid: ([input]) => each(input, (x) => 1 / (1 + Math.exp(-x))),
  Softplus: ([input]) => each(input, (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)))),
  Gelu: gelu,
  Cast: cast,
  Concat: concat,
  DequantizeLinear: dequantizeLinear,
  Expand: expand,
  Gather: gather,
  LayerNormalization: layerNormalization,
  MatMul: ([one, other]) => multiply(one, other),
  Range: range,
  ReduceSum: reduceSum,
  Reshape: reshape,
  Shape: shape,
  Slice: slice,
  Softmax: softmax,
  Squeeze: squeeze,
  Transpose: ([input], attributes) => transposed(input, attributes.get('perm') as readonly number[]),
  Unsqueeze: unsqueeze,
  Where: where,
};
