import { expectInvariants } from '../support/invariants.ts';
import { until } from '../support/until.ts';
import type { World } from '../support/world.ts';
import { testCards } from './body-mutations.ts';

/**
 * Waits until every payment and movement came to rest; then the invariants hold, and no card number that was sent is in any table or
 * any log. Throws what does not.
 */
export async function expectRest(world: World): Promise<void> {
  await until('every payment and movement came to rest', async () => {
    const { rows } = await world.admin.query(
      `SELECT FROM payments WHERE status = 'pending' UNION ALL SELECT FROM movements WHERE state = 'pending' LIMIT 1`,
    );
    return rows.length === 0;
  });
  await expectInvariants(world);
  const logs = world.logs();
  const tables = await world.admin.query<{ name: string }>(
    `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'`,
  );
  for (const card of testCards) {
    if (logs.includes(card)) throw new Error('a log holds a card number that was sent');
    for (const { name } of tables.rows) {
      const { rows } = await world.admin.query(`SELECT FROM "${name}" AS r WHERE r::text LIKE $1 LIMIT 1`, [
        `%${card}%`,
      ]);
      if (rows.length > 0) throw new Error(`the table ${name} holds a card number that was sent`);
    }
  }
}
