import type { Book } from '../bank/book.ts';
import type { Events } from '../face/events.ts';
import type { Face } from '../face/face.ts';
import type { Turns } from '../face/turns.ts';
import type { Charges } from './charges.ts';

/** What the EasyPay face works with. */
export interface EasyPay {
  readonly face: Face;
  readonly apiKey: string;
  /** Where payers' browsers reach the face, without a slash at its end. */
  readonly publicUrl: string;
  readonly book: Book;
  readonly charges: Charges;
  /** One turn per charge, under its id: what the rules allowed still holds when it is stored. */
  readonly turns: Turns;
  readonly events: Events;
}
