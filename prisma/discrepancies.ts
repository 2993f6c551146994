import { alertIdOf, auditIdOf, discrepancyIdOf } from '../workflows/domain/ids.ts';
import { type Database, run } from './database.ts';
import { type Conditions, filtered } from './filters.ts';
import type { Page } from './page.ts';
import { auditOutcomes } from './transitions.ts';

/** A provider's late word that contradicts what was settled: what was recorded of an attempt, and what it reports. */
export interface Contradiction {
  readonly merchantId: string;
  readonly isTest: boolean;
  readonly paymentId: string;
  /** The payment or the movement that it is about. */
  readonly objectId: string;
  readonly attemptId: string;
  readonly provider: string;
  readonly recorded: string;
  readonly reported: string;
  readonly amountMinor: string;
  readonly currency: string;
  /** ISO 8601. */
  readonly now: string;
}

const open = {
  name: 'open_discrepancy',
  text: `
    WITH d AS (
      INSERT INTO discrepancies (
        id, merchant_id, is_test, payment_id, object_id, attempt_id, provider, recorded, reported, amount, currency,
        opened_at)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::bigint, $11, $12)
      ON CONFLICT DO NOTHING RETURNING *
    ), alert AS (
      INSERT INTO alerts (id, merchant_id, is_test, kind, resource_id, owner_role, opened_at)
      SELECT $13, d.merchant_id, d.is_test, 'discrepancy', d.id, 'operator', d.opened_at FROM d
    )
    SELECT id FROM d`,
};

/** Writes a discrepancy with its alert, in one statement. False: this contradiction is known, be it open or closed. */
export async function openDiscrepancy(db: Database, found: Contradiction): Promise<boolean> {
  const id = discrepancyIdOf(found.attemptId, found.recorded, found.reported);
  const rows = await run(db, open, [
    id,
    found.merchantId,
    found.isTest,
    found.paymentId,
    found.objectId,
    found.attemptId,
    found.provider,
    found.recorded,
    found.reported,
    found.amountMinor,
    found.currency,
    found.now,
    alertIdOf(id),
  ]);
  return rows.length > 0;
}

/** A discrepancy as its row has it. */
export interface DiscrepancyRow {
  readonly id: string;
  readonly merchant_id: string;
  readonly is_test: boolean;
  readonly payment_id: string;
  readonly object_id: string;
  readonly attempt_id: string;
  readonly provider: string;
  readonly recorded: string;
  readonly reported: string;
  /** Minor units. */
  readonly amount: string;
  readonly currency: string;
  readonly status: DiscrepancyStatus;
  readonly closed_by: string | null;
  readonly closed_reason: string | null;
  readonly opened_at: Date;
  readonly closed_at: Date | null;
}

export const discrepancyStatuses = ['open', 'closed'] as const;

type DiscrepancyStatus = (typeof discrepancyStatuses)[number];

const columns = `
  d.id, d.merchant_id, d.is_test, d.payment_id, d.object_id, d.attempt_id, d.provider, d.recorded, d.reported,
  d.amount::text, d.currency, d.status, d.closed_by, d.closed_reason, d.opened_at, d.closed_at`;

/** Which discrepancies; what is absent does not count. */
export interface DiscrepancyFilters {
  readonly status?: DiscrepancyStatus | undefined;
}

const conditions: Conditions<DiscrepancyFilters> = { status: (mark) => `d.status = ${mark}` };

/** Discrepancies of every merchant, newest first, those behind `after` only, at most `limit`. */
export async function findDiscrepancies(
  db: Database,
  filters: DiscrepancyFilters,
  page: Page,
): Promise<DiscrepancyRow[]> {
  const own = [page.limit, ...(page.after ?? [])];
  const where = filtered(conditions, filters, own.length);
  const behind = page.after === null ? 'true' : '(d.opened_at, d.id) < ($2::timestamptz, $3)';
  const statement = {
    name: `list_discrepancies_${page.after === null ? 'first' : 'next'}_${where.name}`,
    text: `
      SELECT ${columns} FROM discrepancies d
      WHERE ${behind}${where.sql} ORDER BY d.opened_at DESC, d.id DESC LIMIT $1`,
  };
  return run<DiscrepancyRow>(db, statement, [...own, ...where.values]);
}

/** `old` takes the row's lock first, so that of several at once one closes it. */
const close = {
  name: 'close_discrepancy',
  text: `
    WITH old AS (
      SELECT * FROM discrepancies WHERE id = $1 FOR NO KEY UPDATE
    ), d AS (
      UPDATE discrepancies SET status = 'closed', closed_by = $2, closed_reason = $3, closed_at = $4
      FROM old WHERE discrepancies.id = old.id AND old.status = 'open'
      RETURNING discrepancies.*
    ), alert AS (
      UPDATE alerts SET closed_at = $4 FROM d WHERE alerts.resource_id = d.id AND alerts.closed_at IS NULL
    ), audit AS (
      INSERT INTO payment_audit_trail (
        id, event_id, merchant_id, is_test, payment_id, object_id, actor, origin, action, from_status, to_status, outcome,
        amount, currency, processor, correlation_id, details, created_at)
      SELECT $5, NULL, d.merchant_id, d.is_test, d.payment_id, d.object_id, $2, $6, 'close_discrepancy', p.status, p.status,
        $7::jsonb ->> p.status, d.amount, d.currency, d.provider, $8,
        jsonb_build_object('discrepancy_id', d.id, 'reason', d.closed_reason), $4
      FROM d JOIN payments p ON p.id = d.payment_id
    )
    SELECT ${columns} FROM d
    UNION ALL
    SELECT ${columns} FROM old d WHERE d.status <> 'open'`,
};

/**
 * Closes a discrepancy and its alert and writes an audit entry, in one statement. One that is closed stays as it is. Returns
 * the row as it is then; null: there is none.
 */
export async function closeDiscrepancy(
  db: Database,
  id: string,
  act: {
    readonly actor: string;
    readonly origin: string;
    readonly reason: string;
    readonly correlationId: string;
    /** ISO 8601. */
    readonly now: string;
  },
): Promise<DiscrepancyRow | null> {
  const [row] = await run<DiscrepancyRow>(db, close, [
    id,
    act.actor,
    act.reason,
    act.now,
    auditIdOf(id),
    act.origin,
    JSON.stringify(auditOutcomes),
    act.correlationId,
  ]);
  return row ?? null;
}
