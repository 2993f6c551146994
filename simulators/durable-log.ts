import type { FileHandle } from 'node:fs/promises';
import { mkdir, open, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';

const newline = 0x0a;

/** How a durable log is opened. `apply` is called once per entry, in order: for old ones at opening, for new ones
 * once they are on disk. So the state that `apply` builds never shows what a crash could take back. */
export interface DurableLogOptions<Entry> {
  readonly path: string;
  /** Throws when a stored value is not an entry. */
  readonly parse: (value: unknown) => Entry;
  readonly apply: (entry: Entry) => void;
  readonly warn: (message: string) => void;
  /** Called once when the disk refuses a write; from then on every append is refused. */
  readonly onFailure: (error: Error) => void;
}

interface Waiting<Entry> {
  readonly entry: Entry;
  readonly line: string;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** An append-only file of JSON lines with group commit: all entries that wait at one moment share a write and an
 * fsync. */
export class DurableLog<Entry> {
  private readonly options: DurableLogOptions<Entry>;
  private readonly file: FileHandle;
  private waiting: Waiting<Entry>[] = [];
  private flushing: Promise<void> | undefined;
  private refusal: Error | undefined;

  private constructor(options: DurableLogOptions<Entry>, file: FileHandle) {
    this.options = options;
    this.file = file;
  }

  /** Reads the file back (creating it when it is missing) and cuts off a torn last line. Throws when a line before
   * the last is damaged: that is no crash, and guessing would falsify the record. */
  static async open<Entry>(options: DurableLogOptions<Entry>): Promise<DurableLog<Entry>> {
    const file = await openForAppending(options.path);
    try {
      await restore(options, file);
      // What stands complete in the file may have missed its fsync before the crash; from now on it is told.
      await file.sync();
      await syncDirectory(dirname(options.path));
    } catch (error) {
      await file.close();
      throw error;
    }
    return new DurableLog(options, file);
  }

  /** Resolves when the entry is on disk and applied. Rejects when the log is closed or the disk refused. */
  append(entry: Entry): Promise<void> {
    if (this.refusal !== undefined) return Promise.reject(this.refusal);
    const line = `${JSON.stringify(entry)}\n`;
    return new Promise((resolve, reject) => {
      this.waiting.push({ entry, line, resolve, reject });
      this.flushing ??= this.flush();
    });
  }

  /** Writes what is waiting, then closes the file. */
  async close(): Promise<void> {
    this.refusal ??= new Error(`The log ${this.options.path} is closed`);
    await this.flushing;
    await this.file.close();
  }

  private async flush(): Promise<void> {
    // Leaves the current turn first, so that all calls of this turn share the batch.
    await Promise.resolve();
    while (this.waiting.length > 0) {
      const batch = this.waiting;
      this.waiting = [];
      try {
        await this.file.appendFile(batch.map((one) => one.line).join(''));
        await this.file.datasync();
      } catch (cause) {
        this.fail(batch, cause);
        return;
      }
      for (const one of batch) this.options.apply(one.entry);
      for (const one of batch) one.resolve();
    }
    this.flushing = undefined;
  }

  // After a failed write or fsync nobody knows what is on disk: the only honest way on is to read it back in a new
  // process.
  private fail(batch: readonly Waiting<Entry>[], cause: unknown): void {
    const error = new Error(`Cannot write ${this.options.path}; free the disk and start again`, { cause });
    this.refusal = error;
    for (const one of [...batch, ...this.waiting]) one.reject(error);
    this.waiting = [];
    this.options.onFailure(error);
  }
}

async function openForAppending(path: string): Promise<FileHandle> {
  try {
    await mkdir(dirname(path), { recursive: true });
    return await open(path, 'a');
  } catch (cause) {
    throw new Error(`Cannot open ${path} for writing; check the folder and its permissions`, { cause });
  }
}

async function restore<Entry>(options: DurableLogOptions<Entry>, file: FileHandle): Promise<void> {
  const bytes = await readFile(options.path);
  const end = bytes.lastIndexOf(newline) + 1;
  if (end < bytes.length) {
    options.warn(`${options.path}: cut off a torn last line of ${bytes.length - end} bytes (nobody was told of it)`);
    await file.truncate(end);
  }
  let start = 0;
  for (let number = 1; start < end; number += 1) {
    const stop = bytes.indexOf(newline, start);
    const line = bytes.toString('utf8', start, stop);
    try {
      options.apply(options.parse(JSON.parse(line)));
    } catch (cause) {
      throw new Error(`${options.path} is damaged at line ${number}; restore it from a copy or move it away`, {
        cause,
      });
    }
    start = stop + 1;
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  await directory.sync();
  await directory.close();
}
