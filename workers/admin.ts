import { randomBytes } from 'node:crypto';
import { Command, InvalidArgumentError, Option } from 'commander';
import { z } from 'zod';
import { keyPermissions, merchantRoles, platformRoles } from '../api/permissions.ts';
import { createApiKey, keyLimits, revokeApiKey, unlimited, usualTerms } from '../prisma/api-keys.ts';
import { type ActBy, byCommand } from '../prisma/audit-logs.ts';
import { resetTotp } from '../prisma/authenticators.ts';
import { type Database, openDatabase } from '../prisma/database.ts';
import { redeliverFailed } from '../prisma/deliveries.ts';
import {
  changeMerchant,
  changeMerchantSettings,
  findMerchant,
  listMerchants,
  makeMerchant,
  noSuchMerchant,
} from '../prisma/merchants.ts';
import { listOperatorKeys, makeOperatorKey, revokeOperatorKey } from '../prisma/operator-keys.ts';
import { randomId } from '../prisma/random-id.ts';
import { inviteUser } from '../prisma/users.ts';
import { listOperators, resetPassword, setUserActive } from '../prisma/users-by-hand.ts';
import { enableWebhookEndpoint, findEndpointTold } from '../prisma/webhook-endpoints.ts';
import { makeKey } from '../runtime/api-key.ts';
import { makeInvitation } from '../runtime/invitation.ts';
import { apiKeySettings, databaseSettings, readSettings } from '../runtime/settings.ts';
import { base32 } from '../workflows/domain/ids.ts';

/** `npm run admin`: makes merchants, keys and invitations, ends them, changes settings, and delivers again. Prints JSON; a key's text is printed this once. */
const program = new Command('admin').description(
  'Merchants, keys, people, settings and deliveries. Needs DATABASE_URL and API_KEY_PEPPER.',
);

program
  .command('create-merchant')
  .description('make a merchant')
  .argument('<name>', 'how people call it')
  .action((name: string) =>
    withDatabase(async (db) => {
      const id = `mer_${base32(randomBytes(13), 100)}`;
      await makeMerchant(db, { id, name, settings: {}, idempotencyKey: null, requestHash: null }, byHand());
      return { id };
    }),
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
    withDatabase((db) => changeMerchantSettings(db, merchantId, JSON.parse(json), byHand())),
  );

for (const [command, status, description] of [
  ['suspend-merchant', 'suspended', 'serve none of its keys and users any more; payments under way go on'],
  ['activate-merchant', 'active', 'serve its keys and users again'],
] as const) {
  program
    .command(command)
    .description(description)
    .argument('<merchant-id>')
    .action((merchantId: string) =>
      withDatabase(async (db) => {
        const merchant = await changeMerchant(db, merchantId, { status }, byHand());
        if (merchant === null) throw noSuchMerchant(merchantId);
        return { id: merchant.id, status: merchant.status };
      }),
    );
}

const { rateLimitPerMinute: perMinute, rateLimitPerHour: perHour, rateLimitPerDay: perDay } = keyLimits;

program
  .command('create-api-key')
  .description("make a merchant's key; its text is printed once")
  .argument('<merchant-id>')
  .option('--live', 'for live mode; test mode otherwise', false)
  .option('--name <name>', 'what it is for', 'API key')
  .option('--permissions <list>', 'separated by commas', listOf(keyPermissions), [...keyPermissions])
  .option('--per-minute <requests>', 'how many it may make', countUpTo(perMinute.max), perMinute.usual)
  .option('--per-hour <requests>', 'how many it may make', countUpTo(perHour.max), perHour.usual)
  .option('--per-day <requests>', 'how many it may make', countUpTo(perDay.max), perDay.usual)
  .option('--unlimited', 'as many as there can be, whatever the other limits say', false)
  .action((merchantId: string, options: ApiKeyOptions) => withDatabase((db) => createKey(db, merchantId, options)));

interface ApiKeyOptions {
  readonly live: boolean;
  readonly name: string;
  readonly permissions: readonly string[];
  readonly perMinute: number;
  readonly perHour: number;
  readonly perDay: number;
  readonly unlimited: boolean;
}

async function createKey(db: Database, merchantId: string, options: ApiKeyOptions) {
  if ((await findMerchant(db, merchantId)) === null) throw noSuchMerchant(merchantId);
  const { text, keyId, secretHash } = makeKey(options.live ? 'live' : 'test', pepper());
  const limits = {
    rateLimitPerMinute: options.perMinute,
    rateLimitPerHour: options.perHour,
    rateLimitPerDay: options.perDay,
  };
  const terms = {
    ...usualTerms(options.name, options.permissions),
    ...(options.unlimited ? unlimited : limits),
    signingSecret: null,
  };
  const unasked = { keyId, secretHash, idempotencyKey: null, requestHash: null };
  const nobody = { keyId: null, sessionId: null };
  const made = await createApiKey(db, { merchantId, isTest: !options.live }, unasked, nobody, byHand(), () => terms);
  if (made.kind === 'full') throw new Error(`${merchantId} has as many active keys as it may have: revoke one.`);
  return { key_id: keyId, api_key: text };
}

program
  .command('revoke-api-key')
  .description('end a key at once')
  .argument('<key-id>', 'the part of the key between the second and the third underscore')
  .action((keyId: string) =>
    withDatabase(async (db) => {
      if (await revokeApiKey(db, keyId, byHand())) return { revoked: true };
      throw new Error(`There is no active key ${keyId}: GET /api/v1/auth/api-keys shows all of a merchant.`);
    }),
  );

program
  .command('create-operator-key')
  .description("make an operator's key; its text is printed once")
  .option('--name <name>', 'whose it is', 'Operator')
  .option('--permissions <list>', 'separated by commas; all by default', listOf(platformRoles.operator))
  .option('--expires <instant>', 'when it ends by itself, e.g. 2027-01-31T23:59:59Z; never by default', futureInstant)
  .action((options: { name: string; permissions?: readonly string[]; expires?: Date }) =>
    withDatabase(async (db) => {
      const { text, keyId, secretHash } = makeKey('operator', pepper());
      const { name, permissions = null, expires: expiresAt = null } = options;
      await makeOperatorKey(db, { keyId, secretHash, name, permissions, expiresAt }, byHand());
      return { key_id: keyId, operator_key: text };
    }),
  );

program
  .command('list-operator-keys')
  .description("operators' keys without their texts, oldest first, revoked ones too")
  .action(() => withDatabase((db) => listOperatorKeys(db)));

program
  .command('revoke-operator-key')
  .description("end an operator's key at once")
  .argument('<key-id>', 'the part of the key between the second and the third underscore')
  .action((keyId: string) =>
    withDatabase(async (db) => {
      if (await revokeOperatorKey(db, keyId, byHand())) return { revoked: true };
      throw new Error(`There is no active key ${keyId}: list-operator-keys shows all.`);
    }),
  );

program
  .command('invite-operator')
  .description("invite one of the platform's own people; the token is printed once")
  .requiredOption('--email <address>')
  .addOption(roleOption(Object.keys(platformRoles)))
  .option('--name <name>')
  .action((options: Invited) => withDatabase((db) => invite(db, null, options)));

program
  .command('invite-user')
  .description("invite a merchant's user, e.g. an owner who lost the first token; the token is printed once")
  .argument('<merchant-id>')
  .requiredOption('--email <address>')
  .addOption(roleOption(Object.keys(merchantRoles)))
  .option('--name <name>')
  .action((merchantId: string, options: Invited) => withDatabase((db) => invite(db, merchantId, options)));

interface Invited {
  readonly email: string;
  readonly role: string;
  readonly name?: string;
}

async function invite(db: Database, merchantId: string | null, { email, role, name }: Invited) {
  if (!z.email().safeParse(email).success) throw new Error('--email must be an e-mail address');
  const by = byHand();
  const { text, hash: invitationHash, expiresAt } = makeInvitation(pepper(), by.at);
  const person = { id: randomId('usr'), email, name: name ?? null, role };
  const invited = await inviteUser(db, merchantId, { ...person, invitationHash, expiresAt, request: null }, by);
  if (invited.kind !== 'email_taken') return { user_id: invited.user.id, invitation_token: text };
  throw new Error('Somebody with this address is a user already: suspend or change that user, or use another address.');
}

program
  .command('reset-totp')
  .description('let a user, of a merchant or of the platform, set up another authenticator; ends their sessions')
  .argument('<user-id>')
  .action((userId: string) =>
    withDatabase(async (db) => {
      if (await resetTotp(db, userId, byHand())) return { reset: true };
      throw new Error(`There is no user ${userId}: GET /api/v1/users shows those of a merchant.`);
    }),
  );

program
  .command('reset-password')
  .description('end the password and sessions of a user, and print an invitation to choose another one, once')
  .argument('<user-id>')
  .action((userId: string) =>
    withDatabase(async (db) => {
      const by = byHand();
      const { text, hash: invitationHash, expiresAt } = makeInvitation(pepper(), by.at);
      if (await resetPassword(db, userId, { invitationHash, expiresAt }, by)) return { invitation_token: text };
      throw new Error(`There is no user ${userId} who is not suspended: activate-user lets one in again.`);
    }),
  );

for (const [name, isActive, what] of [
  ['suspend-user', false, 'end all sessions of a user, of a merchant or of the platform, and let them in no more'],
  ['activate-user', true, 'let a suspended user log in again'],
] as const)
  program
    .command(name)
    .description(what)
    .argument('<user-id>')
    .action((userId: string) =>
      withDatabase(async (db) => {
        const user = await setUserActive(db, userId, isActive, byHand());
        if (user !== null) return { user_id: user.id, status: user.status };
        throw new Error(`There is no user ${userId}: list-operators shows those of the platform.`);
      }),
    );

program
  .command('list-operators')
  .description("the platform's own people, oldest first, without what proves who they are")
  .action(() => withDatabase((db) => listOperators(db)));

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

/** Whoever runs this, as the log names them. */
function byHand(): ActBy {
  return byCommand(new Date());
}

/** Reads a list of these words, separated by commas. */
function listOf(words: readonly string[]): (text: string) => readonly string[] {
  return (text) => {
    const given = [...new Set(text.split(','))];
    const unknown = given.filter((word) => !words.includes(word));
    if (unknown.length === 0) return given;
    throw new InvalidArgumentError(`${unknown.join(', ')}: not among ${words.join(', ')}`);
  };
}

function countUpTo(max: number): (text: string) => number {
  return (text) => {
    if (/^[1-9]\d{0,9}$/.test(text) && Number(text) <= max) return Number(text);
    throw new InvalidArgumentError(`must be a whole number from 1 to ${max}`);
  };
}

function futureInstant(text: string): Date {
  const instant = z.iso.datetime({ offset: true }).safeParse(text);
  if (!instant.success) throw new InvalidArgumentError('must be an instant such as 2027-01-31T23:59:59Z');
  const date = new Date(instant.data);
  if (date > new Date()) return date;
  throw new InvalidArgumentError('must lie in the future');
}

function roleOption(roles: readonly string[]): Option {
  return new Option('--role <role>').choices(roles).makeOptionMandatory();
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
