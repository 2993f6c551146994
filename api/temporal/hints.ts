import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { payerReturned, providerEventReceived } from '../../workflows/contract.ts';
import type { MovementKind } from '../../workflows/domain/movement.ts';
import { type KnownPayment, paymentStart, refundStart, type WorkflowStart } from './workflow-starts.ts';

/** The payment, or the movement of it, that a provider's event names. */
export interface HintedSubject extends KnownPayment {
  readonly movement: { readonly id: string; readonly kind: MovementKind } | null;
}

/** What the API tells workflows without waiting for what comes of it. Hints only: all that they say is asked for again. */
export interface Hints {
  /**
   * Tells the workflow of what a provider's event is about to look, and starts it where none is open. Rejects when Temporal
   * has not taken it within moments.
   */
  tellProviderEvent(subject: HintedSubject, providerEventId: string): Promise<void>;
  /** Tells the payment's workflow, if one is open, that the payer came back. Rejects when Temporal did not take it. */
  tellPayerReturned(paymentId: string): Promise<void>;
}

const timeoutMs = 2_000;

/** Makes the hints of a Temporal client. */
export function createHints({ connection, workflow }: Client): Hints {
  const wasToldLately = rememberLately();
  const inTime = <Answer>(tell: () => Promise<Answer>) => connection.withDeadline(Date.now() + timeoutMs, tell);
  return {
    async tellProviderEvent(subject, providerEventId) {
      const { type, options } = startOf(subject);
      const signal = { signal: providerEventReceived, signalArgs: [{ providerEventId }] };
      await inTime(() => workflow.signalWithStart(type, { ...options, ...signal }));
    },

    async tellPayerReturned(paymentId) {
      if (wasToldLately(paymentId)) return;
      try {
        await inTime(() => workflow.getHandle(paymentId).signal(payerReturned));
      } catch (error) {
        if (!(error instanceof WorkflowNotFoundError)) throw error;
      }
    },
  };
}

const latelyMs = 3_000;
const rememberedMax = 10_000;

/** Whether the same id was asked about moments ago: whoever reloads a page again and again tells the workflow once. */
function rememberLately(): (id: string) => boolean {
  const seenAt = new Map<string, number>();
  return (id) => {
    const now = performance.now();
    if (now - (seenAt.get(id) ?? Number.NEGATIVE_INFINITY) < latelyMs) return true;
    seenAt.delete(id);
    seenAt.set(id, now);
    const [oldest] = seenAt.keys();
    if (oldest !== undefined && seenAt.size > rememberedMax) seenAt.delete(oldest);
    return false;
  };
}

/** Captures and voids belong to their payment's workflow; a refund has one of its own. */
function startOf({ movement, ...payment }: HintedSubject): WorkflowStart {
  if (movement?.kind !== 'refund') return paymentStart(payment);
  return refundStart({ ...payment, refundId: movement.id, amountMinor: null });
}
