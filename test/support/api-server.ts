import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { Writable } from 'node:stream';
import { createApp } from '../../api/app.ts';
import { createCallLog } from '../../api/call-log.ts';
import { rememberCredentials } from '../../api/credentials.ts';
import type { ApiDeps } from '../../api/deps.ts';
import { createKeyUsage } from '../../api/key-usage.ts';
import { keyPermissions } from '../../api/permissions.ts';
import { sharedBacklog } from '../../api/probe.ts';
import type { PaymentClient } from '../../api/temporal/payment-client.ts';
import type { SubscriptionClient } from '../../api/temporal/subscription-client.ts';
import { storeApiKey } from '../../prisma/api-keys.ts';
import { bySystem } from '../../prisma/audit-logs.ts';
import { createMerchant } from '../../prisma/merchants.ts';
import { makeOperatorKey } from '../../prisma/operator-keys.ts';
import { createAccessTokens } from '../../runtime/access-token.ts';
import { createAddressGuard } from '../../runtime/address-guard.ts';
import { makeKey } from '../../runtime/api-key.ts';
import { createLogger } from '../../runtime/logger.ts';
import { createApiMetrics } from '../../runtime/metrics.ts';
import { createRateLimits } from '../../runtime/rate-limits.ts';
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

const noSubscriptions: SubscriptionClient = {
  submit: gone,
  resumeWorkflow: gone,
  pause: gone,
  resume: gone,
  cancel: gone,
  change: gone,
  retry: gone,
};

/** Serves the API on a free port. Close it in `afterAll`. */
export async function startApi(
  { db, url: databaseUrl }: TestDatabase,
  temporal: Partial<PaymentClient> = {},
  others: Partial<ApiDeps> = {},
): Promise<ApiServer> {
  const { apiKeyPepper = randomBytes(32).toString('hex') } = others;
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
  const credentials = rememberCredentials(db, databaseUrl, logger);
  const deps: ApiDeps = {
    db,
    payments,
    subscriptions: noSubscriptions,
    batches: { start: gone, act: gone },
    testClocks: { wake: gone },
    logger,
    metrics,
    apiKeyPepper,
    credentials,
    accessTokens: createAccessTokens(new Map([['test', randomBytes(32)]]), 'payment-orchestrator'),
    rateLimits: createRateLimits({ redisUrl: null, logger }),
    keyUsage: createKeyUsage(db, logger),
    callLog: createCallLog(db, logger, metrics),
    httpPolicy: {
      trustedProxies: [],
      corsOrigins: [],
      addressLimitPerMinute: 1_000_000,
      wrongSecretLimitPerMinute: 1_000_000,
    },
    secretBox: createSecretBox(new Map([['test', randomBytes(32)]])),
    addressGuard: createAddressGuard({ allowsPrivate: true }),
    providerEvents: new Map(),
    backlog: sharedBacklog(db),
    ...others,
  };
  const server = createServer(createApp(deps));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a TCP server has a port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    log: () => log,
    async keyFor(merchantId, { isTest = true, permissions: allowed = keyPermissions } = {}) {
      await createMerchant(db, { id: merchantId, name: merchantId });
      const key = makeKey(isTest ? 'test' : 'live', deps.apiKeyPepper);
      await storeApiKey(db, merchantId, { ...key, name: 'key', isTest, permissions: allowed, isUnlimited: true });
      return key.text;
    },
    async operatorKey() {
      const key = makeKey('operator', deps.apiKeyPepper);
      await makeOperatorKey(db, { ...key, name: 'operator', permissions: null }, bySystem(new Date()));
      return key.text;
    },
    close() {
      server.closeAllConnections();
      server.close();
      for (const part of [deps.credentials, deps.rateLimits, deps.keyUsage, deps.callLog])
        part.close().catch(() => undefined);
    },
  };
}
