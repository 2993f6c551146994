import { z } from 'zod';
import type { Operations } from './faults.ts';
import { requireOperation } from './faults.ts';

/** The body of `PUT /park/{face}`: hold the calls of a reference, or all calls when none is named. */
export const parkSchema = z.strictObject({
  operation: z.string().min(1),
  point: z.enum(['before_commit', 'after_commit']),
  reference: z.string().min(1).max(255).optional(),
});
/** What, where and whom to hold. */
export type Park = z.infer<typeof parkSchema>;
/** A point in the life of a call at which it can be held. For a call that only reads, the commit is the reading. */
export type ParkingPoint = Park['point'];

/** What a call is, as parks know it: `reference` is our resource, `key` our idempotency key; null where it has none. */
export interface ParkableCall {
  readonly operation: string;
  readonly reference: string | null;
  readonly key: string | null;
}

/** A call that is held, as `GET /park/{face}` shows it. */
export interface ParkedCall {
  readonly operation: string;
  readonly point: ParkingPoint;
  readonly reference: string | null;
  readonly idempotency_key: string | null;
  readonly since: string;
}

interface Held {
  readonly call: ParkedCall;
  readonly release: () => void;
}

/** Holds calls of one face at a point until they are released, in memory only. A held call goes on when it is
 * released, whether its client still waits or not. */
export class Parking {
  private readonly operations: Operations;
  private readonly stopping: AbortSignal;
  private parks: Park[] = [];
  private readonly held = new Set<Held>();

  /** Calls that are still held when `stopping` fires end there, as in a crash. */
  constructor(operations: Operations, stopping: AbortSignal) {
    this.operations = operations;
    this.stopping = stopping;
  }

  /** Adds a park beside those that stand; the same one twice is one. Throws a 422 on an unknown operation. */
  add(park: Park): void {
    requireOperation(this.operations, park.operation, 'operation');
    const isKnown = this.parks.some(
      (one) => one.operation === park.operation && one.point === park.point && one.reference === park.reference,
    );
    if (!isKnown) this.parks.push(park);
  }

  /** Resolves at once, or when the call is released from the park that holds it here. */
  async pass(point: ParkingPoint, { operation, reference, key }: ParkableCall): Promise<void> {
    const holds = (park: Park) =>
      park.operation === operation &&
      park.point === point &&
      (park.reference === undefined || park.reference === reference);
    if (!this.parks.some(holds)) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const since = new Date().toISOString();
    const held: Held = { call: { operation, point, reference, idempotency_key: key, since }, release: resolve };
    const stop = () => reject(this.stopping.reason);
    this.stopping.throwIfAborted();
    this.stopping.addEventListener('abort', stop, { once: true });
    this.held.add(held);
    try {
      await promise;
    } finally {
      this.held.delete(held);
      this.stopping.removeEventListener('abort', stop);
    }
  }

  /** Removes the parks and lets their calls go on; with a reference only those of the reference. */
  release(reference?: string): void {
    const isMeant = (one: { readonly reference?: string | null | undefined }) =>
      reference === undefined || one.reference === reference;
    this.parks = this.parks.filter((park) => !isMeant(park));
    for (const held of this.held) if (isMeant(held.call)) held.release();
  }

  /** The parks, and the calls that are held, oldest first. */
  report(): { readonly parks: readonly Park[]; readonly parked: readonly ParkedCall[] } {
    return { parks: [...this.parks], parked: [...this.held].map((held) => held.call) };
  }
}
