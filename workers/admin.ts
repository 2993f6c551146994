import { randomBytes } from 'node:crypto';
import { Command } from 'commander';
import { permissions } from '../api/route.ts';
import { revokeApiKey, storeApiKey, storeOperatorKey } from '../prisma/api-keys.ts';
import { type Database, openDatabase } from '../prisma/database.ts';
import { redeliverFailed } from '../prisma/deliveries.ts';
import { changeMerchantSettings, createMerchant, listMerchants } from '../prisma/merchants.ts';
import { enableWebhookEndpoint, findEndpointTold } from '../prisma/webhook-endpoints.ts';
import { makeKey } from '../runtime/api-key.ts';
import { apiKeySettings, databaseSettings, readSettings } from '../runtime/settings.ts';
import { base32 } from '../workflows/domain/ids.ts';

/** `npm run admin`: makes merchants and keys, changes settings, and delivers again. Prints JSON; a key's text is printed this once. */
const program = new Command('admin').description(
  'Merchants, keys, settings and deliveries. Needs DATABASE_URL and API_KEY_PEPPER.',
);

program
  .command('create-merchant')
  .description('make a merchant')
  .argument('<name>', 'how people call it')
  .action((name: string) =>
    withDatabase((db) => createMerchant(db, { id: `mer_${base32(randomBytes(13), 100)}`, name })),
  );

program
  .command('list-merchants')
  .description('all merchants, oldest first')
  .action(() => withDatabase((db) => listMerchants(db)));

program
  .command('change-settings')
  .description('change settings of a merchant and print all of them')
  .argument('<merchant-id>')
  .argument('<json>', 'e.g. \'{"expires_after":600,"wait":5}\'')
  .action((merchantId: string, json: string) =>
    withDatabase((db) => changeMerchantSettings(db, merchantId, JSON.parse(json))),
  );

program
  .command('create-api-key')
  .description("make a merchant's key; its text is printed once")
  .argument('<merchant-id>')
  .option('--live', 'for live mode; test mode otherwise', false)
  .option('--name <name>', 'what it is for', 'API key')
  .option('--permissions <list>', 'separated by commas', Object.keys(permissions).join(','))
  .action((merchantId: string, options: { live: boolean; name: string; permissions: string }) =>
    withDatabase(async (db) => {
      const key = makeKey(options.live ? 'live' : 'test', pepper());
      const given = options.permissions.split(',');
      await storeApiKey(db, merchantId, { ...key, name: options.name, isTest: !options.live, permissions: given });
      return { key_id: key.keyId, api_key: key.text };
    }),
  );

program
  .command('create-operator-key')
  .description("make an operator's key; its text is printed once")
  .option('--name <name>', 'whose it is', 'Operator')
  .action((options: { name: string }) =>
    withDatabase(async (db) => {
      const key = makeKey('operator', pepper());
      await storeOperatorKey(db, { ...key, name: options.name });
      return { key_id: key.keyId, operator_key: key.text };
    }),
  );

program
  .command('revoke-api-key')
  .description('end a key at once')
  .argument('<key-id>', 'the part of the key between the second and the third underscore')
  .action((keyId: string) => withDatabase(async (db) => ({ revoked: await revokeApiKey(db, keyId) })));

program
  .command('redeliver')
  .description('make deliveries that were given up due again, and close their alerts')
  .argument('<id>', "a delivery's, or an endpoint's for all of its deliveries; payers_of_<merchant-id> for mails")
  .option('--enable', 'enable the endpoint first, if it is disabled', false)
  .action((id: string, options: { enable: boolean }) => withDatabase((db) => redeliver(db, id, options.enable)));

async function redeliver(db: Database, id: string, enables: boolean): Promise<{ deliveries: number; alerts: number }> {
  const endpoint = await findEndpointTold(db, id);
  if (endpoint?.status === 'disabled') {
    const reason = endpoint.disabledReason ?? 'nobody said why';
    if (!enables) throw new Error(`${endpoint.id} is disabled (${reason}): add --enable, or nothing can be delivered`);
    await enableWebhookEndpoint(db, endpoint.id);
  }
  const done = await redeliverFailed(db, id);
  if (endpoint === null && done.deliveries + done.alerts === 0) {
    throw new Error(`nothing was given up for ${id}: name a delivery, an endpoint, or payers_of_<merchant-id>`);
  }
  return done;
}

function pepper(): string {
  return readSettings(apiKeySettings).API_KEY_PEPPER;
}

async function withDatabase(work: (db: Database) => Promise<unknown>): Promise<void> {
  const { DATABASE_URL } = readSettings(databaseSettings);
  const limits = { connectionsMax: 2, connectTimeoutMs: 5_000, statementTimeoutMs: 60_000 };
  const db = openDatabase({ url: DATABASE_URL, ...limits }, () => undefined);
  try {
    process.stdout.write(`${JSON.stringify(await work(db), null, 2)}\n`);
  } finally {
    await db.close();
  }
}

program.parseAsync().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
