import type { AddressInfo } from 'node:net';
import { createProviderEvents } from '../activities/providers/events-index.ts';
import { openDatabase, serviceLimits } from '../prisma/database.ts';
import { createAddressGuard } from '../runtime/address-guard.ts';
import { createLogger } from '../runtime/logger.ts';
import { createApiMetrics } from '../runtime/metrics.ts';
import { dieOnUncaught, runProcess } from '../runtime/process.ts';
import { createSecretBox } from '../runtime/secret-box.ts';
import { apiSettings, readSettings } from '../runtime/settings.ts';
import { openTemporalClient } from '../runtime/temporal.ts';
import { createApp } from './app.ts';
import { eventAccountsOf } from './event-accounts.ts';
import { sharedBacklog } from './probe.ts';
import { createApiServer } from './server.ts';
import { stopsGracefully } from './stopping.ts';
import { createPaymentClient } from './temporal/payment-client.ts';

runProcess(async () => {
  const settings = readSettings(apiSettings);
  const providerEvents = createProviderEvents(eventAccountsOf(settings));
  const logger = createLogger('api', settings.LOG_LEVEL);
  dieOnUncaught(logger);
  const db = openDatabase(
    { url: settings.DATABASE_URL, connectionsMax: settings.DATABASE_CONNECTIONS_MAX, ...serviceLimits },
    (err) => logger.warn({ err }, 'lost an idle database connection'),
  );
  const payments = createPaymentClient(openTemporalClient(settings.PAYLOAD_CODEC_KEYS));
  const app = createApp({
    db,
    payments,
    logger,
    metrics: createApiMetrics(db.pool),
    apiKeyPepper: settings.API_KEY_PEPPER,
    webhooks: {
      secretBox: createSecretBox(settings.STORED_SECRETS_KEYS),
      addressGuard: createAddressGuard({ allowsPrivate: settings.WEBHOOK_ALLOW_PRIVATE_ADDRESSES }),
    },
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
    await payments.close();
    await Promise.all([...providerEvents.values()].map((account) => account.close()));
    await db.close();
    logger.info('api stopped');
  };
});
