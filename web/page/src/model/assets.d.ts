declare module '*/tables.json' {
  const tables: Record<string, unknown> & { readonly lens: { readonly threshold: number; readonly close: number; readonly behind: number } };
  export default tables;
}
declare module '*/model.json' {
  const metadata: Record<string, unknown>;
  export default metadata;
}
declare module '*/presets.json' {
  import type { Preset } from './protocol.ts';
  const presets: readonly Preset[];
  export default presets;
}
