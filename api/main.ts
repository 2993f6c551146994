import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { openDatabase, serviceLimits } from '../prisma/database.ts';
import { createLogger } from '../runtime/logger.ts';
import { dieOnUncaught, runProcess } from '../runtime/process.ts';
import { apiSettings, readSettings } from '../runtime/settings.ts';
import { openTemporalClient } from '../runtime/temporal.ts';
import { createApp } from './app.ts';
import { answerUnreadable } from './middleware/answer-unreadable.ts';
import { createPaymentClient } from './payment-client.ts';
import { stopsGracefully } from './stopping.ts';

/** Whoever sends slower than this holds a connection for nothing. */
const patience = { headersTimeout: 10_000, requestTimeout: 15_000, connectionsCheckingInterval: 2_000 };

runProcess(async () => {
  const settings = readSettings(apiSettings);
  const logger = createLogger('api', settings.LOG_LEVEL);
  dieOnUncaught(logger);
  const db = openDatabase(
    { url: settings.DATABASE_URL, connectionsMax: settings.DATABASE_CONNECTIONS_MAX, ...serviceLimits },
    (err) => logger.warn({ err }, 'lost an idle database connection'),
  );
  const payments = createPaymentClient(openTemporalClient(settings.PAYLOAD_CODEC_KEYS));
  const app = createApp({ db, payments, logger, apiKeyPepper: settings.API_KEY_PEPPER });
  const server = createServer(patience, app);
  server.on('clientError', answerUnreadable);
  const stopServer = stopsGracefully(server);
  server.keepAliveTimeout = 65_000; // above the usual minute of load balancers
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(settings.API_PORT, settings.API_HOST, resolve);
  });
  logger.info({ host: settings.API_HOST, port: (server.address() as AddressInfo).port }, 'api ready');
  return async () => {
    await stopServer();
    await payments.close();
    await db.close();
    logger.info('api stopped');
  };
});
