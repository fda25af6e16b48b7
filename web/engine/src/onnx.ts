/** The part of the ONNX format that a bundle uses (onnx.proto, IR version 10): a reader of its protocol buffers. */

export interface OnnxTensor {
  readonly name: string;
  readonly dims: readonly number[];
  readonly type: number;
  readonly raw: Uint8Array;
}

export type Attribute = number | string | readonly number[];

export interface OnnxNode {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, Attribute>;
}

export interface OnnxGraph {
  readonly nodes: readonly OnnxNode[];
  readonly weights: readonly OnnxTensor[];
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

/** Tensor types of ONNX that occur in a bundle. */
export const TYPE = { float: 1, int64: 7, bool: 9, half: 10, int4: 22 } as const;

const utf8 = new TextDecoder();

/** A message of protocol buffers, read one field after the other. */
class Message {
  private at = 0;
  readonly bytes: Uint8Array;
  private readonly view: DataView;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Calls `read` with the number of each field and how it is written; what it does not read is skipped. */
  each(read: (field: number, wire: number) => boolean): void {
    while (this.at < this.bytes.length) {
      const key = this.integer();
      if (!read(key >>> 3, key & 7)) this.skip(key & 7);
    }
  }

  /** A varint, read as a signed 64-bit integer; beyond 2^53 it is not exact. */
  integer(): number {
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.at >= this.bytes.length) throw new Error('it is truncated');
      const byte = this.bytes[this.at++];
      if (shift < 28) low |= (byte & 127) << shift;
      else if (shift === 28) {
        low |= (byte & 15) << 28;
        high |= (byte & 127) >> 4;
      } else if (shift < 63) high |= (byte & 127) << (shift - 32);
      else high |= (byte & 1) << 31;
      if (byte < 128) return high * 4294967296 + (low >>> 0);
    }
    throw new Error('a number in it has no end');
  }

  float(): number {
    this.at += 4;
    return this.view.getFloat32(this.at - 4, true);
  }

  data(): Uint8Array {
    const size = this.integer();
    if (size < 0 || this.at + size > this.bytes.length) throw new Error('it is truncated');
    this.at += size;
    return this.bytes.subarray(this.at - size, this.at);
  }

  /** One integer of a list of them, or several that are packed. */
  integers(wire: number): number[] {
    if (wire === 0) return [this.integer()];
    const list = new Message(this.data());
    const found: number[] = [];
    while (list.at < list.bytes.length) found.push(list.integer());
    return found;
  }

  text(): string {
    return utf8.decode(this.data());
  }

  private skip(wire: number): void {
    if (wire === 0) this.integer();
    else if (wire === 1) this.at += 8;
    else if (wire === 2) this.data();
    else if (wire === 5) this.at += 4;
    else throw new Error(`it has a field of the unknown kind ${wire}`);
  }
}

function readTensor(bytes: Uint8Array): OnnxTensor {
  const message = new Message(bytes);
  let name = '';
  let type = 0;
  let raw = new Uint8Array();
  const dims: number[] = [];
  message.each((field, wire) => {
    if (field === 1) dims.push(...message.integers(wire));
    else if (field === 2) type = message.integer();
    else if (field === 8) name = message.text();
    else if (field === 9) raw = message.data() as Uint8Array<ArrayBuffer>;
    else return false;
    return true;
  });
  return { name, dims, type, raw };
}

function readAttribute(bytes: Uint8Array): [string, Attribute] {
  const message = new Message(bytes);
  let name = '';
  let value: Attribute = 0;
  const list: number[] = [];
  message.each((field, wire) => {
    if (field === 1) name = message.text();
    else if (field === 2) value = message.float();
    else if (field === 3) value = message.integer();
    else if (field === 4) value = message.text();
    else if (field === 8) list.push(...message.integers(wire));
    else return false;
    return true;
  });
  return [name, list.length ? list : value];
}

function readNode(bytes: Uint8Array): OnnxNode {
  const message = new Message(bytes);
  const inputs: string[] = [];
  const outputs: string[] = [];
  const attributes = new Map<string, Attribute>();
  let op = '';
  message.each((field) => {
    if (field === 1) inputs.push(message.text());
    else if (field === 2) outputs.push(message.text());
    else if (field === 4) op = message.text();
    else if (field === 5) attributes.set(...readAttribute(message.data()));
    else return false;
    return true;
  });
  return { op, inputs, outputs, attributes };
}

function readName(bytes: Uint8Array): string {
  const message = new Message(bytes);
  let name = '';
  message.each((field) => {
    if (field !== 1) return false;
    name = message.text();
    return true;
  });
  return name;
}

/** Read a graph. Throws an Error that says what is wrong with the bytes. */
export function readOnnx(bytes: Uint8Array): OnnxGraph {
  const nodes: OnnxNode[] = [];
  const weights: OnnxTensor[] = [];
  const inputs: string[] = [];
  const outputs: string[] = [];
  const model = new Message(bytes);
  model.each((field) => {
    if (field !== 7) return false;
    const graph = new Message(model.data());
    graph.each((part) => {
      if (part === 1) nodes.push(readNode(graph.data()));
      else if (part === 5) weights.push(readTensor(graph.data()));
      else if (part === 11) inputs.push(readName(graph.data()));
      else if (part === 12) outputs.push(readName(graph.data()));
      else return false;
      return true;
    });
    return true;
  });
  return { nodes, weights, inputs, outputs };
}
