import type { PoolClient } from 'pg';
import { callApi } from '../test/support/api-call.ts';
import { aPayment } from '../test/support/api-client.ts';
import type { TestMerchant, World } from '../test/support/world.ts';

/** Every customer has so many seeded payments, however many there are in all: lists have the same length at every size. */
export const customerSize = 50;

/** The customer of the seeded payments from `group * customerSize` on. */
export function customerIdOf(group: number): string {
  return `cus_${group}`;
}

/** One merchant, who has most of the payments in the database. */
export interface Crowd {
  readonly merchant: TestMerchant;
  /** How many of the payments are seeded. */
  readonly seeded: number;
  /** Stores so many payments more that the database holds `size` of them. */
  fill(size: number): Promise<void>;
}

/** A merchant with nothing yet but the payments that are to be copied. */
export async function createCrowd(world: World): Promise<Crowd> {
  const merchant = await world.createMerchant();
  const templates = await makeTemplates(world, merchant);
  let seeded = 0;
  return {
    merchant,
    get seeded() {
      return seeded;
    },
    async fill(size) {
      const to = seeded + Math.max(0, size - (await countPayments(world)));
      await seedPayments(world, merchant, templates, { from: seeded, to });
      seeded = to;
    },
  };
}

/** Payments that the product made, to be copied: every tenth seeded one is declined. */
interface Templates {
  readonly captured: string;
  readonly declined: string;
}

async function makeTemplates(world: World, merchant: TestMerchant): Promise<Templates> {
  const make = async (cardToken: string, status: string) => {
    const body = aPayment({ card_token: cardToken, customer_id: 'template' });
    const request = { method: 'POST', path: '/api/v1/payments', body };
    type Made = { data: { id: string; status: string } };
    const answer = await callApi<Made>(world.apiUrl, merchant.testKey, request);
    if (answer.body.data?.status !== status) throw new Error(`no payment to copy: ${JSON.stringify(answer.body)}`);
    return answer.body.data.id;
  };
  return {
    captured: await make('tok_visa_4242', 'captured'),
    declined: await make('tok_visa_declined_0002', 'failed'),
  };
}

const prepare = `
  SET LOCAL session_replication_role = replica;
  CREATE TEMP TABLE seeded (
    n int, template text, shift interval, id text, customer_id text, correlation_id text) ON COMMIT DROP;
  CREATE OR REPLACE FUNCTION pg_temp.derived(prefix text, parts text) RETURNS text LANGUAGE sql IMMUTABLE AS
    $$ SELECT prefix || '_' || left(encode(sha256(convert_to(prefix || parts, 'UTF8')), 'hex'), 26) $$`;

/** What the copies will be. They lie one second apart, the last one ten days ago or earlier. */
const plan = `
  INSERT INTO seeded
  SELECT n, t.id, now() - t.created_at - interval '10 days' - (1000000 - n) * interval '1 second',
    pg_temp.derived('pay', $5 || ':' || n), 'cus_' || n / ${customerSize}, pg_temp.derived('req', $5 || ':' || n)
  FROM generate_series($1::int, $2::int - 1) n JOIN payments t ON t.id = CASE WHEN n % 10 = 0 THEN $4 ELSE $3 END`;

/** Each row is its template's (`t`), but for these columns. */
const copies = [
  `INSERT INTO payments
   SELECT copy.* FROM seeded s JOIN payments t ON t.id = s.template,
     LATERAL jsonb_populate_record(t, jsonb_build_object(
       'id', s.id, 'external_id', s.id, 'idempotency_key', gen_random_uuid(), 'correlation_id', s.correlation_id,
       'customer_id', s.customer_id, 'processor_transaction_id', t.processor_transaction_id || '_' || s.n,
       'expires_at', t.expires_at + s.shift, 'ask_until', t.ask_until + s.shift, 'created_at', t.created_at + s.shift,
       'updated_at', t.updated_at + s.shift, 'processed_at', t.processed_at + s.shift)) copy
   ORDER BY s.n`,
  `INSERT INTO attempts
   SELECT copy.* FROM seeded s JOIN attempts t ON t.payment_id = s.template,
     LATERAL jsonb_populate_record(t, jsonb_build_object(
       'id', pg_temp.derived('att', s.id || t.operation || t.number), 'payment_id', s.id,
       'outcome', jsonb_set(t.outcome, '{response,transactionId}',
         to_jsonb((t.outcome #>> '{response,transactionId}') || '_' || s.n)),
       'sent_at', t.sent_at + s.shift, 'send_before', t.send_before + s.shift, 'created_at', t.created_at + s.shift,
       'updated_at', t.updated_at + s.shift)) copy
   ORDER BY s.n`,
  `INSERT INTO events
   SELECT copy.* FROM (
     SELECT s, t FROM seeded s JOIN events t ON t.object_id = s.template ORDER BY s.n, t.sequence
   ) ordered (s, t),
     LATERAL jsonb_populate_record(t, jsonb_build_object(
       'id', pg_temp.derived('evt', (s).id || (t).sequence), 'object_id', (s).id, 'correlation_id', (s).correlation_id,
       'data', (t).data || jsonb_build_object('id', (s).id, 'external_id', (s).id,
         'processor_transaction_id', ((t).data ->> 'processor_transaction_id') || '_' || (s).n),
       'created_at', (t).created_at + (s).shift,
       'transaction_id', pg_current_xact_id()::text, 'position', nextval('events_position_seq'))) copy`,
  `INSERT INTO payment_audit_trail
   SELECT copy.* FROM seeded s JOIN payment_audit_trail t ON t.payment_id = s.template JOIN events e ON e.id = t.event_id,
     LATERAL jsonb_populate_record(t, jsonb_build_object(
       'id', pg_temp.derived('aud', s.id || e.sequence), 'event_id', pg_temp.derived('evt', s.id || e.sequence),
       'payment_id', s.id, 'correlation_id', s.correlation_id, 'created_at', t.created_at + s.shift)) copy
   ORDER BY s.n, e.sequence`,
];

/**
 * Stores the merchant's payments of the numbers from `from` until before `to`, each with its attempts, events and audit
 * entries: copies of the templates, row by row, with ids, keys, customers and times of their own. Triggers are left out,
 * as the copied rows have passed them. Ends when Postgres has tidied up, so that it does not do so in the next round.
 */
async function seedPayments(
  world: World,
  merchant: TestMerchant,
  templates: Templates,
  { from, to }: { readonly from: number; readonly to: number },
): Promise<void> {
  const client = await world.admin.connect();
  try {
    await seed(client, [from, to, templates.captured, templates.declined, merchant.id]);
    await client.query('VACUUM (ANALYZE)');
    await client.query('CHECKPOINT');
  } finally {
    client.release();
  }
}

async function seed(client: PoolClient, values: readonly (string | number)[]): Promise<void> {
  await client.query('BEGIN');
  try {
    await client.query(prepare);
    await client.query(plan, [...values]);
    await client.query('ANALYZE seeded');
    for (const copy of copies) await client.query(copy);
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  }
}

/** How many payments the database holds, of whomever. */
export async function countPayments(world: World): Promise<number> {
  const { rows } = await world.admin.query<{ count: number }>('SELECT count(*)::int AS count FROM payments');
  return rows[0]?.count ?? 0;
}
