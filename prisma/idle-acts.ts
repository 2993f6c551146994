import type { SubscriptionActRefusal } from '../workflows/domain/billing/subscription-act.ts';
import { actEventIdOf, auditIdOf } from '../workflows/domain/ids.ts';
import type { SubscriptionStepInput } from '../workflows/subscription-ports.ts';
import { type Database, run } from './database.ts';

/** An act that was not done, as its caller was told. */
export interface RefusedAct {
  readonly code: SubscriptionActRefusal;
  readonly detail: string;
}

type Asked = Pick<SubscriptionStepInput, 'subscriptionId' | 'merchantId' | 'actor' | 'origin' | 'now'>;

const select = {
  name: 'select_refused_act',
  text: `SELECT details FROM payment_audit_trail WHERE id = $1 AND merchant_id = $2`,
};

/** How the act of an update was refused before; null: it was not. */
export async function findRefusedAct(
  db: Database,
  { subscriptionId, merchantId }: Asked,
  updateId: string,
): Promise<RefusedAct | null> {
  const [row] = await run<{ details: RefusedAct }>(db, select, [idOf(subscriptionId, updateId), merchantId]);
  return row?.details ?? null;
}

/** They have no event, as nothing happened: the audit trail alone knows them. */
const insert = {
  name: 'insert_idle_act',
  text: `
    INSERT INTO payment_audit_trail (
      id, event_id, merchant_id, is_test, payment_id, object_id, actor, origin, action, from_status, to_status, outcome,
      amount, currency, correlation_id, details, created_at)
    SELECT $1, NULL, s.merchant_id, s.is_test, NULL, s.id, $4, $5, $6, s.status, s.status, $7, s.amount,
      s.currency, s.correlation_id, $8::jsonb, COALESCE(k.now, $9::timestamptz)
    FROM subscriptions s LEFT JOIN test_clocks k ON k.id = s.test_clock_id
    WHERE s.id = $2 AND s.merchant_id = $3
    ON CONFLICT DO NOTHING`,
};

/**
 * Writes down that the act of an update was refused, in the audit trail. A reset of the workflow brings the same update again, to
 * another row perhaps: it is refused again then, as its caller was told. A caller's own repeat is another update, and judged anew.
 */
export async function keepRefusedAct(
  db: Database,
  asked: Asked,
  updateId: string,
  kind: string,
  { code, detail }: RefusedAct,
): Promise<void> {
  await keep(db, asked, idOf(asked.subscriptionId, updateId), kind, 'Subscription Failed', { code, detail });
}

/**
 * Writes down that a wish was granted which had nothing to change, under the id that the entry of a change would have: `is_done` of
 * `loadSubscription` finds it. Brought again later, to another row perhaps, it changes nothing then either.
 */
export async function keepIdleWish(db: Database, asked: Asked, wishEventId: string, kind: string): Promise<void> {
  await keep(db, asked, auditIdOf(wishEventId), kind, 'Subscription Successful', {});
}

async function keep(
  db: Database,
  { subscriptionId, merchantId, actor, origin, now }: Asked,
  id: string,
  kind: string,
  outcome: string,
  details: object,
): Promise<void> {
  const action = `${kind}_subscription`;
  const values = [id, subscriptionId, merchantId, actor, origin, action, outcome, JSON.stringify(details), now];
  await run(db, insert, values);
}

function idOf(subscriptionId: string, updateId: string): string {
  return auditIdOf(actEventIdOf(subscriptionId, `refused ${updateId}`));
}
