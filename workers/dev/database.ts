import type { Fleet } from './fleet.ts';
import type { Say } from './message.ts';
import { ensureDatabase, postgresProcess } from './postgres.ts';
import type { DevSettings } from './settings.ts';
import { dataPaths, type Secrets, saveSecrets } from './state.ts';

/** A database that is ready for the product, and the merchant to try it with. */
export type Database = {
  /** The application's address: no rights beyond what migrations grant it. */
  databaseUrl: string;
  /** The owner's. */
  migrationDatabaseUrl: string;
  merchantId: string;
  apiKey: string;
  operatorKey: string;
};

/** Starts Postgres, brings the schema up to date and makes the demo merchant, whose keys stay over restarts. */
export async function startDatabase(
  settings: DevSettings,
  secrets: Secrets,
  fleet: Fleet,
  say: Say,
): Promise<Database> {
  const { spec, adminUrl } = await fleet.prepare((signal) =>
    postgresProcess({
      dataDir: dataPaths(settings.dataDir).postgres,
      host: '127.0.0.1',
      port: settings.ports.POSTGRES_PORT,
      superuserPassword: secrets.postgres_password,
      durable: true,
      signal,
    }),
  );
  await fleet.start(spec);
  const urls = await ensureDatabase({
    adminUrl,
    database: 'payments',
    ownerPassword: secrets.owner_password,
    applicationPassword: secrets.application_password,
  });

  // Loaded here, not at the top: they need the Node version that the start asks for first.
  const { applyMigrations } = await import('../../prisma/migrate.ts');
  const { ensureDemoMerchant } = await import('../demo.ts');
  const applied = await fleet.prepare(() => applyMigrations(urls.migrationDatabaseUrl));
  if (applied.length > 0) say(`applied migrations: ${applied.join(', ')}`);
  const { merchantId, apiKey, operatorKey } = await ensureDemoMerchant({
    databaseUrl: urls.databaseUrl,
    pepper: secrets.api_key_pepper,
    apiKey: secrets.demo_api_key,
    operatorKey: secrets.demo_operator_key,
  });
  saveSecrets(settings.dataDir, { ...secrets, demo_api_key: apiKey, demo_operator_key: operatorKey });
  return { ...urls, merchantId, apiKey, operatorKey };
}
