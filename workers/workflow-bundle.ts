import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode } from '@temporalio/worker';
import { failureConverterPath } from '../runtime/temporal.ts';

const root = new URL('../', import.meta.url);
const outputUrl = new URL('dist/', root);

/**
 * The bundle of all workflows, built at most once per version of their sources, so that a restarted worker is back at
 * once. Answers the bundle's path.
 */
export async function workflowBundlePath(): Promise<string> {
  const url = new URL(`workflows-${await fingerprint()}.js`, outputUrl);
  const isBuilt = await readFile(url).then(
    () => true,
    () => false,
  );
  if (!isBuilt) await build(url);
  return fileURLToPath(url);
}

async function build(url: URL): Promise<void> {
  const { code } = await bundleWorkflowCode({
    workflowsPath: fileURLToPath(new URL('workflows/index.ts', root)),
    failureConverterPath,
    preloadModules: await statelessModules(),
    logger: { log() {}, trace() {}, debug() {}, info() {}, warn() {}, error() {} },
  });
  await mkdir(outputUrl, { recursive: true });
  const temporary = new URL(`${url.href}.${process.pid}`);
  await writeFile(temporary, code);
  await rename(temporary, url);
}

/**
 * Modules without state of their own: evaluated once per worker thread instead of once per workflow. All of the domain is
 * such, and the hash function that it uses; the folder `billing` is computed in activities alone, and is not in the bundle.
 */
async function statelessModules(): Promise<string[]> {
  const folder = new URL('workflows/domain/', root);
  const names = (await readdir(folder)).filter((name) => name.endsWith('.ts'));
  return ['@noble/hashes/sha2.js', ...names.map((name) => fileURLToPath(new URL(name, folder)))];
}

/** Changes with every source that goes into the bundle, and with the versions of the packages in it. */
async function fingerprint(): Promise<string> {
  const folder = new URL('workflows/', root);
  const names = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.ts')).toSorted();
  const files = [...names.map((name) => new URL(name, folder)), new URL('package-lock.json', root)];
  const hash = createHash('sha256');
  for (const file of [...files, failureConverterPath]) hash.update(await readFile(file));
  return hash.digest('hex').slice(0, 16);
}
