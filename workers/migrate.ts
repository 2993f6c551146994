import { z } from 'zod';
import { applyMigrations } from '../prisma/migrate.ts';
import { runProcess } from '../runtime/process.ts';
import { readSettings } from '../runtime/settings.ts';

/** `npm run migrate`: brings the database up to date, as its owner. */
runProcess(async () => {
  const settings = readSettings({
    MIGRATION_DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/, error: 'must be a postgresql:// URL of the owner' }),
  });
  const applied = await applyMigrations(settings.MIGRATION_DATABASE_URL);
  process.stdout.write(applied.length === 0 ? 'The database is up to date.\n' : `Applied: ${applied.join(', ')}\n`);
  process.exit(0);
});
