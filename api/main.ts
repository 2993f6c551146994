import type { AddressInfo } from 'node:net';
import { createProviderEvents } from '../activities/providers/events-index.ts';
import { openDatabase, serviceLimits } from '../prisma/database.ts';
import { hasDemoMerchant } from '../prisma/demo-merchant.ts';
import { createAccessTokens } from '../runtime/access-token.ts';
import { createAddressGuard } from '../runtime/address-guard.ts';
import { createLogger } from '../runtime/logger.ts';
import { createApiMetrics } from '../runtime/metrics.ts';
import { dieOnUncaught, runProcess } from '../runtime/process.ts';
import { requireNoDemoMerchant, requireSafe } from '../runtime/production.ts';
import { createRateLimits } from '../runtime/rate-limits.ts';
import { createSecretBox } from '../runtime/secret-box.ts';
import { apiSettings, readSettings } from '../runtime/settings.ts';
import { openTemporalClient, temporalConfig } from '../runtime/temporal.ts';
import { createApp } from './app.ts';
import { createCallLog } from './call-log.ts';
import { rememberCredentials } from './credentials.ts';
import { eventAccountsOf } from './event-accounts.ts';
import { createKeyUsage } from './key-usage.ts';
import { sharedBacklog } from './probe.ts';
import { createApiServer } from './server.ts';
import { stopsGracefully } from './stopping.ts';
import { createBatchClient } from './temporal/batch-client.ts';
import { createPaymentClient } from './temporal/payment-client.ts';
import { createSubscriptionClient } from './temporal/subscription-client.ts';
import { createTestClockClient } from './temporal/test-clock-client.ts';

runProcess(async () => {
  const settings = readSettings(apiSettings);
  requireSafe(settings, temporalConfig());
  const providerEvents = createProviderEvents(eventAccountsOf(settings));
  const logger = createLogger('api', settings.LOG_LEVEL);
  dieOnUncaught(logger);
  const db = openDatabase(
    { url: settings.DATABASE_URL, connectionsMax: settings.DATABASE_CONNECTIONS_MAX, ...serviceLimits },
    (err) => logger.warn({ err }, 'lost an idle database connection'),
  );
  if (settings.ENVIRONMENT === 'production' && settings.TRUST_PROXY.length === 0)
    logger.warn('no proxy is trusted: behind one, all clients are one address with one budget; set TRUST_PROXY');
  await requireNoDemoMerchant(settings, () => hasDemoMerchant(db), logger);
  const temporal = openTemporalClient(settings.PAYLOAD_CODEC_KEYS);
  const payments = createPaymentClient(temporal);
  const credentials = rememberCredentials(db, settings.DATABASE_URL, logger);
  const rateLimits = createRateLimits({ redisUrl: settings.REDIS_URL ?? null, logger });
  const keyUsage = createKeyUsage(db, logger);
  const metrics = createApiMetrics(db.pool);
  const callLog = createCallLog(db, logger, metrics);
  const app = createApp({
    db,
    payments,
    subscriptions: createSubscriptionClient(temporal),
    batches: createBatchClient(temporal),
    testClocks: createTestClockClient(temporal),
    logger,
    metrics,
    apiKeyPepper: settings.API_KEY_PEPPER,
    credentials,
    accessTokens: createAccessTokens(settings.TOKEN_SIGNING_KEYS, settings.TOKEN_ISSUER),
    rateLimits,
    keyUsage,
    callLog,
    httpPolicy: {
      trustedProxies: settings.TRUST_PROXY,
      corsOrigins: settings.CORS_ORIGINS,
      addressLimitPerMinute: settings.ADDRESS_LIMIT_PER_MINUTE,
      wrongSecretLimitPerMinute: settings.WRONG_SECRET_LIMIT_PER_MINUTE,
    },
    secretBox: createSecretBox(settings.STORED_SECRETS_KEYS),
    addressGuard: createAddressGuard({ allowsPrivate: settings.WEBHOOK_ALLOW_PRIVATE_ADDRESSES }),
    providerEvents,
    backlog: sharedBacklog(db),
  });
  const server = createApiServer(app);
  const stopServer = stopsGracefully(server);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(settings.API_PORT, settings.API_HOST, resolve);
  });
  logger.info({ host: settings.API_HOST, port: (server.address() as AddressInfo).port }, 'api ready');
  return async () => {
    await stopServer();
    await Promise.all([payments.close(), credentials.close(), rateLimits.close(), keyUsage.close(), callLog.close()]);
    await Promise.all([...providerEvents.values()].map((account) => account.close()));
    await db.close();
    logger.info('api stopped');
  };
});
