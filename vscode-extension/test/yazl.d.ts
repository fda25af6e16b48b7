declare module 'yazl' {
  /** Writes a zip file. */
  export class ZipFile {
    readonly outputStream: NodeJS.ReadableStream;
    addBuffer(content: Buffer, name: string): void;
    end(): void;
  }
}
