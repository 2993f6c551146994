import { existsSync, readdirSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { alreadyRunning, stopLeftovers } from './leftovers.ts';
import { HelpfulError, type Say } from './message.ts';
import { dataPaths, isAlive, readSupervisorFile } from './state.ts';

/**
 * Deletes the data folder: database, Temporal's histories, the simulators' books, keys and logs. Refuses
 * (`HelpfulError`) while it is in use and when it does not look like ours.
 */
export async function reset(dataDir: string, say: Say): Promise<void> {
  if (!existsSync(dataDir)) {
    say(`Nothing to delete: there is no ${dataDir}`);
    return;
  }
  const names = readdirSync(dataDir);
  if (names.length > 0 && !existsSync(dataPaths(dataDir).secrets)) {
    throw new HelpfulError(
      `${dataDir} does not look like a data folder of this program (it has no secrets.json), so it stays. ` +
        'Set DATA_DIR to the right folder, or delete it yourself.',
    );
  }
  const record = readSupervisorFile(dataDir);
  if (record !== null) {
    if (isAlive(record)) throw alreadyRunning(dataDir, record);
    await stopLeftovers(record, say);
  }
  say(`Deleting ${dataDir} (${names.toSorted().join(', ') || 'empty'})`);
  rmSync(dataDir, { recursive: true, force: true });
  say('Done. The next `npm start` begins with an empty database and new keys.');
}

if (import.meta.main) {
  try {
    await reset(resolve(process.env['DATA_DIR'] || '.data'), (line) => process.stdout.write(`${line}\n`));
  } catch (error) {
    if (!(error instanceof HelpfulError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = error.exitCode;
  }
}
