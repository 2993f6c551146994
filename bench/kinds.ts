import { callApi } from '../test/support/api-call.ts';
import { aPayment } from '../test/support/api-client.ts';
import type { TestMerchant, World } from '../test/support/world.ts';
import { deliveries, inboxWitness, mailboxWitness } from './deliveries.ts';
import type { LoadTarget } from './load.ts';
import type { AccessKind, PaymentKind, ReadKind } from './options.ts';
import type { Kind } from './rounds.ts';
import { type Crowd, customerIdOf, customerSize } from './seed.ts';

/** Payments of a merchant, with what is to be otherwise; each must be answered with this status. */
export function paymentTarget(
  url: string,
  apiKey: string,
  changes: Readonly<Record<string, unknown>> = {},
  status: 'captured' | 'authorized' = 'captured',
): LoadTarget {
  const body = JSON.stringify(aPayment(changes));
  const expected = { status: 201, text: `"status":"${status}"` };
  return { url, apiKey, request: () => ({ path: '/api/v1/payments', body }), expected };
}

/**
 * The kinds of payments, each with a merchant of its own: `floor` is the engine alone; `payment` is told to nobody;
 * `webhook`, `mail` and `both` are done when that was delivered.
 */
export async function paymentKind(world: World, floor: LoadTarget, name: PaymentKind): Promise<Kind> {
  if (name === 'floor') return { name, target: floor };
  const merchant = await world.createMerchant();
  const [path, address] = [`/bench/${name}`, `${name}@payers.example`];
  const hasWebhook = name === 'webhook' || name === 'both';
  const hasMail = name === 'mail' || name === 'both';
  if (hasWebhook) await createEndpoint(world, merchant, path);
  const target = paymentTarget(world.apiUrl, merchant.testKey, hasMail ? { customer_email: address } : {});
  const witnesses = [
    ...(hasWebhook ? [inboxWitness(world, path)] : []),
    ...(hasMail ? [mailboxWitness(world, address)] : []),
  ];
  return witnesses.length === 0
    ? { name, target }
    : { name, target, aftermath: deliveries(world, merchant.id, witnesses) };
}

async function createEndpoint(world: World, merchant: TestMerchant, path: string): Promise<void> {
  const body = { url: `${world.inboxUrl}${path}`, event_types: ['payment.captured'] };
  const answer = await callApi(world.apiUrl, merchant.testKey, { method: 'POST', path: '/api/v1/webhooks', body });
  if (answer.status !== 201) throw new Error(`the webhook endpoint was answered ${JSON.stringify(answer.problem)}`);
}

/** Requests that have nothing to look up: `open` is anybody's, `known` says who calls. */
export async function accessKind(world: World, name: AccessKind): Promise<Kind> {
  const { testKey: apiKey } = await world.createMerchant();
  const path = name === 'open' ? '/api/v1/version' : '/api/v1/auth/me';
  const expected = { status: 200, text: '"data":{' };
  return { name, target: { url: world.apiUrl, apiKey, request: () => ({ path }), expected } };
}

const feedPages = 20;
const idsMax = 1_000;

/** The kinds of reads, of the merchant who has most payments. Lists have 20 payments, pages of the feed 100 events. */
export async function readKind(world: World, { merchant, seeded }: Crowd, name: ReadKind): Promise<Kind> {
  const paths = await pathsOf(world, merchant, seeded, name);
  const request = (index: number) => ({ path: paths[index % paths.length] ?? '' });
  const expected = { status: 200, text: name === 'read' ? '"data":{' : '"data":[{' };
  return { name, target: { url: world.apiUrl, apiKey: merchant.testKey, request, expected } };
}

async function pathsOf(world: World, merchant: TestMerchant, seeded: number, name: ReadKind): Promise<string[]> {
  switch (name) {
    case 'read':
      return (await someIds(world, merchant)).map((id) => `/api/v1/payments/${id}`);
    case 'list':
      return ['/api/v1/payments?limit=20'];
    case 'list-status':
      return ['/api/v1/payments?limit=20&status=failed'];
    case 'list-customer':
      return customers(seeded).map((id) => `/api/v1/payments?limit=20&customer_id=${id}`);
    case 'events':
      return feedPaths(world, merchant);
  }
}

/** From all over the table, always the same ones. */
async function someIds(world: World, merchant: TestMerchant): Promise<string[]> {
  const { rows } = await world.admin.query<{ id: string }>(
    'SELECT id FROM payments WHERE merchant_id = $1 ORDER BY md5(id) LIMIT $2',
    [merchant.id, idsMax],
  );
  return rows.map(({ id }) => id);
}

function customers(seeded: number): string[] {
  const count = Math.max(1, Math.floor(seeded / customerSize));
  const step = Math.ceil(count / idsMax);
  return Array.from({ length: Math.ceil(count / step) }, (_, index) => customerIdOf(index * step));
}

/** The first pages of the feed, each behind the cursor of the page before. */
async function feedPaths(world: World, merchant: TestMerchant): Promise<string[]> {
  type Page = { has_more: boolean; next_cursor: string };
  const first = '/api/v1/events?limit=100';
  const paths = [first];
  for (let path = first; paths.length < feedPages; paths.push(path)) {
    const { body } = await callApi<Page>(world.apiUrl, merchant.testKey, { path });
    if (!body.has_more) break;
    path = `${first}&cursor=${encodeURIComponent(body.next_cursor)}`;
  }
  return paths;
}
