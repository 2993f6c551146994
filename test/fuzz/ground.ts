import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { base32 } from '../../workflows/domain/ids.ts';
import { ofTestMode } from '../api/access-table.ts';
import { insertInvoice, insertSubscription } from '../support/subscription-rows.ts';
import type { World } from '../support/world.ts';
import type { Operation } from './document.ts';
import { type Draft, validDrafts, wireRequestOf } from './draft.ts';
import { exchange } from './exchange.ts';
import { type GroundKeys, keyOf } from './keys.ts';
import { aRefundOf, type Prepared, prepare } from './prepared.ts';
import { realisticValues, valuesOfOperations } from './realistic.ts';
import type { Hints } from './values.ts';

/** What a run stands on: who calls, and what there is to ask for before the first request. */
export interface Ground {
  readonly apiUrl: string;
  readonly keys: GroundKeys;
  /** What EasyPay signs its events with. */
  readonly eventSecret: string;
  readonly hints: Hints;
  /** What makes sense for one operation alone, by its id. */
  hintsOf(operationId: string): Hints;
  /** What goes into a path: what was prepared for it, or ids of what the collection before its first parameter holds. */
  valuesOf(path: string): GroundValues;
  /** Cursors of lists without filters, by operation: of whoever calls it in this run. */
  readonly cursors: Cursors;
  /** The same of somebody else. */
  readonly otherCursors: Cursors;
}

type Cursors = ReadonlyMap<string, readonly string[]>;

/** One value for each parameter of a path: they belong together. */
export type PathValues = Readonly<Record<string, string>>;

interface GroundValues {
  readonly mine: readonly PathValues[];
  /** Empty where everybody may see everything. */
  readonly live: readonly PathValues[];
  readonly others: readonly PathValues[];
}

const nobody: GroundValues = { mine: [], live: [], others: [] };
const madePerKey = 4;
const triesMax = 40;

/** Makes merchants, and some of everything that can be made and acted on. */
export async function layGround(world: World, operations: readonly Operation[], seed: number): Promise<Ground> {
  // A payment that takes its time must not look like an API that hangs.
  const me = await world.createMerchant({ wait: 1 });
  const other = await world.createMerchant({ wait: 1 });
  const powerless = await world.createMerchant();
  await world.admin.query(`UPDATE api_keys SET permissions = '{}' WHERE merchant_id = $1`, [powerless.id]);
  // No key is given these; these have them, so that the routes behind are reached.
  await world.admin.query(
    `UPDATE api_keys SET permissions = permissions || '{users:read,users:write}' WHERE merchant_id = ANY ($1)`,
    [[me.id, other.id]],
  );
  const { testKey: mine, liveKey: live } = me;
  const keys = { mine, live, other: other.testKey, powerless: powerless.testKey, operator: world.operatorKey };
  const hints = realisticValues(world);
  const { apiUrl, easypayWebhookSecret: eventSecret } = world;
  const bare = { apiUrl, keys, eventSecret, hints, hintsOf, valuesOf: () => nobody };
  const empty = { ...bare, cursors: new Map(), otherCursors: new Map() };

  const prepared = await prepare(world, mine);
  const values = new Map<string, GroundValues>();
  for (const operation of operations) {
    if (!isMaking(operation)) continue;
    const made = async (apiKey: string) => makeSome(operation, empty, apiKey, seed);
    const isOfPlatform = operation.caller === 'operator';
    values.set(
      operation.path,
      isOfPlatform
        ? { ...nobody, mine: await made(keys.operator) }
        : {
            mine: await made(mine),
            live: ofTestMode.has(operation.id) ? [] : await made(live),
            others: await made(keys.other),
          },
    );
  }
  values.set('/api/v1/users', {
    mine: await someUsers(world, me.id),
    live: [],
    others: await someUsers(world, other.id),
  });
  const [inLive, ofOthers] = await Promise.all([aRefundOf(world, live), aRefundOf(world, keys.other)]);
  values.set('/api/v1/refunds', { mine: [], live: inLive, others: ofOthers });
  values.set('/api/v1/subscriptions', {
    mine: await someSubscriptions(world, me.id, true),
    live: await someSubscriptions(world, me.id, false),
    others: await someSubscriptions(world, other.id, true),
  });
  values.set('/api/v1/invoices', {
    mine: await someInvoices(world, me.id, true),
    live: await someInvoices(world, me.id, false),
    others: await someInvoices(world, other.id, true),
  });
  const ofMerchants = operations.filter(({ caller }) => caller === 'merchant');
  return {
    ...bare,
    hints: { ...hints, ...hintsFrom(prepared) },
    valuesOf(path) {
      const held = values.get(path.replace(/\/\{.*$/, '')) ?? nobody;
      const known = prepared.values.get(path);
      const hidden = ofMerchants.some((one) => one.path === path) ? held : nobody;
      return { ...hidden, mine: known ?? held.mine };
    },
    cursors: await cursorsOf(operations, empty, keys),
    otherCursors: await cursorsOf(ofMerchants, empty, { ...keys, mine: keys.other }),
  };
}

/** Makes something that is asked for by its id afterwards. Users are invited by people in live mode alone, and subscriptions need a plan. */
function isMaking({ id, method, path, caller, answers }: Operation): boolean {
  return (
    method === 'POST' &&
    !path.includes('{') &&
    caller !== null &&
    answers.has(201) &&
    id !== 'inviteUser' &&
    id !== 'createSubscription'
  );
}

async function someUsers(world: World, merchantId: string): Promise<PathValues[]> {
  const ids = Array.from({ length: madePerKey }, () => `usr_${base32(randomBytes(17), 130)}`);
  await world.db.prisma.user.createMany({
    data: ids.map((id) => ({ id, merchantId, email: `${id}@example.com`, role: 'support', invitedBy: 'system' })),
  });
  return ids.map((id) => ({ id }));
}

/** Nothing is due of them. */
async function someSubscriptions(world: World, merchantId: string, isTest: boolean): Promise<PathValues[]> {
  const ids: PathValues[] = [];
  while (ids.length < madePerKey)
    ids.push({ id: await insertSubscription(world, { merchant_id: merchantId, is_test: isTest }) });
  return ids;
}

/** Nobody is asked to pay them. */
async function someInvoices(world: World, merchantId: string, isTest: boolean): Promise<PathValues[]> {
  const ids: PathValues[] = [];
  while (ids.length < madePerKey)
    ids.push({ id: await insertInvoice(world, { merchant_id: merchantId, is_test: isTest, status: 'void' }) });
  return ids;
}

const hintsOf = (operationId: string): Hints => valuesOfOperations[operationId] ?? {};

function hintsFrom({ paymentIds, refundIds, captureIds, planId }: Prepared): Hints {
  return {
    payment_id: fc.constantFrom(...paymentIds),
    object_id: fc.constantFrom(...paymentIds, ...refundIds),
    reference: fc.constantFrom(...paymentIds, ...refundIds, 'of-somebody-else'),
    capture_id: fc.constantFrom(...captureIds),
    plan_id: fc.constant(planId),
  };
}

/** Valid requests until a few were taken; returns the ids of what they made. */
async function makeSome(operation: Operation, ground: Ground, apiKey: string, seed: number): Promise<PathValues[]> {
  const made: PathValues[] = [];
  let refusal: unknown;
  for (const draft of fc.sample(validDrafts(operation, ground), { seed, numRuns: triesMax })) {
    if (made.length === madePerKey) break;
    const answer = await ask(draft, operation, ground, apiKey);
    const { data } = answer as { data?: { id?: string } };
    if (data?.id === undefined) refusal = answer;
    else made.push({ id: data.id });
  }
  if (made.length > 0) return made;
  throw new Error(
    `${operation.id} took none of ${triesMax} valid requests; the last answer: ${JSON.stringify(refusal)}`,
  );
}

/** Where the first page of each list ends. */
async function cursorsOf(operations: readonly Operation[], ground: Ground, keys: GroundKeys): Promise<Cursors> {
  const cursors = new Map<string, readonly string[]>();
  for (const operation of operations) {
    const apiKey = keyOf(operation, keys);
    const isList = operation.parameters.some(({ in: where, name }) => where === 'query' && name === 'cursor');
    if (!isList || apiKey === null || operation.path.includes('{')) continue;
    const draft: Draft = { method: 'GET', pathParameters: {}, query: [['limit', '1']], headers: [], body: undefined };
    const { next_cursor: cursor } = (await ask(draft, operation, ground, apiKey)) as { next_cursor?: string | null };
    cursors.set(operation.id, cursor == null ? [] : [cursor]);
  }
  return cursors;
}

async function ask(draft: Draft, operation: Operation, ground: Ground, apiKey: string): Promise<unknown> {
  const authorized = { ...draft, headers: [...draft.headers, ['authorization', `Bearer ${apiKey}`] as const] };
  const { text } = await exchange(ground.apiUrl, wireRequestOf(authorized, operation, ground));
  return JSON.parse(text);
}
