import type { BatchError } from '../../prisma/batches.ts';

/** A place in a file, as an editor shows it: from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** A row as it was read from a file, before anybody judged what it says. */
export interface FileRow {
  /** Of the row in the file, from 1: the header does not count. */
  readonly number: number;
  /** Where it begins. */
  readonly line: number;
  /** What the row says, as a request's body would; null: it cannot be read, and `errors` say why. */
  readonly body: Readonly<Record<string, unknown>> | null;
  readonly errors: readonly BatchError[];
  /** Where the member at a JSON pointer stands. */
  at(pointer: string): Place;
}

/** A file holds a card number: nothing of it may be kept. */
export class CardNumberInFile extends Error {
  override readonly name = 'CardNumberInFile';
  readonly line: number;
  readonly column: number;

  constructor({ line, column }: Place) {
    super('holds a card number');
    this.line = line;
    this.column = column;
  }
}
