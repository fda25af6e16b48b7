/** Text as Python sees it: its characters, its bytes, its white space and its hashes. */

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** White space of Python's `str.strip`. */
const SPACE = '[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]';
const ENDS = new RegExp(`^${SPACE}+|${SPACE}+$`, 'g');

export function strip(text: string): string {
  return text.replace(ENDS, '');
}

/** Characters, and not units of UTF-16. */
export function length(text: string): number {
  let count = text.length;
  if (/[\ud800-\udbff]/.test(text)) count -= text.match(/[\ud800-\udbff][\udc00-\udfff]/g)?.length ?? 0;
  return count;
}

/** The first characters, none cut in two. */
export function first(text: string, count: number): string {
  if (text.length <= count) return text;
  if (!/[\ud800-\udbff]/.test(text.slice(0, count))) return text.slice(0, count);
  let end = 0;
  for (const character of text) {
    if (!count--) break;
    end += character.length;
  }
  return text.slice(0, end);
}

/** Without halves of characters, which UTF-8 cannot say. */
function wellFormed(text: string): string {
  return /[\ud800-\udfff]/.test(text) ? text.replace(/\p{Cs}/gu, '?') : text;
}

/** The UTF-8 of a text, a byte a character. */
export function binaryOf(text: string): string {
  if (isAscii(text)) return text;
  const bytes = encoder.encode(wellFormed(text));
  const parts: string[] = [];
  for (let at = 0; at < bytes.length; at += 8192) parts.push(String.fromCharCode(...bytes.subarray(at, at + 8192)));
  return parts.join('');
}

/** The text of some UTF-8 that has a byte a character. */
export function textOf(binary: string): string {
  return isAscii(binary) ? binary : decoder.decode(Uint8Array.from(binary, (one) => one.charCodeAt(0)));
}

/** For each byte of a text's UTF-8, and its end, the unit of UTF-16 that it belongs to. */
export function placesOf(text: string): Uint32Array {
  const places: number[] = [];
  let unit = 0;
  for (const character of text) {
    const point = character.codePointAt(0)!;
    const isHalf = point >= 0xd800 && point < 0xe000; // written as a question mark
    const bytes = point < 0x80 || isHalf ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    for (let i = 0; i < bytes; i++) places.push(unit);
    unit += character.length;
  }
  places.push(unit);
  return Uint32Array.from(places);
}

function isAscii(text: string): boolean {
  return !/[^\x00-\x7f]/.test(text);
}

export function count(text: string, what: string, begin = 0, end = text.length): number {
  let found = 0;
  for (let at = text.indexOf(what, begin); at >= 0 && at < end; at = text.indexOf(what, at + what.length)) found++;
  return found;
}

const CRC = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

export function crc32(text: string): number {
  let value = -1;
  for (const byte of encoder.encode(text)) value = CRC[(value ^ byte) & 255] ^ (value >>> 8);
  return ~value >>> 0;
}

// --- BLAKE2b (RFC 7693) without a key, on halves of 64-bit numbers

const IV = Uint32Array.of(
  0xf3bcc908, 0x6a09e667, 0x84caa73b, 0xbb67ae85, 0xfe94f82b, 0x3c6ef372, 0x5f1d36f1, 0xa54ff53a,
  0xade682d1, 0x510e527f, 0x2b3e6c1f, 0x9b05688c, 0xfb41bd6b, 0x1f83d9ab, 0x137e2179, 0x5be0cd19,
);
const SIGMA = [
  [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
  [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
  [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
  [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
  [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
  [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
  [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
  [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
  [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
  [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
];
const COLUMNS = [
  [0, 4, 8, 12], [1, 5, 9, 13], [2, 6, 10, 14], [3, 7, 11, 15],
  [0, 5, 10, 15], [1, 6, 11, 12], [2, 7, 8, 13], [3, 4, 9, 14],
];
const v = new Uint32Array(32);
const m = new Uint32Array(32);

/** v[a] += v[b] (+ m[c]), places of 64-bit numbers. */
function add(a: number, b: number, c = -1): void {
  let low = v[2 * a] + v[2 * b];
  let high = v[2 * a + 1] + v[2 * b + 1];
  if (c >= 0) {
    low += m[2 * c];
    high += m[2 * c + 1];
  }
  v[2 * a] = low;
  v[2 * a + 1] = high + Math.floor(low / 4294967296);
}

/** v[a] = (v[a] ^ v[b]) rotated to the right. */
function turn(a: number, b: number, by: number): void {
  let low = v[2 * a] ^ v[2 * b];
  let high = v[2 * a + 1] ^ v[2 * b + 1];
  if (by >= 32) [low, high] = [high, low];
  const rest = by & 31;
  v[2 * a] = rest ? (low >>> rest) | (high << (32 - rest)) : low;
  v[2 * a + 1] = rest ? (high >>> rest) | (low << (32 - rest)) : high;
}

/** The first 8 bytes of the hash of a text that asks for so many, as a little-endian number: [low, high] half. */
export function blake2b64(text: string): [number, number] {
  const bytes = encoder.encode(text);
  const h = IV.slice();
  h[0] ^= 0x01010000 ^ 8;
  const blocks = Math.max(1, Math.ceil(bytes.length / 128));
  const block = new Uint8Array(128);
  const words = new DataView(block.buffer);
  for (let number = 0; number < blocks; number++) {
    const last = number === blocks - 1;
    block.fill(0);
    block.set(bytes.subarray(number * 128, number * 128 + 128));
    for (let i = 0; i < 32; i++) m[i] = words.getUint32(4 * i, true);
    v.set(h);
    v.set(IV, 16);
    v[24] ^= last ? bytes.length : (number + 1) * 128;
    if (last) {
      v[28] = ~v[28];
      v[29] = ~v[29];
    }
    for (let round = 0; round < 12; round++) {
      const order = SIGMA[round % 10];
      for (let i = 0; i < 8; i++) {
        const [a, b, c, d] = COLUMNS[i];
        add(a, b, order[2 * i]);
        turn(d, a, 32);
        add(c, d);
        turn(b, c, 24);
        add(a, b, order[2 * i + 1]);
        turn(d, a, 16);
        add(c, d);
        turn(b, c, 63);
      }
    }
    for (let i = 0; i < 16; i++) h[i] ^= v[i] ^ v[i + 16];
  }
  return [h[0], h[1]];
}

/** What was asked for lately, and the answers: the longest unused ones are forgotten. */
export class Memory<Key, Value> {
  private readonly kept = new Map<Key, Value>();
  private readonly most: number;

  constructor(most: number) {
    this.most = most;
  }

  get(key: Key, make: () => Value): Value {
    const known = this.kept.get(key);
    if (known !== undefined) {
      if (this.kept.size * 2 > this.most) {
        this.kept.delete(key);
        this.kept.set(key, known);
      }
      return known;
    }
    const value = make();
    this.kept.set(key, value);
    if (this.kept.size > this.most) this.kept.delete(this.kept.keys().next().value!);
    return value;
  }
}
