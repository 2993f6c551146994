import { setTimeout as sleep } from 'node:timers/promises';
import { HelpfulError, type Say } from './message.ts';
import {
  dataPaths,
  isAlive,
  type KnownProcess,
  readDevFile,
  readSupervisorFile,
  releaseDataDir,
  type SupervisorFile,
  takeDataDir,
} from './state.ts';

const STOP_TIMEOUT_MS = 10_000;
const KILL_TIMEOUT_MS = 5000;
const POLL_MS = 50;

/**
 * Makes this process the only one that works in the data folder. Programs that a killed supervisor left behind are
 * stopped first; a living supervisor is a `HelpfulError`.
 */
export async function claimDataDir(dataDir: string, say: Say): Promise<void> {
  const before = readSupervisorFile(dataDir);
  if (before !== null) {
    if (isAlive(before)) throw alreadyRunning(dataDir, before);
    await stopLeftovers(before, say);
  }
  releaseDataDir(dataDir);
  if (takeDataDir(dataDir)) return;
  const winner = readSupervisorFile(dataDir);
  if (winner === null) throw new HelpfulError(`Another start in ${dataDir} has just failed. Start again.`);
  throw alreadyRunning(dataDir, winner);
}

/** The refusal to work in a data folder whose supervisor lives. */
export function alreadyRunning(dataDir: string, supervisor: KnownProcess): HelpfulError {
  const dev = readDevFile(dataDir);
  const where =
    dev === null
      ? '  It is still starting.'
      : `  API              ${dev.api}\n  Temporal         ${dev.temporal_ui ?? dev.temporal_address}\n` +
        `  Keys and more    ${dataPaths(dataDir).dev}`;
  return new HelpfulError(
    `Already running: process ${supervisor.pid} works in ${dataDir}.\n${where}\n` +
      `Stop it with Ctrl-C in its terminal or \`kill ${supervisor.pid}\`, or give this start another DATA_DIR and ports.`,
  );
}

/** Stops what a dead supervisor left running. Only the very processes that it had written down are touched. */
export async function stopLeftovers(record: SupervisorFile, say: Say): Promise<void> {
  // In the order of their start; the last ones, which use the others, end first.
  for (const [name, known] of Object.entries(record.children).toReversed()) {
    if (!isAlive(known)) continue;
    say(`stopping ${name} (pid ${known.pid}), which an earlier start left behind`);
    // SIGINT: Postgres would wait for all its clients after SIGTERM; the others treat both alike.
    signal(known, 'SIGINT');
    if (await isGoneWithin(known, STOP_TIMEOUT_MS)) continue;
    signal(known, 'SIGKILL');
    if (await isGoneWithin(known, KILL_TIMEOUT_MS)) continue;
    throw new HelpfulError(`${name} (pid ${known.pid}) of an earlier start does not end. Stop it, then start again.`);
  }
}

function signal(known: KnownProcess, name: NodeJS.Signals): void {
  if (!isAlive(known)) return;
  try {
    process.kill(known.pid, name);
  } catch {
    // It ended in between, or it is another user's; the wait that follows tells.
  }
}

async function isGoneWithin(known: KnownProcess, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (isAlive(known)) {
    if (performance.now() > deadline) return false;
    await sleep(POLL_MS);
  }
  return true;
}
