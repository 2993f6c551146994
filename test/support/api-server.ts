import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { Writable } from 'node:stream';
import type { ProviderEvents } from '../../activities/providers/provider-events.ts';
import { createApp } from '../../api/app.ts';
import { sharedBacklog } from '../../api/probe.ts';
import { permissions } from '../../api/route.ts';
import type { PaymentClient } from '../../api/temporal/payment-client.ts';
import type { WebhookDeps } from '../../api/webhook-deps.ts';
import { storeApiKey, storeOperatorKey } from '../../prisma/api-keys.ts';
import { createMerchant } from '../../prisma/merchants.ts';
import { createAddressGuard } from '../../runtime/address-guard.ts';
import { makeKey } from '../../runtime/api-key.ts';
import { createLogger } from '../../runtime/logger.ts';
import { createApiMetrics } from '../../runtime/metrics.ts';
import { createSecretBox } from '../../runtime/secret-box.ts';
import type { TestDatabase } from './database.ts';

/** The API in this process, with a database of the test's own and a Temporal that the test plays. */
export interface ApiServer {
  readonly url: string;
  /** What it logged. */
  log(): string;
  /** Makes the merchant, unless it is there, and a key for it. */
  keyFor(merchantId: string, key?: { isTest?: boolean; permissions?: readonly string[] }): Promise<string>;
  /** Makes an operator's key. */
  operatorKey(): Promise<string>;
  close(): void;
}

const gone = () => Promise.reject(new Error('this test has no Temporal'));
const noTemporal: PaymentClient = {
  submit: gone,
  resume: gone,
  capture: gone,
  cancel: gone,
  resolve: gone,
  refund: gone,
  resumeRefund: gone,
  resolveRefund: gone,
  tellProviderEvent: gone,
  tellPayerReturned: gone,
  isReachable: () => Promise.resolve(true),
  countWorkers: () => Promise.resolve(1),
  close: () => Promise.resolve(),
};

/** Serves the API on a free port. Close it in `afterAll`. */
export async function startApi(
  { db }: TestDatabase,
  temporal: Partial<PaymentClient> = {},
  webhookDeps: Partial<WebhookDeps> = {},
  providerEvents: ReadonlyMap<string, ProviderEvents> = new Map(),
): Promise<ApiServer> {
  const apiKeyPepper = randomBytes(32).toString('hex');
  let log = '';
  const sink = new Writable({
    write(chunk, _encoding, done) {
      log += String(chunk);
      done();
    },
  });
  const payments = { ...noTemporal, ...temporal };
  const logger = createLogger('api', 'info', sink);
  const metrics = createApiMetrics(db.pool);
  const webhooks = {
    secretBox: createSecretBox(new Map([['test', randomBytes(32)]])),
    addressGuard: createAddressGuard({ allowsPrivate: true }),
    ...webhookDeps,
  };
  const backlog = sharedBacklog(db);
  const deps = { db, payments, logger, metrics, apiKeyPepper, webhooks, providerEvents, backlog };
  const server = createServer(createApp(deps));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a TCP server has a port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    log: () => log,
    async keyFor(merchantId, { isTest = true, permissions: allowed = Object.keys(permissions) } = {}) {
      await createMerchant(db, { id: merchantId, name: merchantId });
      const key = makeKey(isTest ? 'test' : 'live', apiKeyPepper);
      await storeApiKey(db, merchantId, { ...key, name: 'key', isTest, permissions: allowed });
      return key.text;
    },
    async operatorKey() {
      const key = makeKey('operator', apiKeyPepper);
      await storeOperatorKey(db, { ...key, name: 'operator' });
      return key.text;
    },
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
