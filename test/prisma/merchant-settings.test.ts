import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { storeApiKey } from '../../prisma/api-keys.ts';
import { findApiKey } from '../../prisma/credentials.ts';
import { changeMerchantSettings, createMerchant } from '../../prisma/merchants.ts';
import { startDatabase, type TestDatabase } from '../support/database.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await startDatabase();
});
afterAll(() => database?.close());

const ofToday = {
  expires_after: 3_600,
  ask_for: 86_400,
  wait: 10,
  routing: { rules: [], default: ['easypay', 'paypal'] },
  payer_emails: true,
  capture_within: 604_800,
  action_within: 3_600,
  currencies: null,
  fee: { basis_points: 0, fixed: {} },
  dunning: { retry_days: [1, 3, 5, 7], grace_days: 3, final_action: 'cancel' },
};

/** A merchant with a key, whose settings a newer release has written. */
async function merchantOfNewerRelease(settings: object): Promise<{ id: string; keyId: string }> {
  const { id } = await createMerchant(database.db, { id: `mer_${randomUUID()}`, name: 'Merchant' });
  const keyId = randomUUID();
  await storeApiKey(database.db, id, { keyId, secretHash: 'h', name: 'key', isTest: true, permissions: [] });
  await database.admin.query('UPDATE merchants SET settings = $2 WHERE id = $1', [id, settings]);
  return { id, keyId };
}

test('a setting that only a newer release knows is passed over: its merchant is served', async () => {
  const { keyId } = await merchantOfNewerRelease({ wait: 3, surcharge: 'none' });
  const record = await findApiKey(database.db, keyId);
  expect(record?.settings).toEqual({ ...ofToday, wait: 3 });
});

test('a change keeps the settings that only a newer release knows', async () => {
  const { id } = await merchantOfNewerRelease({ surcharge: 'none' });
  expect(await changeMerchantSettings(database.db, id, { wait: 5 })).toEqual({ ...ofToday, wait: 5 });
  const { rows } = await database.admin.query('SELECT settings FROM merchants WHERE id = $1', [id]);
  expect(rows).toEqual([{ settings: { surcharge: 'none', wait: 5 } }]);
});

test('a change to a setting that does not exist is refused, and so is a value out of its range', async () => {
  const { id } = await merchantOfNewerRelease({});
  await expect(changeMerchantSettings(database.db, id, { surcharge: 'none' })).rejects.toThrow(/surcharge/);
  await expect(changeMerchantSettings(database.db, id, { wait: 61 })).rejects.toThrow(/wait/);
});

test('the ladder of dunning rises, and ends in an act that there is', async () => {
  const { id } = await merchantOfNewerRelease({});
  const dunning = { retry_days: [2, 4], grace_days: 0, final_action: 'unpaid' as const };
  expect(await changeMerchantSettings(database.db, id, { dunning })).toMatchObject({ dunning });
  const wrong = [
    { retry_days: [3, 3] },
    { retry_days: [5, 1] },
    { retry_days: [0] },
    { retry_days: [91] },
    { grace_days: -1 },
    { final_action: 'forgive' },
    { another: 1 },
  ];
  for (const change of wrong) {
    await expect(changeMerchantSettings(database.db, id, { dunning: { ...dunning, ...change } })).rejects.toThrow(
      new RegExp(Object.keys(change).join()),
    );
  }
});
