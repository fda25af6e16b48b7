/**
 * The product of matrices in WebAssembly with vectors of four numbers, put together here byte by byte so that nothing
 * has to be compiled or fetched. In plain JavaScript the longest definitions take longer than a keystroke may
 * (docs/explore.md).
 *
 *     multiply(a, b, c, rows, inner, columns): c[i][j] = sum over k of a[i][k] * b[k][j]
 *
 * `a`, `b` and `c` are places in memory; `columns` is a multiple of 8, `rows` of 2. Two rows and eight columns at a time
 * stay in registers.
 */

const I32 = 0x7f;
const V128 = 0x7b;
const op = { block: 0x02, loop: 0x03, branchIf: 0x0d, get: 0x20, set: 0x21, tee: 0x22, constant: 0x41, add: 0x6a, multiply: 0x6c, less: 0x49, shift: 0x74, end: 0x0b };
const VOID = 0x40;

function unsigned(value: number): number[] {
  const bytes: number[] = [];
  do {
    const rest = value >>> 7;
    bytes.push((value & 127) | (rest ? 128 : 0));
    value = rest;
  } while (value);
  return bytes;
}

/** SIMD instructions have a number of their own behind 0xfd. */
const simd = (code: number, ...operands: number[]): number[] => [0xfd, ...unsigned(code), ...operands];
const load = (offset: number): number[] => simd(0x00, 4, offset);
const splat = (offset: number): number[] => simd(0x09, 2, offset);
const store = (offset: number): number[] => simd(0x0b, 4, offset);
const zero = simd(0x0c, ...new Array<number>(16).fill(0));
const addAll = simd(0xe4);
const multiplyAll = simd(0xe6);

const get = (local: number): number[] => [op.get, local];
const set = (local: number): number[] => [op.set, local];
const constant = (value: number): number[] => [op.constant, value];

// Parameters, then locals.
const [A, B, C, ROWS, INNER, COLUMNS, I, J, K, P, Q, R, S, STEP] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13];
const [S00, S01, S10, S11, X, Y0, Y1] = [14, 15, 16, 17, 18, 19, 20];

/** local += what the code gives. */
const increase = (local: number, ...code: number[]): number[] => [...get(local), ...code, op.add, ...set(local)];
const bytesOf = (local: number): number[] => [...get(local), ...constant(2), op.shift];
const accumulate = (sum: number, factor: number): number[] => [...get(sum), ...get(X), ...get(factor), ...multiplyAll, ...addAll, ...set(sum)];
const loop = (body: number[], counter: number, step: number, end: number): number[] => [
  op.loop,
  VOID,
  ...body,
  ...get(counter),
  ...constant(step),
  op.add,
  op.tee,
  counter,
  ...get(end),
  op.less,
  op.branchIf,
  0,
  op.end,
];

const innermost = loop(
  [
    ...get(Q), ...load(0), ...set(Y0),
    ...get(Q), ...load(16), ...set(Y1),
    ...get(P), ...splat(0), ...set(X),
    ...accumulate(S00, Y0), ...accumulate(S01, Y1),
    ...get(R), ...splat(0), ...set(X),
    ...accumulate(S10, Y0), ...accumulate(S11, Y1),
    ...increase(P, ...constant(4)),
    ...increase(R, ...constant(4)),
    ...increase(Q, ...get(STEP)),
  ],
  K, 1, INNER,
);
const eachRow = loop(
  [
    ...[S00, S01, S10, S11].flatMap((sum) => [...zero, ...set(sum)]),
    // P and R: the two rows of a; Q: the columns of b; S: where the sums go.
    ...get(A), ...get(I), ...bytesOf(INNER), op.multiply, op.add, ...set(P),
    ...get(P), ...bytesOf(INNER), op.add, ...set(R),
    ...get(B), ...bytesOf(J), op.add, ...set(Q),
    ...constant(0), ...set(K),
    ...innermost,
    ...get(C), ...get(I), ...get(STEP), op.multiply, op.add, ...bytesOf(J), op.add, ...set(S),
    ...get(S), ...get(S00), ...store(0),
    ...get(S), ...get(S01), ...store(16),
    ...increase(S, ...get(STEP)),
    ...get(S), ...get(S10), ...store(0),
    ...get(S), ...get(S11), ...store(16),
  ],
  I, 2, ROWS,
);
const body = [
  ...unsigned(2),
  ...[STEP - I + 1, I32],
  ...[Y1 - S00 + 1, V128],
  ...bytesOf(COLUMNS), ...set(STEP),
  ...loop([...constant(0), ...set(I), ...eachRow], J, 8, COLUMNS), // eight columns of b stay in the cache
  op.end,
];

const section = (id: number, content: number[]): number[] => [id, ...unsigned(content.length), ...content];
const name = (text: string): number[] => [text.length, ...Array.from(text, (letter) => letter.charCodeAt(0))];

const MODULE = Uint8Array.from([
  ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
  ...section(1, [1, 0x60, 6, I32, I32, I32, I32, I32, I32, 0]),
  ...section(3, [1, 0]),
  ...section(5, [1, 0, 1]),
  ...section(7, [2, ...name('memory'), 2, 0, ...name('multiply'), 0, 0]),
  ...section(10, [1, ...unsigned(body.length), ...body]),
]);

interface Kernel {
  readonly memory: WebAssembly.Memory;
  multiply(a: number, b: number, c: number, rows: number, inner: number, columns: number): void;
}

/** The kernel; null where the browser has no such instructions, and plain JavaScript does it. */
export const kernel: Kernel | null = (() => {
  try {
    return new WebAssembly.Instance(new WebAssembly.Module(MODULE)).exports as unknown as Kernel;
  } catch {
    return null;
  }
})();
