import type { Fleet } from './fleet.ts';
import type { Say } from './message.ts';

/** npm passes a Ctrl-C on that the terminal has sent as well: what comes this soon is no second wish. */
const SAME_WISH_MS = 1000;

const PARENT_POLL_MS = 500;

/**
 * Resolves at the first request to stop: Ctrl-C, SIGTERM, the end of the terminal or of npm. A second one kills the fleet, and so
 * does any other end of this process, so that nothing is left behind.
 */
export function stopOnSignals(fleet: Fleet, say: Say): Promise<void> {
  process.on('exit', fleet.kill);
  // With the terminal, or the reader of a pipe, the console goes away. That is no reason to fail.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  return new Promise((resolve) => {
    let askedAt: number | null = null;
    const onSignal = () => {
      const now = performance.now();
      if (askedAt === null) {
        askedAt = now;
        say('\nStopping (once more: at once) ...');
        resolve();
      } else if (now - askedAt > SAME_WISH_MS) {
        fleet.kill();
      }
    };
    if (process.env['npm_lifecycle_event'] === 'start') whenParentEnds(onSignal);
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, onSignal);
  });
}

/** npm puts a shell in between, which dies of the SIGTERM that npm got and does not pass it on. */
function whenParentEnds(callback: () => void): void {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    callback();
  }, PARENT_POLL_MS);
  timer.unref();
}
