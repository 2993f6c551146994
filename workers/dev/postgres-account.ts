import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { HelpfulError } from './message.ts';

const run = promisify(execFile);

const USER = 'postgres';

/** As whom the Postgres programs run, and with what in front of them. */
export type PostgresAccount = {
  /** Who owns the cluster's files; null = oneself. */
  owner: { uid: number; gid: number } | null;
  /** For `spawn`; empty where `wrap` changes the user, or nothing does. */
  ids: { uid?: number; gid?: number };
  wrap: (program: string) => { command: string; args: string[] };
};

const asIs = (program: string) => ({ command: program, args: [] });

/**
 * Oneself, or, for root, which Postgres refuses, the system user `postgres` (made when missing). That user must reach
 * the program and the data folder; where a folder above them is closed to it (a checkout below /root, or in a fresh
 * temporary folder), it gets the one capability to pass. Throws `HelpfulError` when neither is possible.
 */
export async function chooseAccount(program: string, folder: string): Promise<PostgresAccount> {
  if (process.getuid?.() !== 0) return { owner: null, ids: {}, wrap: asIs };
  const owner = await ensureUser();
  const plain: PostgresAccount = { owner, ids: owner, wrap: asIs };
  if (await canReach(plain, program, folder)) return plain;
  const passing: PostgresAccount = { owner, ids: {}, wrap: (path) => ({ command: 'setpriv', args: privileges(path) }) };
  if (await canReach(passing, program, folder)) return passing;
  throw new HelpfulError(
    `Postgres does not run as root, so it runs as the user "${USER}" here, who cannot reach ${folder} or ${program}: ` +
      'a folder above is closed to others. Start as a normal user, or move the project to a folder that others may ' +
      'enter (such as /srv or /opt), or open it: chmod o+x on each folder above.',
  );
}

function privileges(program: string): string[] {
  return [
    `--reuid=${USER}`,
    `--regid=${USER}`,
    '--clear-groups',
    // Without this bit, access(2), by which initdb looks for its programs, would ignore the capability.
    '--securebits=+no_setuid_fixup',
    '--bounding-set=-all,+dac_override',
    '--inh-caps=-all,+dac_override',
    '--ambient-caps=-all,+dac_override',
    program,
  ];
}

async function canReach(account: PostgresAccount, program: string, folder: string): Promise<boolean> {
  const shell = account.wrap('/bin/sh');
  const question = ['-c', '"$0" --version && cd "$1"', program, folder];
  try {
    await run(shell.command, [...shell.args, ...question], { ...account.ids, cwd: '/' });
    return true;
  } catch {
    return false;
  }
}

async function ensureUser(): Promise<{ uid: number; gid: number }> {
  try {
    return await findUser();
  } catch {
    try {
      await run('useradd', ['--system', '--user-group', '--no-create-home', '--shell', '/usr/sbin/nologin', USER]);
      return await findUser();
    } catch (cause) {
      throw new HelpfulError(
        `Postgres does not run as root, and a system user "${USER}" could not be made. ` +
          'Start as a normal user, or make that user (useradd --system postgres).',
        { cause },
      );
    }
  }
}

async function findUser(): Promise<{ uid: number; gid: number }> {
  const [uid, gid] = await Promise.all([run('id', ['-u', USER]), run('id', ['-g', USER])]);
  return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
}
