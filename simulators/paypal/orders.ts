import type { Book } from '../bank/book.ts';
import { Keys } from '../face/keys.ts';
import type { CapturedOrder, OrderRequest, StoredOrder } from './order.ts';
import { completeCapture, movementOf, storedOrderSchema } from './order.ts';

// PayPal's documented time for request ids of orders.
const requestIdWindowMs = 6 * 3_600_000;

/** PayPal's orders. What it shows is on disk: it is fed by the bank's book, which keeps each order, and its capture in
 * the same record as its movement. */
export class Orders {
  /** The request ids of creations, with the id of the order that each made. */
  readonly creations = new Keys<OrderRequest, string>(requestIdWindowMs);
  /** The request ids of captures, with the id of the order that each captured. */
  readonly captures = new Keys<string, string>(requestIdWindowMs);
  private readonly byId = new Map<string, StoredOrder>();

  /** Takes in what the book kept. */
  apply(memo: unknown): void {
    const order = storedOrderSchema.parse(memo);
    const { id, request_id: requestId, request, created_at: at, capture } = order;
    this.byId.set(id, order);
    if (capture === undefined) this.creations.keep(requestId, request, id, at);
    else this.captures.keep(capture.request_id, id, id, capture.created_at);
  }

  /** The order with this id. */
  get(id: string): StoredOrder | undefined {
    return this.byId.get(id);
  }

  /** All orders whose capture is not completed yet. */
  pending(): CapturedOrder[] {
    return [...this.byId.values()].filter(isCaptured).filter((order) => order.capture.status === 'PENDING');
  }

  /** Resolves when the order is on disk, together with its movement if it has a completed capture. */
  async store(book: Book, order: StoredOrder): Promise<void> {
    const memo = { provider: 'paypal', value: order };
    const isPaid = isCaptured(order) && order.capture.status === 'COMPLETED';
    await book.commit(isPaid ? { movement: movementOf(order), memo } : { memo });
  }

  /** Completes a pending capture; its movement is committed with it. */
  async complete(book: Book, order: CapturedOrder): Promise<void> {
    await this.store(book, completeCapture(order));
  }
}

function isCaptured(order: StoredOrder): order is CapturedOrder {
  return order.capture !== undefined;
}
