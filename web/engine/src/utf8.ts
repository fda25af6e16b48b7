/**
 * web-tree-sitter reads UTF-16. In broken code tree-sitter chooses the reading that skips least, counted in bytes, so
 * that another encoding can give another tree than Python's. This changes the numbers in web-tree-sitter.wasm that say
 * how text is encoded, and how many bytes a place counts: from two to one.
 *
 * The parser then asks for bytes of UTF-8, and the places of nodes are bytes. `bytesFor` answers it.
 */

const CONSTANT_1 = [0x41, 0x01];
const SHIFT_RIGHT = [...CONSTANT_1, 0x76];
const SHIFT_LEFT = [...CONSTANT_1, 0x74];
/** Stores "UTF-16" into the input's field of the encoding. */
const ENCODING = [0x42, 0x01, 0x37, 0x02, 0x28];
const START = [0x28, 0x02, 0x04, ...SHIFT_LEFT]; // a node's start, and its column, as they come from JavaScript
const COLUMN = [0x28, 0x02, 0x0c, ...SHIFT_LEFT];
const CALLBACK = 'tree_sitter_parse_callback';
const LARGEST_CALLER = 100; // bytes of the function that hands the text over
const CHUNK = 5000; // bytes handed over at once; there is room for some more than twice as many

/** What is changed: by function, sequences of bytes, where in them the 1 is that becomes 0, and how often they occur. */
const CHANGES: readonly (readonly [string, readonly number[], number, number])[] = [
  ['ts_parser_parse_wasm', ENCODING, 1, 1],
  [CALLBACK, SHIFT_RIGHT, 1, 2],
  [CALLBACK, SHIFT_LEFT, 1, 1],
  ['ts_tree_root_node_wasm', SHIFT_RIGHT, 1, 2],
  ['ts_tree_cursor_start_index_wasm', SHIFT_RIGHT, 1, 1],
  ['ts_tree_cursor_end_index_wasm', SHIFT_RIGHT, 1, 1],
  ['ts_query_captures_wasm', SHIFT_RIGHT, 1, 2],
  ['ts_node_end_index_wasm', SHIFT_RIGHT, 1, 1],
  ...['ts_tree_cursor_new_wasm', 'ts_query_captures_wasm', 'ts_node_descendant_count_wasm', 'ts_node_end_index_wasm'].flatMap((name) =>
    [START, COLUMN].map((sequence) => [name, sequence, 4, 1] as const),
  ),
];

/** The module that reads UTF-8. Throws an Error when it is not built as the release that this was written for. */
export function readingUtf8(module: Uint8Array): Uint8Array {
  const changed = module.slice();
  const functions = functionsOf(changed);
  for (const [name, sequence, place, times] of CHANGES) {
    const body = functions.get(name);
    const found = body ? placesOf(sequence, changed, ...body) : [];
    if (found.length !== times) throw new Error(`this is not the web-tree-sitter that the engine was built with: ${name} is another`);
    for (const at of found) changed[at + place] = 0;
  }
  return changed;
}

/** What the parser is given when it asks for the text from a byte on; `data` has a byte a character. */
export function bytesFor(data: string): (index: number) => string | undefined {
  return (index) => {
    if (index >= data.length) return undefined;
    const count = Math.min(CHUNK, data.length - index);
    const units = new Uint16Array(count); // of which two bytes each are written, and the first `count` bytes read
    for (let i = 0; i < count; i++) units[i >> 1] |= data.charCodeAt(index + i) << (8 * (i & 1));
    return String.fromCharCode(...units);
  };
}

function placesOf(sequence: readonly number[], bytes: Uint8Array, begin: number, end: number): number[] {
  const found: number[] = [];
  for (let at = begin; at + sequence.length <= end; at++) if (sequence.every((byte, i) => bytes[at + i] === byte)) found.push(at);
  return found;
}

/** Where the bodies of exported functions are, and that of the one which calls the callback. */
function functionsOf(bytes: Uint8Array): Map<string, [number, number]> {
  let at = 8;
  const number = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++];
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  const text = (): string => {
    const size = number();
    at += size;
    return new TextDecoder().decode(bytes.subarray(at - size, at));
  };
  const limits = (): void => {
    const flags = number();
    number();
    if (flags & 1) number();
  };
  const exported = new Map<number, string>();
  const found = new Map<string, [number, number]>();
  let imported = 0;
  let callback = -1;
  while (at < bytes.length) {
    const id = number();
    const end = number() + at;
    if (id === 2)
      for (let left = number(); left; left--) {
        text();
        const name = text();
        const kind = number();
        if (kind === 0) {
          if (name === CALLBACK) callback = imported;
          imported++;
          number();
        } else if (kind === 1) {
          number();
          limits();
        } else if (kind === 2) limits();
        else at += 2;
      }
    else if (id === 7)
      for (let left = number(); left; left--) {
        const name = text();
        const kind = number();
        const index = number();
        if (kind === 0) exported.set(index, name);
      }
    else if (id === 10) {
      const count = number();
      for (let index = imported; index < imported + count; index++) {
        const size = number();
        const body: [number, number] = [at, at + size];
        const name = exported.get(index);
        if (name !== undefined) found.set(name, body);
        else if (size < LARGEST_CALLER && placesOf([0x10, callback], bytes, ...body).length) found.set(CALLBACK, body);
        at += size;
      }
    }
    at = end;
  }
  return found;
}
