import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createMerchant } from '../../prisma/merchants.ts';
import { changePlan, findPlanTerms, findPlanVersions, makePlan, type NewPlan } from '../../prisma/plans.ts';
import { planIdOf } from '../../workflows/domain/ids.ts';
import { startDatabase, type TestDatabase } from '../support/database.ts';

const scope = { merchantId: 'mer_1', isTest: true };

let database: TestDatabase;
beforeAll(async () => {
  database = await startDatabase();
  for (const id of ['mer_1', 'mer_2']) await createMerchant(database.db, { id, name: 'Merchant' });
});
afterAll(() => database?.close());

const terms = {
  amountMinor: 2599n,
  currency: 'USD',
  intervalUnit: 'month',
  intervalCount: 3,
  trialDays: 14,
  signUpFeeMinor: 500n,
  cycles: 12,
} as const;

async function aPlan(): Promise<string> {
  const idempotencyKey = randomUUID();
  const id = planIdOf({ ...scope, idempotencyKey });
  const plan: NewPlan = {
    id,
    idempotencyKey,
    requestHash: 'h',
    externalId: null,
    name: 'Tea',
    description: null,
    metadata: {},
    terms,
    now: new Date().toISOString(),
  };
  expect(await makePlan(database.db, scope, plan)).toMatchObject({ kind: 'made' });
  return id;
}

const change = (id: string, changed: Parameters<typeof changePlan>[3]['terms'], of = scope) =>
  changePlan(database.db, of, id, { terms: changed }, new Date());
const versionsOf = async (id: string) =>
  (await findPlanVersions(database.db, scope, id, { before: null, limit: 1_000 })).map(({ version }) => version);

describe('the terms of a plan', () => {
  test('are those of the version that is named, or of the newest one, exactly', async () => {
    const id = await aPlan();
    await change(id, { amountMinor: 9_223_372_036_854_775_807n, cycles: null, trialDays: 0 });
    const first = {
      planId: id,
      version: 1,
      name: 'Tea',
      amountMinor: 2599n,
      currency: 'USD',
      interval: { unit: 'month', count: 3 },
      trialDays: 14,
      signUpFeeMinor: 500n,
      cycles: 12,
    };
    const second = { ...first, version: 2, amountMinor: 9_223_372_036_854_775_807n, trialDays: 0, cycles: null };
    expect(await findPlanTerms(database.db, scope, id, 1)).toEqual({ terms: first, status: 'active' });
    for (const version of [2, null])
      expect(await findPlanTerms(database.db, scope, id, version)).toEqual({ terms: second, status: 'active' });
  });

  test('tell of a plan that is archived, and are there for nobody else and of no other version', async () => {
    const id = await aPlan();
    await changePlan(database.db, scope, id, { status: 'archived', terms: {} }, new Date());
    expect(await findPlanTerms(database.db, scope, id, null)).toMatchObject({ status: 'archived' });
    expect(await findPlanTerms(database.db, scope, id, 2)).toBeNull();
    for (const other of [
      { merchantId: 'mer_2', isTest: true },
      { merchantId: 'mer_1', isTest: false },
    ]) {
      expect(await findPlanTerms(database.db, other, id, null)).toBeNull();
      expect(await change(id, { amountMinor: 1n }, other)).toBeNull();
    }
    expect(await versionsOf(id)).toEqual([1]);
  });
});

describe('a change of terms', () => {
  test('makes one version, whatever of them it changes, and the same again none', async () => {
    const id = await aPlan();
    const changes = [
      { amountMinor: 2600n },
      { intervalUnit: 'year' as const },
      { intervalCount: 1 },
      { trialDays: 0 },
      { signUpFeeMinor: 0n },
      { cycles: null },
    ];
    for (const [index, changed] of changes.entries()) {
      expect(await change(id, changed)).toMatchObject({ version: index + 2 });
      expect(await change(id, changed)).toMatchObject({ version: index + 2 });
    }
    expect(await versionsOf(id)).toEqual([7, 6, 5, 4, 3, 2, 1]);
    expect((await findPlanTerms(database.db, scope, id, null))?.terms).toMatchObject({
      amountMinor: 2600n,
      interval: { unit: 'year', count: 1 },
      trialDays: 0,
      signUpFeeMinor: 0n,
      cycles: null,
    });
  });

  test('of twenty at once makes a version each, without gaps, and of twenty that are the same one alone', async () => {
    const id = await aPlan();
    await Promise.all(Array.from({ length: 20 }, (_, index) => change(id, { amountMinor: BigInt(index + 1) })));
    expect(await versionsOf(id)).toEqual(Array.from({ length: 21 }, (_, index) => 21 - index));
    const answers = await Promise.all(Array.from({ length: 20 }, () => change(id, { amountMinor: 99n })));
    expect(new Set(answers.map((plan) => plan?.version))).toEqual(new Set([22]));
    expect((await versionsOf(id)).length).toBe(22);
  });

  test('leaves the versions before as they were: nobody may write them again', async () => {
    const id = await aPlan();
    await expect(
      database.db.pool.query('UPDATE plan_versions SET amount = 1 WHERE plan_id = $1', [id]),
    ).rejects.toMatchObject({ code: '42501' });
    await expect(database.db.pool.query('DELETE FROM plan_versions WHERE plan_id = $1', [id])).rejects.toMatchObject({
      code: '42501',
    });
  });
});
