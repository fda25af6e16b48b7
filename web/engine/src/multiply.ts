/** Products of matrices: where nearly all of the time of a graph goes. */

import { kernel } from './simd.ts';
import { sizeOf, tensor, type Tensor } from './tensor.ts';

const PAGE = 65_536;
const KEPT = 4 << 20; // bytes of weights that stay in the kernel's memory

/** (..., M, K) × (K, N) or (..., K, N) → (..., M, N). */
export function multiply(one: Tensor, other: Tensor): Tensor {
  const inner = one.dims[one.dims.length - 1];
  const width = other.dims[other.dims.length - 1];
  const shared = other.dims.length === 2;
  const rows = shared ? one.data.length / inner : one.dims[one.dims.length - 2];
  const batches = shared ? 1 : sizeOf(other.dims.slice(0, -2));
  if (other.dims[other.dims.length - 2] !== inner || (!shared && sizeOf(one.dims.slice(0, -2)) !== batches))
    throw new Error(`shapes ${one.dims} and ${other.dims} do not fit together`);
  const data = new Float32Array(batches * rows * width);
  for (let batch = 0; batch < batches; batch++) {
    const left = (one.data as Float32Array).subarray(batch * rows * inner, (batch + 1) * rows * inner);
    const right = shared ? (other.data as Float32Array) : (other.data as Float32Array).subarray(batch * inner * width, (batch + 1) * inner * width);
    const out = data.subarray(batch * rows * width, (batch + 1) * rows * width);
    if (kernel && width >= 8) withVectors(kernel, left, right, out, rows, inner, width, shared);
    else plainly(left, right, out, rows, inner, width);
  }
  return tensor([...one.dims.slice(0, -1), width], data);
}

/** Without vectors of numbers: for narrow matrices, and for browsers that have none. */
export function plainly(left: Float32Array, right: Float32Array, out: Float32Array, rows: number, inner: number, width: number): void {
  const sums = new Float64Array(width);
  for (let i = 0; i < rows; i++) {
    sums.fill(0);
    for (let k = 0; k < inner; k++) {
      const factor = left[i * inner + k];
      const at = k * width;
      for (let j = 0; j < width; j++) sums[j] += factor * right[at + j];
    }
    out.set(sums, i * width);
  }
}

const places = new WeakMap<Float32Array, number>();
let used = 0;

function withVectors(
  { memory, multiply: run }: NonNullable<typeof kernel>,
  left: Float32Array,
  right: Float32Array,
  out: Float32Array,
  rows: number,
  inner: number,
  width: number,
  isWeight: boolean,
): void {
  const evenRows = rows + (rows & 1);
  const wide = (width + 7) & ~7;
  const needed = 4 * (evenRows * inner + inner * wide + evenRows * wide);
  const missing = used + 4 * inner * wide + needed - memory.buffer.byteLength;
  if (missing > 0) memory.grow(Math.ceil(missing / PAGE));
  const numbers = new Float32Array(memory.buffer);
  const copy = (place: number): void => {
    if (wide === width) numbers.set(right, place / 4);
    else {
      numbers.fill(0, place / 4, place / 4 + inner * wide);
      for (let i = 0; i < inner; i++) numbers.set(right.subarray(i * width, (i + 1) * width), place / 4 + i * wide);
    }
  };
  let b = isWeight ? places.get(right) : undefined;
  if (b === undefined && isWeight && used + 4 * inner * wide <= KEPT) {
    b = used;
    copy(b);
    places.set(right, b);
    used += 4 * inner * wide;
  }
  let free = used;
  if (b === undefined) {
    b = free;
    copy(b);
    free += 4 * inner * wide;
  }
  const a = free;
  numbers.set(left, a / 4);
  if (evenRows > rows) numbers.fill(0, a / 4 + rows * inner, a / 4 + evenRows * inner);
  const c = a + 4 * evenRows * inner;
  run(a, b, c, evenRows, inner, wide);
  if (wide === width) out.set(numbers.subarray(c / 4, c / 4 + rows * width));
  else for (let i = 0; i < rows; i++) out.set(numbers.subarray(c / 4 + i * wide, c / 4 + i * wide + width), i * width);
}
