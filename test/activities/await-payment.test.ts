import { expect, test } from 'vitest';
import { awaitPayment } from '../../activities/await-payment.ts';
import { createMerchant } from '../../prisma/merchants.ts';
import { databaseUnderTest } from '../support/api-under-test.ts';
import { insertPendingPayment } from '../support/payment-row.ts';
import { until } from '../support/until.ts';
import { anExecution, depsWith } from './ground.ts';

const merchantId = 'mer_1';
const database = databaseUnderTest();

/** Watches a payment that is pending, by an attempt that was scheduled so long ago. */
async function watch(scheduledAgoMs: number) {
  await createMerchant(database.db, { id: merchantId, name: 'Merchant' });
  const paymentId = await insertPendingPayment(database, { merchant_id: merchantId });
  const execution = anExecution({ currentAttemptScheduledTimestampMs: Date.now() - scheduledAgoMs });
  const beats: unknown[] = [];
  execution.on('heartbeat', (beat) => beats.push(beat));
  const watching = execution.run(awaitPayment, depsWith(database), { merchantId, paymentId });
  return { paymentId, beats, watching };
}

test('a payment that somebody else runs is watched until its row says how it ended', async () => {
  const { paymentId, beats, watching } = await watch(0);
  await until('its watch has begun', () => beats.length > 0);
  await database.admin.query(`UPDATE payments SET version = version + 1, status = 'failed' WHERE id = $1`, [paymentId]);
  expect(await watching).toEqual({ isDecided: true });
});

test('who watches gives the slot to others after half a minute, and comes again', async () => {
  const { watching } = await watch(30_000);
  expect(await watching).toEqual({ isDecided: false });
});
