import { afterAll, beforeAll, expect, test } from 'vitest';
import { stepSubscription } from '../../activities/step-subscription.ts';
import { createMerchant } from '../../prisma/merchants.ts';
import type { SubscriptionWish } from '../../workflows/domain/billing/subscription-act.ts';
import { accepted, aPlan, aStep, scope } from '../prisma/subscription-world.ts';
import { startDatabase, type TestDatabase } from '../support/database.ts';
import { depsWith } from './ground.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await startDatabase();
  await createMerchant(database.db, { id: scope.merchantId, name: 'Merchant' });
});
afterAll(() => database?.close());

test('an act that was refused is refused again under its update, whatever changed since; another update is judged anew', async () => {
  const deps = depsWith(database);
  const row = await accepted(database, { planId: await aPlan(database) });
  const pause: SubscriptionWish = { kind: 'pause', resumesAt: null, anchor: 'keep' };
  const resume: SubscriptionWish = { kind: 'resume', anchor: null };
  const wished = (step: SubscriptionWish, wishId: string, updateId: string) =>
    stepSubscription(deps, aStep(row, step, { wishId, updateId }));
  expect(await wished(pause, 'first', 'u1')).toMatchObject({ kind: 'stepped', subscription: { status: 'paused' } });
  const refused = { kind: 'refused', code: 'subscription_not_pausable', detail: 'The subscription is paused.' };
  expect(await wished(pause, 'second', 'u2')).toMatchObject(refused);
  expect(await wished(resume, 'third', 'u3')).toMatchObject({ kind: 'stepped', subscription: { status: 'active' } });
  expect(await wished(pause, 'second', 'u2'), 'as a reset brings it').toMatchObject({
    ...refused,
    subscription: { status: 'active' },
  });
  const { rows } = await database.admin.query(
    `SELECT action, from_status, to_status, details FROM payment_audit_trail WHERE object_id = $1 AND event_id IS NULL`,
    [row.id],
  );
  const { code, detail } = refused;
  expect(rows).toEqual([
    { action: 'pause_subscription', from_status: 'paused', to_status: 'paused', details: { code, detail } },
  ]);
  expect(await wished(pause, 'second', 'u4'), 'as its caller repeats it').toMatchObject({
    kind: 'stepped',
    subscription: { status: 'paused' },
  });
});
