import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import type { World, WorldOptions } from '../test/support/world.ts';
import type { Processes } from './stage.ts';

const root = join(import.meta.dirname, '..');
const run = promisify(execFile);

/** What a version of the product needs to be measured; every version that has a benchmark can start it. */
export interface OtherWorld extends Processes, Pick<World, 'apiUrl' | 'close'> {
  createMerchant(): Promise<{ readonly testKey: string }>;
}

/** Another version of the product, ready to run. */
export interface Checkout {
  /** The commit, or the folder's own name. */
  readonly name: string;
  readonly startWorld: (options: WorldOptions) => Promise<OtherWorld>;
}

/**
 * Works with the version in a folder, or with that of a commit, unpacked beside our packages under a temporary folder that is
 * gone afterwards. Throws a message for the person who named it when there is no such version.
 */
export async function withCheckout<T>(from: string, work: (checkout: Checkout) => Promise<T>): Promise<T> {
  if (existsSync(join(from, 'package.json'))) {
    if (!existsSync(join(from, 'prisma/generated')))
      throw new Error(`Nothing is installed in ${from}: run npm ci there.`);
    return work(checkoutIn(resolve(from), basename(resolve(from))));
  }
  const commit = await commitOf(from);
  const folder = await mkdtemp(join(tmpdir(), 'payments-checkout-'));
  try {
    await unpack(commit, folder);
    return await work(checkoutIn(folder, commit));
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Runs in our own process: what it starts are processes of its own, from its own folder. */
function checkoutIn(folder: string, name: string): Checkout {
  return {
    name,
    async startWorld(options) {
      const url = pathToFileURL(join(folder, 'test/support/world.ts')).href;
      const its = (await import(url)) as Pick<Checkout, 'startWorld'>;
      return its.startWorld(options);
    },
  };
}

async function commitOf(ref: string): Promise<string> {
  const args = ['rev-parse', '--short', '--verify', '--quiet', '--end-of-options', `${ref}^{commit}`];
  try {
    const { stdout } = await run('git', args, { cwd: root });
    return stdout.trim();
  } catch {
    throw new Error(`There is neither a folder with a package.json nor a commit named ${ref}: see git log.`);
  }
}

/** No work tree of git's: that would write into our repository. */
async function unpack(commit: string, folder: string): Promise<void> {
  const archive = join(folder, 'archive.tar');
  await run('git', ['archive', '--format=tar', `--output=${archive}`, commit], { cwd: root });
  await run('tar', ['-xf', archive, '-C', folder]);
  await rm(archive);
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
  const prisma = join(folder, 'node_modules/.bin/prisma');
  const env = { ...process.env, PRISMA_SCHEMA_ENGINE_BINARY: '/bin/false' }; // keeps it from downloading one
  await run(process.execPath, [prisma, 'generate'], { cwd: folder, env });
}
