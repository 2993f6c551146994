import { api, codecServer, simulators, worker } from './dev/children.ts';
import { startDatabase } from './dev/database.ts';
import { createFleet, type Fleet } from './dev/fleet.ts';
import { claimDataDir } from './dev/leftovers.ts';
import { HelpfulError } from './dev/message.ts';
import { requireNode } from './dev/node-version.ts';
import { portsToListenOn, requireFreePorts } from './dev/ports.ts';
import { publish } from './dev/publish.ts';
import { type DevSettings, readDevSettings } from './dev/settings.ts';
import { loadSecrets, releaseDataDir } from './dev/state.ts';
import { stopOnSignals } from './dev/stop-on-signals.ts';
import { startTemporal } from './dev/temporal.ts';
import { welcome } from './dev/welcome.ts';

/** What `npm start` runs: everything on one machine, until it is told to stop. */
async function main(): Promise<void> {
  requireNode(process.versions.node);
  const settings = readDevSettings(process.env);
  await claimDataDir(settings.dataDir, say);
  const fleet = createFleet(settings.dataDir, say);
  const stopping = stopOnSignals(fleet, say);
  try {
    await Promise.race([startEverything(settings, fleet), stopping]);
    await stopping;
  } finally {
    await fleet.stop();
    releaseDataDir(settings.dataDir);
  }
  say('Stopped.');
}

async function startEverything(settings: DevSettings, fleet: Fleet): Promise<void> {
  await requireFreePorts(portsToListenOn(settings));
  const secrets = loadSecrets(settings.dataDir);
  say('Starting (up to a minute the first time) ...');
  const [database, temporalAddress] = await Promise.all([
    startDatabase(settings, secrets, fleet, say),
    startTemporal(settings, fleet, say),
    fleet.start(simulators(settings, secrets)),
    fleet.start(codecServer(settings, secrets)),
  ]);
  const surroundings = { databaseUrl: database.databaseUrl, temporalAddress };
  await Promise.all([
    fleet.start(worker(settings, secrets, surroundings)),
    fleet.start(api(settings, secrets, surroundings)),
  ]);
  say(welcome(publish(settings, fleet, database, temporalAddress), performance.now()));
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

try {
  await main();
} catch (error) {
  const isHelpful = error instanceof HelpfulError;
  process.stderr.write(isHelpful ? `${error.message}\n` : `${error instanceof Error ? error.stack : String(error)}\n`);
  process.exitCode = isHelpful ? error.exitCode : 1;
}
// What may still be open is a timer or a download that nobody waits for any more.
process.exit();
