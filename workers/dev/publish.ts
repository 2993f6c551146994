import { addresses } from './children.ts';
import type { Database } from './database.ts';
import type { Fleet } from './fleet.ts';
import type { DevSettings } from './settings.ts';
import { type DevFile, writeDevFile } from './state.ts';

/** Writes `dev.json`, now and whenever a program gets a new pid. Answers what it says now. */
export function publish(settings: DevSettings, fleet: Fleet, database: Database, temporalAddress: string): DevFile {
  const { api, temporalUi, simulators } = addresses(settings);
  const content = (): DevFile => ({
    api,
    docs: `${api}/docs`,
    temporal_ui: settings.temporalAddress === null ? temporalUi : null,
    temporal_address: temporalAddress,
    simulators,
    database_url: database.databaseUrl,
    migration_database_url: database.migrationDatabaseUrl,
    merchant_id: database.merchantId,
    api_key: database.apiKey,
    operator_key: database.operatorKey,
    pids: { ...fleet.pids(), supervisor: process.pid },
  });
  fleet.onPidsChanged(() => writeDevFile(settings.dataDir, content()));
  writeDevFile(settings.dataDir, content());
  return content();
}
