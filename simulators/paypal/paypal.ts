import type { Book } from '../bank/book.ts';
import type { Events } from '../face/events.ts';
import type { Face } from '../face/face.ts';
import type { Turns } from '../face/turns.ts';
import type { Orders } from './orders.ts';
import type { AccessTokens } from './tokens.ts';
import type { Transmissions } from './transmissions.ts';

/** What the PayPal face works with. */
export interface PayPal {
  readonly face: Face;
  /** The one client it knows. */
  readonly client: { readonly id: string; readonly secret: string } | undefined;
  readonly book: Book;
  readonly orders: Orders;
  readonly tokens: AccessTokens;
  /** One turn per order, under its id: what the rules allowed still holds when it is stored. */
  readonly turns: Turns;
  readonly transmissions: Transmissions;
  readonly events: Events;
}
