declare module '*.onnx' {
  const bytes: Uint8Array;
  export default bytes;
}
declare module '*.bin' {
  const bytes: Uint8Array;
  export default bytes;
}
declare module '*.wasm' {
  const bytes: Uint8Array;
  export default bytes;
}
declare module '*/gallery.json' {
  const gallery: { presets: unknown[]; map: [number, number][] } & Record<string, unknown>;
  export default gallery;
}
declare module '*/tables.json' {
  const tables: Record<string, unknown>;
  export default tables;
}
declare module '*/model.json' {
  const metadata: Record<string, unknown>;
  export default metadata;
}
