import { Client, Connection, ServiceError } from '@temporalio/client';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { resumePayments } from '../../activities/resume-payments.ts';
import { createMerchant } from '../../prisma/merchants.ts';
import { createLogger } from '../../runtime/logger.ts';
import { createWorkerMetrics } from '../../runtime/metrics.ts';
import { startDatabase, type TestDatabase } from '../support/database.ts';
import { insertPendingPayment } from '../support/payment-row.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await startDatabase();
  await createMerchant(database.db, { id: 'mer_1', name: 'Merchant' });
});
afterEach(() => database.admin.query('TRUNCATE payments CASCADE'));
afterAll(() => database?.close());

const [invalidArgument, unavailable] = [3, 14];
const grpcError = (code: number) =>
  new ServiceError('Failed to start Workflow', {
    cause: Object.assign(new Error(`code ${code}`), { code, details: 'details', metadata: {} }),
  });

/** One pass of the sweep, against a Temporal that only says what comes of each start. */
async function pass(start: (paymentId: string) => void) {
  const asked: string[] = [];
  const heartbeats: unknown[] = [];
  const client = new Client({
    connection: Connection.lazy({ address: '127.0.0.1:1' }),
    interceptors: {
      workflow: [
        {
          async startWithDetails({ options }) {
            asked.push(options.workflowId);
            start(options.workflowId);
            return { runId: 'run', eagerlyStarted: false };
          },
        },
      ],
    },
  });
  const environment = new MockActivityEnvironment({}, { client, logger: new DefaultLogger('ERROR', () => undefined) });
  environment.on('heartbeat', (details: unknown) => heartbeats.push(details));
  const { db } = database;
  const metrics = createWorkerMetrics(db.pool);
  const deps = { db, providers: new Map(), logger: createLogger('test', 'silent'), metrics };
  const result = environment.run(resumePayments, deps, { ageMinSeconds: 20 });
  return { result, asked, heartbeats };
}

const first = 'pay_00000000-0';

test('a payment that cannot be prepared stops nobody behind it', async () => {
  await insertPendingPayment(database, { id: first, currency: 'ZZZ' });
  const behind = await Promise.all(Array.from({ length: 20 }, () => insertPendingPayment(database)));
  const { result, asked } = await pass(() => undefined);
  expect(await result).toEqual({ checked: 21, resumed: 20 });
  expect(asked.toSorted()).toEqual(behind.toSorted());
});

test('a payment that Temporal refuses as invalid stops nobody behind it', async () => {
  await insertPendingPayment(database, { id: first });
  await insertPendingPayment(database);
  const { result } = await pass((paymentId) => {
    if (paymentId === first) throw grpcError(invalidArgument);
  });
  expect(await result).toEqual({ checked: 2, resumed: 1 });
});

test('every payment is looked at once, over pages, with a heartbeat each', async () => {
  await database.admin.query(`
    INSERT INTO payments (id, merchant_id, is_test, idempotency_key, external_id, request_hash, correlation_id, amount,
      currency, payment_method, card_token, route, expires_at, ask_until, created_at, updated_at)
    SELECT 'pay_' || n, 'mer_1', true, n, n, 'h', 'c', 1, 'USD', 'credit_card', 'tok', '{}', now() + interval '1 hour',
      now() + interval '1 hour', now() - interval '1 hour', now() - interval '1 hour' FROM generate_series(1, 401) n`);
  const { result, asked, heartbeats } = await pass(() => undefined);
  expect(await result).toEqual({ checked: 401, resumed: 401 });
  expect(new Set(asked).size).toBe(401);
  expect(asked).toHaveLength(401);
  expect(heartbeats).toHaveLength(401);
});

test('a Temporal that is away ends the pass at once: the next one makes up for it', async () => {
  await Promise.all(Array.from({ length: 50 }, () => insertPendingPayment(database)));
  const { result, asked } = await pass(() => {
    throw grpcError(unavailable);
  });
  await expect(result).rejects.toThrow(ServiceError);
  expect(asked.length).toBeLessThan(50);
});
