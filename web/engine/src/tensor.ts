/** Arrays of numbers with a shape, and how bytes of ONNX become such. */

import { TYPE, type OnnxTensor } from './onnx.ts';

export type Numbers = Float32Array | Int32Array | Uint8Array;

/** Float32Array: numbers; Int32Array: integers (of 64 bits in ONNX, all of them small here); Uint8Array: truths. */
export interface Tensor {
  readonly dims: readonly number[];
  readonly data: Numbers;
}

export function tensor(dims: readonly number[], data: Numbers): Tensor {
  return { dims, data };
}

export function sizeOf(dims: readonly number[]): number {
  return dims.reduce((product, size) => product * size, 1);
}

/** Strides of a tensor that lies in memory row by row. */
export function stridesOf(dims: readonly number[]): number[] {
  const strides = new Array<number>(dims.length);
  let step = 1;
  for (let axis = dims.length - 1; axis >= 0; axis--) {
    strides[axis] = step;
    step *= dims[axis];
  }
  return strides;
}

function halfToFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The numbers of a weight. Those of four bits stay codes from -8 to 7, one a number, until they are scaled. */
export function weightOf(weight: OnnxTensor): Tensor {
  const { dims, type, raw } = weight;
  const count = sizeOf(dims);
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  const expected = { [TYPE.float]: 4, [TYPE.int64]: 8, [TYPE.bool]: 1, [TYPE.half]: 2, [TYPE.int4]: 0.5 }[type];
  if (expected === undefined) throw new Error(`${weight.name} has the unknown type ${type}`);
  if (raw.length !== Math.ceil(count * expected)) throw new Error(`${weight.name} has ${raw.length} bytes`);
  if (type === TYPE.int64) return tensor(dims, Int32Array.from({ length: count }, (_, i) => clamp(view.getBigInt64(8 * i, true))));
  if (type === TYPE.bool) return tensor(dims, raw.slice());
  const data = new Float32Array(count);
  if (type === TYPE.float) for (let i = 0; i < count; i++) data[i] = view.getFloat32(4 * i, true);
  else if (type === TYPE.half) for (let i = 0; i < count; i++) data[i] = halfToFloat(view.getUint16(2 * i, true));
  else for (let i = 0; i < count; i++) data[i] = ((raw[i >> 1] << (i & 1 ? 24 : 28)) >> 28);
  return tensor(dims, data);
}

/** Ends of slices are written as the largest integer there is. */
function clamp(value: bigint): number {
  return Number(value > 0x7fffffffn ? 0x7fffffffn : value < -0x80000000n ? -0x80000000n : value);
}
