import { beforeAll, describe, expect, test } from 'vitest';
import type { Route } from '../../api/route.ts';
import { routes } from '../../api/routes/index.ts';
import { apiUnderTest } from '../support/api-under-test.ts';
import { sessionFor, testAccessTokens } from '../support/session.ts';
import { bodies } from './access-bodies.ts';
import { type Access, accessOf, allowedTo, ofLiveMode, ofTestMode } from './access-table.ts';
import { type Kind, layThings, markOf, missingThings, type Thing } from './access-things.ts';

/** Somebody who calls. */
interface Who {
  readonly name: string;
  readonly authorization: string | null;
  /** Null: of the platform, or nobody. */
  readonly merchantId: string | null;
  readonly isTest: boolean;
  readonly isPerson: boolean;
  readonly hasTotp: boolean;
  /** Null: nobody knows them. */
  readonly may: readonly string[] | null;
}

type Expected = 'let in' | 'unauthorized' | 'forbidden' | 'totp_required' | 'wrong_mode' | 'not_found';

const merchants = ['mer_a', 'mer_b'];
const accessTokens = testAccessTokens();
const away = () => Promise.resolve({ kind: 'not_taken', cause: new Error('no Temporal here') } as const);
const movements = { capture: away, cancel: away, refund: away, resumeRefund: away, resolveRefund: away };
const acts = { pause: away, resume: away, cancel: away, change: away, retry: away };
const { database, api } = apiUnderTest({
  accessTokens,
  payments: { ...movements, submit: away, resume: away, resolve: away },
  subscriptions: { ...acts, submit: away, resumeWorkflow: away },
  batches: { start: away, act: away },
  testClocks: { wake: away },
});
let callers: Who[] = [];
let things: Thing[] = [];
let asked = 0;

beforeAll(async () => {
  things = [...(await Promise.all(merchants.map((id) => layThings(database, id)))).flat(), ...missingThings()];
  const ofMerchants = merchants.flatMap((merchantId) => [true, false].map((isTest) => ({ merchantId, isTest })));
  const keys = ofMerchants.flatMap((of) => [keyWith(of, allowedTo['key'] ?? []), keyWith(of, [])]);
  const roles = ['owner', 'admin', 'developer', 'finance', 'support', 'read_only'];
  const users = ofMerchants.flatMap((of) => roles.map((role) => user({ ...of, role, hasTotp: false })));
  const ofPlatform = [true, false].flatMap((hasTotp) =>
    ['operator', 'auditor'].map((role) => user({ merchantId: null, isTest: false, role, hasTotp })),
  );
  const others = [operatorKey(), stranger('nobody', null), stranger('a wrong key', 'Bearer po_test_x')];
  callers = await Promise.all([...keys, ...users, ...ofPlatform, ...others]);
});

type OfMerchant = Pick<Who, 'isTest'> & { readonly merchantId: string };

async function keyWith({ merchantId, isTest }: OfMerchant, may: readonly string[]): Promise<Who> {
  const key = await api.keyFor(merchantId, { isTest, permissions: may });
  const name = `key of ${markOf(merchantId, isTest)} with ${may.length} permissions`;
  return { name, authorization: `Bearer ${key}`, merchantId, isTest, isPerson: false, hasTotp: false, may };
}

async function user(of: Pick<Who, 'merchantId' | 'isTest' | 'hasTotp'> & { readonly role: string }): Promise<Who> {
  const { token } = await sessionFor(database.db, accessTokens, of);
  const name = `${of.role} of ${of.merchantId === null ? 'the platform' : markOf(of.merchantId, of.isTest)}${of.hasTotp ? ' with TOTP' : ''}`;
  return { ...of, name, authorization: `Bearer ${token}`, isPerson: true, may: allowedTo[of.role] ?? [] };
}

async function operatorKey(): Promise<Who> {
  const authorization = `Bearer ${await api.operatorKey()}`;
  const may = allowedTo['operator'] ?? [];
  return { name: 'operator key', authorization, merchantId: null, isTest: false, isPerson: false, hasTotp: false, may };
}

function stranger(name: string, authorization: string | null): Promise<Who> {
  return Promise.resolve({
    name,
    authorization,
    merchantId: null,
    isTest: false,
    isPerson: false,
    hasTotp: false,
    may: null,
  });
}

/** What a route must say to them of that thing, or without one. */
function expectedOf(operation: string, access: Access, who: Who, thing: Thing | null): Expected {
  if (access === 'anyone') return 'let in';
  if (who.may === null) return 'unauthorized';
  if (access === 'people') return who.isPerson ? 'let in' : 'forbidden';
  if (access === 'known') return 'let in';
  if (!who.may.includes(access)) return 'forbidden';
  if (who.merchantId === null && who.isPerson && !who.hasTotp) return 'totp_required';
  if (ofLiveMode.has(operation) && who.isTest) return 'wrong_mode';
  if (ofTestMode.has(operation) && !who.isTest) return 'wrong_mode';
  if (thing === null) return 'let in';
  if (thing.merchantId === null) return 'not_found';
  if (who.merchantId === null) return 'let in';
  const isOwn = thing.merchantId === who.merchantId && (thing.isTest === null || thing.isTest === who.isTest);
  return isOwn ? 'let in' : 'not_found';
}

const kinds: readonly (readonly [path: string, kind: Kind])[] = [
  ['/api/v1/payments/', 'payment'],
  ['/api/v1/refunds/', 'refund'],
  ['/api/v1/discrepancies/', 'discrepancy'],
  ['/api/v1/auth/api-keys/', 'api_key'],
  ['/api/v1/users/', 'user'],
  ['/api/v1/customers/', 'customer'],
  ['/api/v1/plans/', 'plan'],
  ['/api/v1/subscriptions/', 'subscription'],
  ['/api/v1/invoices/', 'invoice'],
  ['/api/v1/batches/', 'batch'],
  ['/api/v1/test-clocks/', 'test_clock'],
  ['/api/v1/merchants/', 'merchant'],
];

/** The things that a route may be asked about; a route about nothing in particular is asked once. */
function targetsOf(route: Route): readonly (Thing | null)[] {
  if (!route.path.includes('{id}')) return [null];
  const [, kind] = kinds.find(([path]) => route.path.startsWith(path)) ?? [];
  if (kind === undefined) throw new Error(`what does ${route.path} name? Say so here`);
  return things.filter((thing) => thing.kind === kind);
}

async function ask(route: Route, who: Who, thing: Thing | null): Promise<{ status: number; text: string }> {
  asked += 1;
  const path = route.path
    .replace('{id}', thing?.id ?? 'x')
    .replace('{provider}', 'easypay')
    .replaceAll(/\{\w+\}/g, 'x');
  const isRead = route.method === 'get' || route.method === 'delete';
  const response = await fetch(`${api.url}${path}`, {
    method: route.method.toUpperCase(),
    redirect: 'manual',
    headers: {
      ...(who.authorization === null ? {} : { authorization: who.authorization }),
      ...(isRead ? {} : { 'content-type': 'application/json' }),
    },
    ...(isRead ? {} : { body: JSON.stringify(bodies[route.operationId] ?? {}) }),
  });
  return { status: response.status, text: await response.text() };
}

const refusals: ReadonlySet<unknown> = new Set([
  'unauthorized',
  'forbidden',
  'totp_required',
  'wrong_mode',
  'not_found',
  'internal_error', // which lets nobody in either
]);

/** What an answer says, in the words of `Expected`. What anyone may ask for may not be there: that refuses nobody. */
function verdictOf({ status, text }: { status: number; text: string }, access: Access): string {
  if (status < 400) return 'let in';
  const { code } = JSON.parse(text) as { code?: string };
  if (access === 'anyone' && code === 'not_found') return 'let in';
  return refusals.has(code) ? String(code) : 'let in';
}

/** The marks and ids that this caller may never see. */
function foreignTo(who: Who): string[] {
  if (who.merchantId === null && who.may !== null) return [];
  const foreign = things.flatMap(({ id, kind, merchantId, isTest }) => {
    if (merchantId === null || (merchantId === who.merchantId && (isTest === null || isTest === who.isTest))) return [];
    return kind === 'merchant' ? [markOf(merchantId, isTest)] : [markOf(merchantId, isTest), id];
  });
  return [...new Set(foreign)];
}

describe('every route lets in exactly those whom it should, to what is theirs', () => {
  test('all of them are in the table, and nothing else', () => {
    expect(routes.map(({ operationId }) => operationId).toSorted()).toEqual(Object.keys(accessOf).toSorted());
  });

  test.each(routes)('$method $path', async (route) => {
    const access = accessOf[route.operationId];
    if (access === undefined) throw new Error(`${route.operationId} is not in the table`);
    const wrong: string[] = [];
    for (const thing of targetsOf(route)) {
      await Promise.all(
        callers.map(async (who) => {
          const answer = await ask(route, who, thing);
          const expected = expectedOf(route.operationId, access, who, thing);
          const of =
            thing === null
              ? ''
              : ` of ${thing.merchantId === null ? 'nobody' : markOf(thing.merchantId, thing.isTest)}`;
          const verdict = verdictOf(answer, access);
          if (verdict !== expected) wrong.push(`${who.name}${of}: ${verdict} (${answer.status}), not ${expected}`);
          const seen = foreignTo(who).filter((mark) => answer.text.includes(mark));
          if (seen.length > 0) wrong.push(`${who.name}${of}: is shown ${seen.join(', ')}`);
        }),
      );
    }
    expect(wrong).toEqual([]);
  });

  test('and all were asked', () => {
    expect(asked).toBeGreaterThanOrEqual(routes.length * callers.length);
  });
});
