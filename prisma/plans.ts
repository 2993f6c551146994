import type { IntervalUnit } from '../workflows/domain/billing/calendar.ts';
import type { PlanTerms } from '../workflows/domain/billing/subscription.ts';
import { type Database, run } from './database.ts';
import { type Conditions, filtered } from './filters.ts';
import type { Prisma } from './generated/client.ts';
import type { Page } from './page.ts';
import type { MerchantScope } from './payments.ts';
import { planTermsOf } from './subscription-row.ts';

/** Whether a plan can be subscribed to; an archived one goes on for those who have it. */
export type PlanStatus = 'active' | 'archived';

/** What a version of a plan says, as its row has it. */
export interface PlanVersionRow {
  readonly version: number;
  /** Minor units. */
  readonly amount: string;
  readonly currency: string;
  readonly interval_unit: IntervalUnit;
  readonly interval_count: number;
  readonly trial_days: number;
  /** Minor units. */
  readonly sign_up_fee: string;
  /** How many periods are billed; null: without end. */
  readonly cycles: number | null;
  readonly version_created_at: Date;
}

/** A plan with its newest version. */
export interface PlanRow extends PlanVersionRow {
  readonly id: string;
  readonly is_test: boolean;
  readonly request_hash: string;
  readonly external_id: string | null;
  readonly name: string;
  readonly description: string | null;
  readonly status: PlanStatus;
  readonly metadata: Readonly<Record<string, string>>;
  readonly created_at: Date;
  readonly updated_at: Date;
}

const versionColumns = `
  v.version, v.amount::text, v.currency, v.interval_unit, v.interval_count, v.trial_days, v.sign_up_fee::text, v.cycles,
  v.created_at AS version_created_at`;

const columns = `
  p.id, p.is_test, p.request_hash, p.external_id, p.name, p.description, p.status, p.metadata, p.created_at, p.updated_at,
  ${versionColumns}`;

/** What a period costs and how long it is. Amounts are minor units. */
export interface NewTerms {
  readonly amountMinor: bigint;
  readonly currency: string;
  readonly intervalUnit: IntervalUnit;
  readonly intervalCount: number;
  readonly trialDays: number;
  readonly signUpFeeMinor: bigint;
  readonly cycles: number | null;
}

/** A plan to make. */
export interface NewPlan {
  readonly id: string;
  readonly idempotencyKey: string;
  readonly requestHash: string;
  readonly externalId: string | null;
  readonly name: string;
  readonly description: string | null;
  readonly metadata: Readonly<Record<string, string>>;
  readonly terms: NewTerms;
  /** ISO 8601. */
  readonly now: string;
}

/**
 * `existing`: this id has a row already, perhaps of another request. `external_id_taken`: nothing was stored, as another plan
 * of the merchant has the external id.
 */
export type MadePlan =
  | { readonly kind: 'made' | 'existing'; readonly plan: PlanRow }
  | { readonly kind: 'external_id_taken' };

const insert = {
  name: 'insert_plan',
  text: `
    WITH p AS (
      INSERT INTO plans (
        id, merchant_id, is_test, idempotency_key, request_hash, external_id, name, description, metadata, created_at, updated_at)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::jsonb, $10, $10)
      ON CONFLICT DO NOTHING RETURNING *
    ), v AS (
      INSERT INTO plan_versions (
        plan_id, version, amount, currency, interval_unit, interval_count, trial_days, sign_up_fee, cycles, created_at)
      SELECT p.id, p.version, $11::bigint, $12, $13, $14::int, $15::int, $16::bigint, $17::int, p.created_at FROM p
      RETURNING *
    )
    SELECT ${columns} FROM p JOIN v ON v.plan_id = p.id`,
};

/** Makes a plan of this merchant in this mode with its first version, unless the id or the external id is there already. */
export async function makePlan(db: Database, scope: MerchantScope, plan: NewPlan): Promise<MadePlan> {
  const { terms } = plan;
  const [made] = await run<PlanRow>(db, insert, [
    plan.id,
    scope.merchantId,
    scope.isTest,
    plan.idempotencyKey,
    plan.requestHash,
    plan.externalId,
    plan.name,
    plan.description,
    JSON.stringify(plan.metadata),
    plan.now,
    terms.amountMinor.toString(),
    terms.currency,
    terms.intervalUnit,
    terms.intervalCount,
    terms.trialDays,
    terms.signUpFeeMinor.toString(),
    terms.cycles,
  ]);
  if (made !== undefined) return { kind: 'made', plan: made };
  const existing = await findPlan(db, scope, plan.id);
  return existing === null ? { kind: 'external_id_taken' } : { kind: 'existing', plan: existing };
}

/** The plan $3 of a merchant in a mode, with version $4, or with its newest one where that is null. */
const select = {
  name: 'select_plan',
  text: `
    SELECT ${columns} FROM plans p JOIN plan_versions v ON v.plan_id = p.id AND v.version = COALESCE($4::int, p.version)
    WHERE p.merchant_id = $1 AND p.is_test = $2 AND p.id = $3`,
};

/** A plan of this merchant in this mode with its newest version, or null. */
export async function findPlan(
  db: Database,
  { merchantId, isTest }: MerchantScope,
  planId: string,
): Promise<PlanRow | null> {
  const [row] = await run<PlanRow>(db, select, [merchantId, isTest, planId, null]);
  return row ?? null;
}

/** What a version of a plan says (null: the newest one), and whether the plan can be subscribed to; null: there is none. */
export async function findPlanTerms(
  db: Database,
  { merchantId, isTest }: MerchantScope,
  planId: string,
  version: number | null,
): Promise<{ readonly terms: PlanTerms; readonly status: PlanStatus } | null> {
  const [row] = await run<PlanRow>(db, select, [merchantId, isTest, planId, version]);
  return row === undefined ? null : { terms: planTermsOf({ ...row, plan_id: row.id }), status: row.status };
}

const selectSome = {
  name: 'select_plans',
  text: `
    SELECT ${columns} FROM plans p JOIN plan_versions v ON v.plan_id = p.id AND v.version = p.version
    WHERE p.merchant_id = $1 AND p.is_test = $2 AND p.id = ANY ($3)`,
};

/** The same of the newest versions of those of these plans that are there, by id. */
export async function findNewestTerms(
  db: Database,
  { merchantId, isTest }: MerchantScope,
  planIds: readonly string[],
): Promise<ReadonlyMap<string, { readonly terms: PlanTerms; readonly status: PlanStatus }>> {
  const rows = planIds.length === 0 ? [] : await run<PlanRow>(db, selectSome, [merchantId, isTest, planIds]);
  return new Map(rows.map((row) => [row.id, { terms: planTermsOf({ ...row, plan_id: row.id }), status: row.status }]));
}

/** Which plans; what is absent does not count. */
export interface PlanFilters {
  readonly status?: PlanStatus | undefined;
  readonly externalId?: string | undefined;
}

const conditions: Conditions<PlanFilters> = {
  status: (mark) => `p.status = ${mark}`,
  externalId: (mark) => `p.external_id = ${mark}`,
};

/** Plans of this merchant in this mode, newest first, those behind `after` only, at most `limit`. */
export async function findPlans(
  db: Database,
  scope: MerchantScope,
  filters: PlanFilters,
  page: Page,
): Promise<PlanRow[]> {
  const own = [scope.merchantId, scope.isTest, page.limit, ...(page.after ?? [])];
  const where = filtered(conditions, filters, own.length);
  const behind = page.after === null ? '' : ' AND (p.created_at, p.id) < ($4::timestamptz, $5)';
  const statement = {
    name: `list_plans_${page.after === null ? 'first' : 'next'}_${where.name}`,
    text: `
      SELECT ${columns} FROM plans p JOIN plan_versions v ON v.plan_id = p.id AND v.version = p.version
      WHERE p.merchant_id = $1 AND p.is_test = $2${behind}${where.sql}
      ORDER BY p.created_at DESC, p.id DESC LIMIT $3`,
  };
  return run<PlanRow>(db, statement, [...own, ...where.values]);
}

/** Which versions of a plan: those below `before`, all with null, at most `limit`. */
interface VersionPage {
  readonly before: number | null;
  readonly limit: number;
}

const selectVersions = {
  name: 'list_plan_versions',
  text: `
    SELECT ${versionColumns} FROM plans p JOIN plan_versions v ON v.plan_id = p.id
    WHERE p.merchant_id = $1 AND p.is_test = $2 AND p.id = $3 AND v.version < COALESCE($4::int, 2147483647)
    ORDER BY v.version DESC LIMIT $5`,
};

/** Versions of a plan of this merchant in this mode, newest first. */
export async function findPlanVersions(
  db: Database,
  { merchantId, isTest }: MerchantScope,
  planId: string,
  { before, limit }: VersionPage,
): Promise<PlanVersionRow[]> {
  return run<PlanVersionRow>(db, selectVersions, [merchantId, isTest, planId, before, limit]);
}

/** What can be changed of a plan. An absent member stays as it is, null removes it. The currency is for good. */
export interface PlanChanges {
  readonly name?: string | undefined;
  readonly description?: string | null | undefined;
  readonly metadata?: Readonly<Record<string, string>> | null | undefined;
  readonly status?: PlanStatus | undefined;
  readonly terms: { readonly [Name in Exclude<keyof NewTerms, 'currency'>]?: NewTerms[Name] | undefined };
}

/**
 * Writes the changes under the plan's lock. Terms that are really other ones are a new version, with the next number; whoever
 * subscribed before keeps theirs. The same changes again change nothing. Returns the plan as it is then; null: there is none.
 */
export async function changePlan(
  db: Database,
  scope: MerchantScope,
  planId: string,
  changes: PlanChanges,
  now: Date,
): Promise<PlanRow | null> {
  const isThere = await db.prisma.$transaction(async (tx) => {
    const [locked] = await tx.$queryRaw<{ version: number }[]>`
      SELECT version FROM plans
      WHERE merchant_id = ${scope.merchantId} AND is_test = ${scope.isTest} AND id = ${planId} FOR NO KEY UPDATE`;
    if (locked === undefined) return false;
    const added = await addVersion(tx, planId, locked.version, changes.terms, now);
    await updatePlan(tx, planId, locked.version + added, changes, now);
    return true;
  });
  return isThere ? findPlan(db, scope, planId) : null;
}

/** How many versions were added: one, or none where the terms stay the same. */
async function addVersion(
  tx: Prisma.TransactionClient,
  planId: string,
  version: number,
  terms: PlanChanges['terms'],
  now: Date,
): Promise<number> {
  return tx.$executeRaw`
    INSERT INTO plan_versions (
      plan_id, version, amount, currency, interval_unit, interval_count, trial_days, sign_up_fee, cycles, created_at)
    SELECT old.plan_id, old.version + 1, new.amount, old.currency, new.interval_unit, new.interval_count, new.trial_days,
      new.sign_up_fee, new.cycles, ${now}::timestamptz
    FROM plan_versions old CROSS JOIN LATERAL (
      SELECT
        COALESCE(${terms.amountMinor ?? null}::bigint, old.amount) AS amount,
        COALESCE(${terms.intervalUnit ?? null}::text, old.interval_unit) AS interval_unit,
        COALESCE(${terms.intervalCount ?? null}::int, old.interval_count) AS interval_count,
        COALESCE(${terms.trialDays ?? null}::int, old.trial_days) AS trial_days,
        COALESCE(${terms.signUpFeeMinor ?? null}::bigint, old.sign_up_fee) AS sign_up_fee,
        CASE WHEN ${terms.cycles === undefined} THEN old.cycles ELSE ${terms.cycles ?? null}::int END AS cycles
    ) new
    WHERE old.plan_id = ${planId} AND old.version = ${version}
      AND (new.amount, new.interval_unit, new.interval_count, new.trial_days, new.sign_up_fee, new.cycles) IS DISTINCT FROM
          (old.amount, old.interval_unit, old.interval_count, old.trial_days, old.sign_up_fee, old.cycles)`;
}

async function updatePlan(
  tx: Prisma.TransactionClient,
  planId: string,
  version: number,
  { name, description, metadata, status }: PlanChanges,
  now: Date,
): Promise<void> {
  await tx.$executeRaw`
    UPDATE plans SET
      name = new.name, description = new.description, metadata = new.metadata, status = new.status, version = ${version}::int,
      updated_at = greatest(updated_at, ${now}::timestamptz)
    FROM (
      SELECT
        COALESCE(${name ?? null}::text, old.name) AS name,
        CASE WHEN ${description === undefined} THEN old.description ELSE ${description ?? null}::text END AS description,
        CASE WHEN ${metadata === undefined} THEN old.metadata ELSE ${JSON.stringify(metadata ?? {})}::jsonb END AS metadata,
        COALESCE(${status ?? null}::text, old.status) AS status
      FROM plans old WHERE old.id = ${planId}
    ) new
    WHERE plans.id = ${planId}
      AND (new.name, new.description, new.metadata, new.status, ${version}::int) IS DISTINCT FROM
          (plans.name, plans.description, plans.metadata, plans.status, plans.version)`;
}
