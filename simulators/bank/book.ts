import { z } from 'zod';
import { DurableLog } from '../durable-log.ts';
import type { Account } from './accounts.ts';
import { Accounts } from './accounts.ts';
import type { Movement, MovementOrder } from './movement.ts';
import { movementOrderSchema, movementSchema } from './movement.ts';

const entrySchema = z.strictObject({
  movement: movementSchema.optional(),
  memo: z.strictObject({ provider: z.string().min(1), value: z.unknown() }).optional(),
});

type Entry = z.infer<typeof entrySchema>;

/** What a face wants to keep in the same record as its movement: no crash can part the two. */
export interface Memo {
  readonly provider: string;
  readonly value: unknown;
}

/** How a book is opened. `onMemo` sees every memo once, in order, at opening and later, when it is on disk. */
export interface BookOptions {
  readonly path: string;
  readonly onMemo: (memo: Memo) => void;
  readonly warn: (message: string) => void;
  readonly onFailure: (error: Error) => void;
}

/** The bank's book. It commits what it is asked to and recognizes no duplicates: a face that charges twice is seen as
 * two movements. What it shows is on disk. */
export class Book {
  private readonly movements: Movement[] = [];
  private readonly balances = new Accounts();
  private log: DurableLog<Entry> | undefined;
  private lastSeq = 0;

  private constructor() {}

  /** Reads the book back or begins a new one. Throws when the file is damaged. */
  static async open(options: BookOptions): Promise<Book> {
    const book = new Book();
    book.log = await DurableLog.open<Entry>({
      path: options.path,
      parse: (value) => entrySchema.parse(value),
      apply: (entry) => {
        if (entry.movement !== undefined) book.apply(entry.movement);
        if (entry.memo !== undefined) options.onMemo(entry.memo);
      },
      warn: options.warn,
      onFailure: options.onFailure,
    });
    book.lastSeq = book.movements.length;
    return book;
  }

  /** Resolves when the movement (if any) and the memo are on disk together. Throws on an invalid order. */
  async commit(record: { readonly movement?: MovementOrder; readonly memo: Memo }): Promise<void> {
    if (this.log === undefined) throw new Error('The book is not open');
    const memo = { provider: record.memo.provider, value: record.memo.value };
    if (record.movement === undefined) {
      await this.log.append({ memo });
      return;
    }
    const order = movementOrderSchema.parse(record.movement);
    this.lastSeq += 1;
    const movement: Movement = { seq: this.lastSeq, at: new Date().toISOString(), ...order, state: 'committed' };
    await this.log.append({ movement, memo });
  }

  /** The movements with a higher `seq`, in order; those of one reference when it is given. */
  movementsAfter(seq: number, reference?: string): Movement[] {
    const later = this.movements.slice(seq);
    return reference === undefined ? later : later.filter((movement) => movement.reference === reference);
  }

  /** All accounts with their balances. */
  accounts(): Account[] {
    return this.balances.list();
  }

  /** Writes what is under way and closes the file. */
  async close(): Promise<void> {
    await this.log?.close();
  }

  private apply(movement: Movement): void {
    if (movement.seq !== this.movements.length + 1) {
      throw new Error(`Movement ${movement.seq} follows movement ${this.movements.length}: the book has a gap`);
    }
    this.movements.push(movement);
    this.balances.apply(movement);
  }
}
