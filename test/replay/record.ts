import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startWorld } from '../support/world.ts';
import { batchPaths } from './batch-paths.ts';
import { chargePaths } from './charge-paths.ts';
import { clockPaths } from './clock-paths.ts';
import { movementPaths } from './movement-paths.ts';
import { payerPaths } from './payer-paths.ts';
import { providerEventPaths } from './provider-event-paths.ts';
import { toReadableJson } from './readable.ts';
import { refundPaths } from './refund-paths.ts';
import { servicePaths } from './service-paths.ts';
import { subscriptionPaths } from './subscription-paths.ts';

/**
 * Records the histories that `replay.test.ts` replays: a real world is driven along every path. Run by hand when a path
 * is new; histories of released versions are kept, because payments that they belong to may still be open.
 *
 *     node test/replay/record.ts [path…]
 */
const folder = join(import.meta.dirname, 'histories');
const paths = {
  ...chargePaths,
  ...payerPaths,
  ...movementPaths,
  ...refundPaths,
  ...providerEventPaths,
  ...servicePaths,
  ...subscriptionPaths,
  ...clockPaths,
  ...batchPaths,
};

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in paths));
if (unknown.length > 0)
  throw new Error(`no path named ${unknown.join(', ')}; there are ${Object.keys(paths).join(', ')}`);
mkdirSync(folder, { recursive: true });
const world = await startWorld();
try {
  const codecs = world.temporal.options.loadedDataConverter.payloadCodecs;
  for (const [name, walk] of Object.entries(paths)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    const way = await walk(world);
    const { id, runId } = typeof way === 'string' ? { id: way } : way;
    const history = await world.temporal.workflow.getHandle(id, runId).fetchHistory();
    for (const face of ['easypay', 'paypal', 'inbox'] as const) await world.bank.at(face).heal();
    writeFileSync(join(folder, `${name}.json`), await toReadableJson(history, codecs));
    process.stdout.write(`${name}: ${history.events?.length} events\n`);
  }
} finally {
  await world.close();
}
