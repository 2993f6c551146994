import { createHash, randomUUID } from 'node:crypto';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** What a file that is sent may be. */
export type FileFormat = 'csv' | 'ndjson';

const write = promisify(fs.write);
const close = promisify(fs.close);

/** So much is read at once: rows of a file are parsed a piece at a time, while everybody else waits. */
const pieceBytes = 8 * 1024;

/**
 * A body that was written to a temporary file while it arrived. The file has no name: nobody else can open it, and the system
 * removes it when it is closed or its process dies, however that comes. It stays while somebody reads it: its number may belong
 * to somebody else's file afterwards.
 */
export class SpooledFile {
  readonly format: FileFormat;
  readonly bytes: number;
  /** Of all bytes, in hex. */
  readonly sha256: string;
  readonly #descriptor: number;
  readonly #gone = Promise.withResolvers<void>();
  #readers = 0;
  #isClosing = false;

  constructor(format: FileFormat, bytes: number, sha256: string, descriptor: number) {
    this.format = format;
    this.bytes = bytes;
    this.sha256 = sha256;
    this.#descriptor = descriptor;
  }

  /** Writes all chunks down. Rejects with what the source throws, and keeps nothing then. */
  static async spool(format: FileFormat, chunks: AsyncIterable<Uint8Array>): Promise<SpooledFile> {
    const descriptor = openNameless();
    try {
      const hash = createHash('sha256');
      let bytes = 0;
      for await (const chunk of chunks) {
        hash.update(chunk);
        bytes += chunk.length;
        await writeWhole(descriptor, chunk);
      }
      return new SpooledFile(format, bytes, hash.digest('hex'), descriptor);
    } catch (error) {
      await close(descriptor);
      throw error;
    }
  }

  /** Its bytes from the beginning, as often as somebody asks. Throws once it is closed. */
  async *read(): AsyncGenerator<Buffer> {
    if (this.#isClosing) throw new Error('the file was closed: nobody may read it any more');
    this.#readers += 1;
    try {
      yield* fs.createReadStream('', { fd: this.#descriptor, start: 0, autoClose: false, highWaterMark: pieceBytes });
    } finally {
      this.#readers -= 1;
      this.#removeIfUnused();
    }
  }

  /** Removes it, as soon as nobody reads it. */
  close(): Promise<void> {
    this.#isClosing = true;
    this.#removeIfUnused();
    return this.gone;
  }

  /** Fulfilled when it has been removed. */
  get gone(): Promise<void> {
    return this.#gone.promise;
  }

  #removeIfUnused(): void {
    if (this.#isClosing && this.#readers === 0) this.#gone.resolve(close(this.#descriptor));
  }
}

/** Both at once, without a turn of the event loop: a process that dies in between leaves an empty file. */
function openNameless(): number {
  const path = join(tmpdir(), `payments-upload-${randomUUID()}`);
  const descriptor = fs.openSync(path, 'wx+', 0o600);
  fs.unlinkSync(path);
  return descriptor;
}

/** A full disk may take a part of a chunk, and say so with the next part. */
async function writeWhole(descriptor: number, chunk: Uint8Array): Promise<void> {
  for (let rest = chunk; rest.length > 0; ) {
    const { bytesWritten } = await write(descriptor, rest);
    rest = rest.subarray(bytesWritten);
  }
}
