import { execFile } from 'node:child_process';
import { Client } from 'pg';
import { HelpfulError } from './message.ts';

/** What a probe may ask about the run of the program that it watches. */
export type ProgramRun = { hasPrinted: (text: string) => boolean };

/** Says whether a program is ready to work. Asked again and again; throws only what asking again cannot mend. */
export type Readiness = (run: ProgramRun) => Promise<boolean>;

const PROBE_TIMEOUT_MS = 2000;

/** Ready as soon as GET answers 200. */
export function httpReady(url: string): Readiness {
  return async () => {
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) });
      await response.body?.cancel();
      return response.status === 200;
    } catch {
      return false;
    }
  };
}

/** Ready as soon as a line with this text was printed. */
export function outputReady(text: string): Readiness {
  return async (run) => run.hasPrinted(text);
}

/** Ready as soon as this command ends well. */
export function commandReady(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Readiness {
  return () =>
    new Promise((resolve) => {
      execFile(command, args, { env, timeout: 5 * PROBE_TIMEOUT_MS }, (error) => resolve(error === null));
    });
}

/** Ready as soon as Postgres answers a query; a refused password is final. */
export function postgresReady(url: string): Readiness {
  return async () => {
    const client = new Client({ connectionString: url, connectionTimeoutMillis: PROBE_TIMEOUT_MS });
    client.on('error', () => undefined);
    try {
      await client.connect();
      await client.query('SELECT 1');
      return true;
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === PASSWORD_REFUSED) {
        throw new HelpfulError(
          'Postgres refuses the password kept in secrets.json: the two do not belong together. ' +
            'Put back the secrets.json of this database, or start anew with `npm run reset`.',
          { cause: error },
        );
      }
      return false;
    } finally {
      await client.end().catch(() => undefined);
    }
  };
}

/** SQLSTATE invalid_password, PostgreSQL documentation, appendix A. */
const PASSWORD_REFUSED = '28P01';
