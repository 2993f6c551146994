import type { Logger } from './logger.ts';

/** Exit code for a start that cannot succeed until somebody changes the settings (EX_CONFIG of sysexits.h). */
const exitConfig = 78;

/**
 * Runs a process's `start`: wrong settings end it with one readable message; SIGINT and SIGTERM call what `start`
 * returned, once, and end it with 0. A second signal ends it at once.
 */
export function runProcess(start: () => Promise<() => Promise<void>>): void {
  void (async () => {
    try {
      const stop = await start();
      await nextSignal();
      process.once('SIGINT', () => process.exit(130)).once('SIGTERM', () => process.exit(143));
      await stop();
      process.exit(0);
    } catch (error) {
      process.stderr.write(`${error instanceof Error ? describe(error) : String(error)}\n`);
      process.exit(error instanceof Error && error.name === 'SettingsError' ? exitConfig : 1);
    }
  })();
}

function describe(error: Error): string {
  return error.name === 'SettingsError' ? error.message : (error.stack ?? error.message);
}

function nextSignal(): Promise<void> {
  return new Promise((resolve) => {
    process.once('SIGINT', () => resolve()).once('SIGTERM', () => resolve());
  });
}

/** Logs what nobody caught and ends the process: its supervisor starts a clean one. */
export function dieOnUncaught(logger: Logger): void {
  const die = (error: unknown) => {
    logger.fatal({ err: error }, 'uncaught error, exiting');
    process.exit(1);
  };
  process.on('uncaughtException', die).on('unhandledRejection', die);
}

/** Tells supervisors, by a line on standard output that no log level hides, that a process without a port is at work. */
export function announceReady(service: string, details: Readonly<Record<string, string>>): void {
  process.stdout.write(`${JSON.stringify({ service, ...details, msg: `${service} ready` })}\n`);
}
