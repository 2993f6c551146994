import { vi } from 'vitest';
import type { Submitted } from '../../api/temporal/payment-client.ts';
import type { KnownSubscription, SubscriptionClient } from '../../api/temporal/subscription-client.ts';
import { stepSubscription } from '../../prisma/subscription-steps.ts';
import { acceptSubscription } from '../../prisma/subscriptions.ts';
import type { DueStep } from '../../workflows/domain/billing/subscription.ts';
import type { SubscriptionStep } from '../../workflows/domain/billing/subscription-act.ts';
import { failureOf, type PaymentFailureCode } from '../../workflows/domain/failure.ts';
import { type Act, subscriptionActs } from '../../workflows/subscription-acts.ts';
import type { SubscriptionAct } from '../../workflows/subscription-contract.ts';
import type { SubscriptionSnapshot } from '../../workflows/subscription-ports.ts';
import type { TestDatabase } from './database.ts';
import { insertPendingPayment } from './payment-row.ts';

/** The workflows of subscriptions, played on the database: they accept and grant as the real ones do, and nothing happens by itself. */
export interface PlayedSubscriptions {
  readonly client: SubscriptionClient;
  /** Takes the step that is due. */
  step(id: string, kind: DueStep): Promise<SubscriptionSnapshot>;
  /** Ends the charge that is on its way: paid, or declined for that reason. */
  endCharge(id: string, end: 'paid' | PaymentFailureCode): Promise<SubscriptionSnapshot>;
}

/** A client whose acts a test can count, and play otherwise. */
export function mockSubscriptions() {
  return {
    submit: vi.fn<SubscriptionClient['submit']>(),
    resumeWorkflow: vi.fn<SubscriptionClient['resumeWorkflow']>(),
    pause: vi.fn<SubscriptionClient['pause']>(),
    resume: vi.fn<SubscriptionClient['resume']>(),
    cancel: vi.fn<SubscriptionClient['cancel']>(),
    change: vi.fn<SubscriptionClient['change']>(),
    retry: vi.fn<SubscriptionClient['retry']>(),
  };
}

/** Has the mocks played, and forgets what was asked of them. */
export function playMocks(mocks: ReturnType<typeof mockSubscriptions>, { client }: PlayedSubscriptions): void {
  mocks.submit.mockReset().mockImplementation((...asked) => client.submit(...asked));
  mocks.resumeWorkflow.mockReset().mockImplementation((...asked) => client.resumeWorkflow(...asked));
  mocks.pause.mockReset().mockImplementation((...asked) => client.pause(...asked));
  mocks.resume.mockReset().mockImplementation((...asked) => client.resume(...asked));
  mocks.cancel.mockReset().mockImplementation((...asked) => client.cancel(...asked));
  mocks.change.mockReset().mockImplementation((...asked) => client.change(...asked));
  mocks.retry.mockReset().mockImplementation((...asked) => client.retry(...asked));
}

/** Plays them for one merchant after another; the merchants must exist. */
export function playSubscriptions(database: TestDatabase): PlayedSubscriptions {
  const now = () => new Date().toISOString();

  const granting =
    <Asked extends SubscriptionAct>({ name, wish }: Act<Asked>) =>
    async ({ subscriptionId, merchantId }: KnownSubscription, asked: Asked) => {
      const wishId = `${name}:${asked.key ?? ''}`;
      const { actor, reason } = asked;
      const by = { actor, origin: 'workflow', reason, fromVersion: null, wishId, updateId: null };
      const step = wish(asked);
      const answer = await stepSubscription(database.db, { ...by, subscriptionId, merchantId, step, now: now() });
      const { kind } = answer;
      return kind === 'refused' ? { kind, code: answer.code, detail: answer.detail } : ({ kind: 'stored' } as const);
    };

  async function take(id: string, step: SubscriptionStep): Promise<SubscriptionSnapshot> {
    const { merchantId } = await database.db.prisma.subscription.findUniqueOrThrow({ where: { id } });
    const by = { actor: 'workflow', origin: 'workflow', reason: null, fromVersion: null, wishId: null, updateId: null };
    return (await stepSubscription(database.db, { ...by, subscriptionId: id, merchantId, step, now: now() }))
      .subscription;
  }

  return {
    client: {
      async submit({ summary: _summary, ...subscription }): Promise<Submitted> {
        const answer = await acceptSubscription(database.db, { ...subscription, now: now() });
        return answer.kind === 'refused' ? answer : { kind: 'stored' };
      },
      resumeWorkflow: () => Promise.resolve(null),
      pause: granting(subscriptionActs.pause),
      resume: granting(subscriptionActs.resume),
      cancel: granting(subscriptionActs.cancel),
      change: granting(subscriptionActs.change),
      retry: granting(subscriptionActs.retry),
    },
    step: (id, kind) => take(id, { kind }),
    async endCharge(id, end) {
      const row = await database.db.prisma.subscription.findUniqueOrThrow({ where: { id } });
      const { chargePaymentId: paymentId, openInvoiceId, merchantId, isTest } = row;
      if (paymentId === null) throw new Error(`no charge of ${id} is on its way`);
      const of = { id: paymentId, merchant_id: merchantId, is_test: isTest };
      await insertPendingPayment(database, { ...of, subscription_id: id, invoice_id: openInvoiceId });
      const failure = end === 'paid' ? null : JSON.stringify(failureOf(end));
      await database.admin.query(
        `UPDATE payments SET version = version + 1, status = $2, failure = $3::jsonb,
           authorized_amount = CASE WHEN $2 = 'captured' THEN amount ELSE 0 END,
           captured_amount = CASE WHEN $2 = 'captured' THEN amount ELSE 0 END
         WHERE id = $1`,
        [paymentId, end === 'paid' ? 'captured' : 'failed', failure],
      );
      return take(id, { kind: 'settle_charge', paymentId });
    },
  };
}
