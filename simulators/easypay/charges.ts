import type { Book } from '../bank/book.ts';
import type { Charge, ChargeRequest, StoredCharge } from './charge.ts';
import { approveCharge, isSameRequest, movementOf, storedChargeSchema } from './charge.ts';

/** What a key stands for when a request comes with it. */
export type KeyStanding =
  | { readonly kind: 'new' }
  | { readonly kind: 'stored'; readonly charge: Charge }
  | { readonly kind: 'reused' }
  | { readonly kind: 'in_progress' };

/** EasyPay's charges. What it shows is on disk: it is fed by the bank's book, which keeps each charge in the same
 * record as its movement, so that a crash cannot leave one without the other. Keys in progress are in memory only. */
export class Charges {
  private readonly byKey = new Map<string, StoredCharge>();
  private readonly keysByReference = new Map<string, string[]>();
  private readonly inProgress = new Map<string, ChargeRequest>();

  /** Takes in what the book kept. */
  apply(memo: unknown): void {
    const stored = storedChargeSchema.parse(memo);
    const { idempotency_key: key, reference } = stored.charge;
    if (!this.byKey.has(key)) {
      const keys = this.keysByReference.get(reference);
      if (keys === undefined) this.keysByReference.set(reference, [key]);
      else keys.push(key);
    }
    this.byKey.set(key, stored);
  }

  /** What the key stands for, for this request. */
  standingOf(key: string, request: ChargeRequest): KeyStanding {
    const stored = this.byKey.get(key);
    const earlier = this.inProgress.get(key) ?? stored?.request;
    if (earlier === undefined) return { kind: 'new' };
    if (!isSameRequest(earlier, request)) return { kind: 'reused' };
    if (this.inProgress.has(key) || stored === undefined) return { kind: 'in_progress' };
    return { kind: 'stored', charge: stored.charge };
  }

  /** Holds the key while the work runs, also past its commit until it ends. */
  async whileReserved(key: string, request: ChargeRequest, work: () => Promise<void>): Promise<void> {
    this.inProgress.set(key, request);
    try {
      await work();
    } finally {
      this.inProgress.delete(key);
    }
  }

  /** All charges under a reference, oldest first. */
  withReference(reference: string): Charge[] {
    const stored = (this.keysByReference.get(reference) ?? []).map((key) => this.byKey.get(key));
    return stored.flatMap((one) => (one === undefined ? [] : [one.charge]));
  }

  /** All charges that wait for their approval. */
  pending(): StoredCharge[] {
    return [...this.byKey.values()].filter((stored) => stored.charge.status === 'pending');
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
