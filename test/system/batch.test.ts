import { afterAll, beforeAll, expect, test } from 'vitest';
import { doneOf, peakMemory, sendRows, shortcomingsOf, untilBatch } from '../batch/run.ts';
import { expectInvariants } from '../support/invariants.ts';
import { until } from '../support/until.ts';
import { startWorld, type World } from '../support/world.ts';

const rows = 2_000;
const patienceMs = 150_000;

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world?.close());

const atRest = () =>
  until('every payment came to rest', async () => {
    const { rowCount } = await world.admin.query(`SELECT FROM payments WHERE status = 'pending' LIMIT 1`);
    return rowCount === 0;
  });

test('a batch whose worker is killed twice starts each row exactly once; the same file again starts none', async () => {
  const { id } = await sendRows(world, rows, { query: { reference: 'november' }, key: 'first' });
  for (const share of [0.25, 0.6]) {
    const before = await untilBatch(
      world,
      id,
      `${share} of it is done`,
      (batch) => doneOf(batch) >= share * rows,
      patienceMs,
    );
    expect(before.status, 'still in its middle').toBe('running');
    await world.worker.kill();
    await world.worker.start();
  }
  const over = await untilBatch(world, id, 'it is over', ({ status }) => status === 'completed', patienceMs);
  expect(over.rows).toEqual({ total: rows, staged: 0, started: rows, existing: 0, refused: 0, canceled: 0 });
  await atRest();
  expect(await shortcomingsOf(world, over, rows)).toEqual([]);

  const again = await sendRows(world, rows, { query: { reference: 'november' }, key: 'second' });
  const second = await untilBatch(world, again.id, 'it is over', ({ status }) => status === 'completed', patienceMs);
  expect(second.rows).toEqual({ total: rows, staged: 0, started: 0, existing: rows, refused: 0, canceled: 0 });
  await expectInvariants(world);
}, 300_000);

test('a file of 100,000 rows is checked in an API whose memory stays flat', async () => {
  const query = { dry_run: 'true', reference: 'large' };
  await sendRows(world, 2_000, { query, key: 'warm' });
  const { before, peak } = await peakMemory(world.api, async () => {
    const { status, rows: counted } = await sendRows(world, 100_000, { query });
    expect([status, counted.total]).toEqual(['validated', 100_000]);
  });
  // The file alone has 5 MB; all of its rows at once, as objects, would take some 200.
  expect(peak - before, `MB more than the ${before.toFixed()} before`).toBeLessThan(150);
}, 300_000);
