import { cancelBatch, getBatch, pauseBatch, resumeBatch, throttleBatch } from '../../workflows/batch-contract.ts';
import { paymentFile, postBatch } from '../support/batch-call.ts';
import { until } from '../support/until.ts';
import type { World } from '../support/world.ts';
import { act, finished, type Path } from './steps.ts';

/** The ways of a batch. */
export const batchPaths: Readonly<Record<string, Path>> = {
  'batch-completed': async (world) => finished(world, await sent(world)),
  'batch-paused-throttled-resumed': async (world) => {
    const id = await slow(world);
    const handle = world.temporal.workflow.getHandle(id);
    await handle.executeUpdate(pauseBatch, { args: [act] });
    await until('it waits', async () => (await handle.query(getBatch)).doing === 'waiting until somebody resumes it');
    await handle.executeUpdate(throttleBatch, { args: [{ ...act, ratePerSecond: null }] });
    await handle.executeUpdate(resumeBatch, { args: [act] });
    return finished(world, id);
  },
  'batch-canceled': async (world) => {
    const id = await slow(world);
    await world.temporal.workflow.getHandle(id).executeUpdate(cancelBatch, { args: [act] });
    return finished(world, id);
  },
};

async function sent(world: World, query: Readonly<Record<string, string>> = {}): Promise<string> {
  const { testKey } = await world.createMerchant();
  const { status, body } = await postBatch(world.apiUrl, testKey, paymentFile(20), { query });
  if (status !== 202) throw new Error(`the file was answered ${status}: ${JSON.stringify(body)}`);
  return body.data.id;
}

/** One of a row a second, of which one has started. */
async function slow(world: World): Promise<string> {
  const id = await sent(world, { rate: '1' });
  await until('it is in its middle', async () => {
    const { rows } = await world.admin.query<{ started: number }>(
      'SELECT rows_started AS started FROM batches WHERE id = $1',
      [id],
    );
    return (rows[0]?.started ?? 0) > 0;
  });
  return id;
}
