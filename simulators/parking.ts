import { z } from 'zod';

/** The body of `PUT /park/{provider}`: hold the calls of a reference, or all calls when none is named. */
export const parkSchema = z.strictObject({
  operation: z.literal('charge'),
  point: z.enum(['before_commit', 'after_commit']),
  reference: z.string().min(1).max(255).optional(),
});
/** Where and whom to hold. */
export type Park = z.infer<typeof parkSchema>;
/** A point in the life of a call at which it can be held. */
export type ParkingPoint = Park['point'];

/** A call that is held, as `GET /park/{provider}` shows it. */
export interface ParkedCall {
  readonly operation: 'charge';
  readonly point: ParkingPoint;
  readonly reference: string;
  readonly idempotency_key: string;
  readonly since: string;
}

interface Held {
  readonly call: ParkedCall;
  readonly release: () => void;
}

/** Holds calls of one provider at a point until they are released, in memory only. A held call goes on when it is
 * released, whether its client still waits or not. */
export class Parking {
  private parks: Park[] = [];
  private readonly held = new Set<Held>();
  private readonly stopping: AbortSignal;

  /** Calls that are still held when `stopping` fires end there, as in a crash. */
  constructor(stopping: AbortSignal) {
    this.stopping = stopping;
  }

  /** Adds a park beside those that stand; the same one twice is one. */
  add(park: Park): void {
    const isKnown = this.parks.some((one) => one.point === park.point && one.reference === park.reference);
    if (!isKnown) this.parks.push(park);
  }

  /** Resolves at once, or when the call is released from the park that holds it here. */
  async pass(point: ParkingPoint, call: { readonly reference: string; readonly key: string }): Promise<void> {
    const holds = (park: Park) =>
      park.point === point && (park.reference === undefined || park.reference === call.reference);
    if (!this.parks.some(holds)) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const held: Held = {
      call: {
        operation: 'charge',
        point,
        reference: call.reference,
        idempotency_key: call.key,
        since: new Date().toISOString(),
      },
      release: resolve,
    };
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
    const isMeant = (one: { readonly reference?: string | undefined }) =>
      reference === undefined || one.reference === reference;
    this.parks = this.parks.filter((park) => !isMeant(park));
    for (const held of this.held) if (isMeant(held.call)) held.release();
  }

  /** The parks, and the calls that are held, oldest first. */
  report(): { readonly parks: readonly Park[]; readonly parked: readonly ParkedCall[] } {
    return { parks: [...this.parks], parked: [...this.held].map((held) => held.call) };
  }
}
