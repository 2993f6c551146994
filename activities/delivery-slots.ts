/** A patient try: twice as long as a dispatcher's, because nobody waits behind it. */
export const patientTryTimeoutMs = 10_000;

/** However long the wait: what is not delivered is seen to at least so often. The dispatcher counts on it, see there. */
export const retryDelayMaxMs = 3_600_000;

/** So many repeats may run at a time at one receiver: one that hangs holds as many slots and connections, no more. */
const perReceiverMax = 4;
/** Slots of a receiver that hangs become free at this pace: whoever comes faster comes in vain. */
const paceMs = patientTryTimeoutMs / perReceiverMax;

/** `taken`: give it back in the end. `full`: come back after so long; not a try. */
type Slot = { readonly kind: 'taken'; giveBack(): void } | { readonly kind: 'full'; readonly waitMs: number };

/**
 * The repeats that run in this process, counted per receiver. Those that find no slot are sent away for a few seconds, and
 * for longer the more of them there are, so that a crowd of thousands does not come back all the time.
 */
export class DeliverySlots {
  readonly #receivers = new Map<string, { taken: number; lastBackAt: number }>();

  take(receiver: string, now = Date.now(), random: () => number = Math.random): Slot {
    const known = this.#receivers.get(receiver) ?? { taken: 0, lastBackAt: 0 };
    if (known.taken >= perReceiverMax) {
      known.lastBackAt = Math.min(Math.max(known.lastBackAt, now) + paceMs, now + retryDelayMaxMs - paceMs);
      return { kind: 'full', waitMs: Math.round(known.lastBackAt - now + random() * paceMs) };
    }
    known.taken += 1;
    this.#receivers.set(receiver, known);
    return { kind: 'taken', giveBack: () => this.#giveBack(receiver, known) };
  }

  #giveBack(receiver: string, known: { taken: number }): void {
    known.taken -= 1;
    if (known.taken === 0) this.#receivers.delete(receiver);
  }
}
