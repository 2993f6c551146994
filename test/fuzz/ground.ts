import fc from 'fast-check';
import type { World } from '../support/world.ts';
import type { Operation } from './document.ts';
import { type Draft, validDrafts, wireRequestOf } from './draft.ts';
import { exchange } from './exchange.ts';
import { realisticValues } from './realistic.ts';
import type { Hints } from './values.ts';

/** What a run stands on: who calls, and what there is to ask for before the first request. */
export interface Ground {
  readonly apiUrl: string;
  readonly keys: GroundKeys;
  readonly hints: Hints;
  /** Ids of what the collection before a path's first parameter holds. */
  idsOf(path: string): GroundIds;
  /** Cursors of lists without filters, by operation: of the merchant whose run this is. */
  readonly cursors: Cursors;
  /** The same of somebody else. */
  readonly otherCursors: Cursors;
}

type Cursors = ReadonlyMap<string, readonly string[]>;

interface GroundKeys {
  /** In test mode, as all requests that do not say otherwise. */
  readonly mine: string;
  /** The same merchant in live mode. */
  readonly live: string;
  readonly other: string;
  /** Of a merchant whose key allows nothing. */
  readonly powerless: string;
}

interface GroundIds {
  readonly mine: readonly string[];
  readonly live: readonly string[];
  readonly others: readonly string[];
}

const nobody: GroundIds = { mine: [], live: [], others: [] };
const madePerKey = 4;
const triesMax = 40;

/** Makes merchants, and some of everything that can be made, through the API alone. */
export async function layGround(world: World, operations: readonly Operation[], seed: number): Promise<Ground> {
  // A payment that takes its time must not look like an API that hangs.
  const me = await world.createMerchant({ wait: 1 });
  const other = await world.createMerchant({ wait: 1 });
  const powerless = await world.createMerchant();
  await world.admin.query(`UPDATE api_keys SET permissions = '{}' WHERE merchant_id = $1`, [powerless.id]);
  const keys = { mine: me.testKey, live: me.liveKey, other: other.testKey, powerless: powerless.testKey };
  const hints = realisticValues(world);
  const empty = { apiUrl: world.apiUrl, keys, hints, idsOf: () => nobody, cursors: new Map(), otherCursors: new Map() };

  const ids = new Map<string, GroundIds>();
  for (const operation of operations) {
    if (operation.method !== 'POST' || operation.path.includes('{')) continue;
    const made = async (apiKey: string) => makeSome(operation, empty, apiKey, seed);
    ids.set(operation.path, {
      mine: await made(keys.mine),
      live: await made(keys.live),
      others: await made(keys.other),
    });
  }
  return {
    ...empty,
    idsOf: (path) => ids.get(path.replace(/\/\{.*$/, '')) ?? nobody,
    cursors: await cursorsOf(operations, empty, keys.mine),
    otherCursors: await cursorsOf(operations, empty, keys.other),
  };
}

/** Valid requests until a few were taken; returns the ids of what they made. */
async function makeSome(operation: Operation, ground: Ground, apiKey: string, seed: number): Promise<string[]> {
  const ids: string[] = [];
  let refusal: unknown;
  for (const draft of fc.sample(validDrafts(operation, ground), { seed, numRuns: triesMax })) {
    if (ids.length === madePerKey) break;
    const answer = await ask(draft, operation, ground, apiKey);
    const { data } = answer as { data?: { id?: string } };
    if (data?.id === undefined) refusal = answer;
    else ids.push(data.id);
  }
  if (ids.length > 0) return ids;
  throw new Error(
    `${operation.id} took none of ${triesMax} valid requests; the last answer: ${JSON.stringify(refusal)}`,
  );
}

/** Where the first page of each list ends. */
async function cursorsOf(operations: readonly Operation[], ground: Ground, apiKey: string): Promise<Cursors> {
  const cursors = new Map<string, readonly string[]>();
  for (const operation of operations) {
    const isList = operation.parameters.some(({ in: where, name }) => where === 'query' && name === 'cursor');
    if (!isList || operation.path.includes('{')) continue;
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
