import assert from 'node:assert/strict';
import { test } from 'node:test';
import { multiply, plainly } from '../src/multiply.ts';
import { kernel } from '../src/simd.ts';
import { tensor } from '../src/tensor.ts';
import { difference } from './files.ts';

const numbers = (count: number): Float32Array => Float32Array.from({ length: count }, (_, i) => Math.sin(i * 12.9898) * 2);

test('the kernel gives what plain JavaScript gives, whatever the shape', () => {
  assert.ok(kernel, 'this Node has WebAssembly with vectors');
  for (const [rows, inner, width] of [[1, 1, 8], [2, 3, 8], [5, 7, 9], [3, 128, 384], [17, 64, 15], [320, 128, 128]]) {
    const [left, right] = [numbers(rows * inner), numbers(inner * width)];
    const expected = new Float32Array(rows * width);
    plainly(left, right, expected, rows, inner, width);
    for (let time = 0; time < 2; time++) {
      const found = multiply(tensor([rows, inner], left), tensor([inner, width], right));
      assert.deepEqual(found.dims, [rows, width]);
      assert.ok(difference(found.data, expected) < 1e-4, `${rows} × ${inner} × ${width}`);
    }
  }
});

test('batches are multiplied one by one', () => {
  const [left, right] = [numbers(2 * 3 * 4), numbers(2 * 4 * 10)];
  const found = multiply(tensor([2, 3, 4], left), tensor([2, 4, 10], right));
  const second = multiply(tensor([3, 4], left.subarray(12)), tensor([4, 10], right.subarray(40)));
  assert.deepEqual(found.dims, [2, 3, 10]);
  assert.ok(difference(found.data.subarray(30), second.data) < 1e-6);
});

test('shapes that do not fit are refused', () => {
  assert.throws(() => multiply(tensor([2, 3], numbers(6)), tensor([4, 8], numbers(32))), /do not fit together/);
});
