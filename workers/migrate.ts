import { applyMigrations } from '../prisma/migrate.ts';
import { runProcess } from '../runtime/process.ts';
import { requireSafe } from '../runtime/production.ts';
import { migrationSettings, readSettings } from '../runtime/settings.ts';

/** `npm run migrate`: brings the database up to date, as its owner. */
runProcess(async () => {
  const settings = readSettings(migrationSettings);
  requireSafe(settings);
  const applied = await applyMigrations(settings.MIGRATION_DATABASE_URL);
  process.stdout.write(applied.length === 0 ? 'The database is up to date.\n' : `Applied: ${applied.join(', ')}\n`);
  process.exit(0);
});
