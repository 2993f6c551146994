import type { Book } from '../bank/book.ts';
import { Keys } from '../face/keys.ts';
import type { Charge, ChargeRequest, StoredCharge } from './charge.ts';
import { approveCharge, movementOf, storedChargeSchema } from './charge.ts';

/** EasyPay's charges. What it shows is on disk: it is fed by the bank's book, which keeps each charge in the same
 * record as its movement, so that a crash cannot leave one without the other. */
export class Charges {
  /** The idempotency keys; EasyPay honors them for as long as it keeps its charges. */
  readonly keys = new Keys<ChargeRequest, Charge>();
  private readonly byId = new Map<string, StoredCharge>();
  private readonly idsByReference = new Map<string, Set<string>>();

  /** Takes in what the book kept. */
  apply(memo: unknown): void {
    const stored = storedChargeSchema.parse(memo);
    const { charge, request } = stored;
    this.byId.set(charge.id, stored);
    this.keys.keep(charge.idempotency_key, request, charge, charge.created_at);
    const ids = this.idsByReference.get(charge.reference);
    if (ids === undefined) this.idsByReference.set(charge.reference, new Set([charge.id]));
    else ids.add(charge.id);
  }

  /** All charges under a reference, oldest first. */
  withReference(reference: string): Charge[] {
    const stored = [...(this.idsByReference.get(reference) ?? [])].map((id) => this.byId.get(id));
    return stored.flatMap((one) => (one === undefined ? [] : [one.charge]));
  }

  /** All charges that wait for their approval. */
  pending(): StoredCharge[] {
    return [...this.byId.values()].filter((stored) => stored.charge.status === 'pending');
  }

  /** Resolves when the charge is on disk, together with its movement if it is approved. */
  async store(book: Book, stored: StoredCharge): Promise<void> {
    const memo = { provider: 'easypay', value: stored };
    const { charge } = stored;
    await book.commit(charge.status === 'approved' ? { movement: movementOf(charge), memo } : { memo });
  }

  /** Approves a pending charge; its movement is committed with it. */
  async approve(book: Book, stored: StoredCharge): Promise<void> {
    await this.store(book, { ...stored, charge: approveCharge(stored.charge) });
  }
}
