import { ofLiveMode } from '../api/access-table.ts';
import type { Operation } from '../fuzz/document.ts';
import type { Canaries, CanaryKind } from './canaries.ts';
import { createFiller, type Filler, type Style } from './fill.ts';

/** Somebody who calls, and what they may send in `Authorization`. */
export interface Driver {
  /** `live`: a merchant's in live mode, for what is refused in test mode and for nothing else: the rest is test mode's. */
  readonly kind: 'merchant' | 'live' | 'operator';
  readonly authorization: string;
}

/** What a drive did: how many answers there were of each status, and the ids of what was made, by the path that made it. */
export interface Driven {
  readonly statuses: Map<number, number>;
  readonly ids: Map<string, string>;
  /** Operations that were called. */
  readonly sent: Set<string>;
  /** Those that answered with a success at least once. */
  readonly served: Set<string>;
}

/** Answers of these hold no request's text, and probes ask the engine: a drive passes them over. */
export function isProbe({ id }: Operation): boolean {
  return /^(health|getMetrics$)/.test(id);
}

const order = ['POST', 'PUT', 'GET', 'DELETE'];

/** Shorter paths first, as they make what longer ones ask for; what ends things last. */
function inOrder(operations: readonly Operation[]): Operation[] {
  const rank = ({ method, path }: Operation) =>
    (method === 'DELETE' ? 1_000 : 0) + 10 * path.split('{').length + order.indexOf(method);
  return operations.filter((one) => !isProbe(one)).toSorted((a, b) => rank(a) - rank(b));
}

/**
 * Calls every operation of the document as these drivers, with canaries in all that they can say: body, query, path, headers.
 * What is made is used where a path asks for it. Secrets that answers show become canaries.
 */
export async function drive(
  apiUrl: string,
  operations: readonly Operation[],
  drivers: readonly Driver[],
  canaries: Canaries,
): Promise<Driven> {
  const driven: Driven = { statuses: new Map(), ids: new Map(), sent: new Set(), served: new Set() };
  for (const operation of inOrder(operations)) {
    const call = (style: Style, headers: Record<string, string>) =>
      send(apiUrl, operation, { style, headers, canaries, driven });
    const own = drivers.filter((one) => mayCall(one, operation));
    for (const { authorization } of own) {
      await call('raw', { authorization });
      await call('fitting', { authorization });
    }
    for (const headers of wrongHeaders(canaries, operation.id, own[0]?.authorization ?? '')) await call('raw', headers);
  }
  return driven;
}

function mayCall({ kind }: Driver, { caller, id }: Operation): boolean {
  if (kind === 'live') return ofLiveMode.has(id);
  return caller === null || caller === 'anyone known' || caller === kind;
}

/** Headers for which a request is refused before its body is looked at. */
function wrongHeaders(canaries: Canaries, operation: string, authorization: string): Record<string, string>[] {
  const secret = () => canaries.make('secret', `${operation} Authorization`);
  const basic = Buffer.from(`${secret()}:${secret()}`).toString('base64');
  const person = canaries.make('person', `${operation} X-Request-Id`);
  return [
    ...[`Bearer ${secret()}`, `Basic ${basic}`, `Bearer ${secret()} ${secret()}`, secret()].map((wrong) => ({
      authorization: wrong,
    })),
    { authorization, 'x-request-id': `${person}@canary.example` },
    { authorization, 'x-signature': secret(), 'x-signature-nonce': secret() },
  ];
}

interface Sending {
  readonly style: Style;
  readonly headers: Readonly<Record<string, string>>;
  readonly canaries: Canaries;
  readonly driven: Driven;
}

async function send(
  apiUrl: string,
  operation: Operation,
  { style, headers, canaries, driven }: Sending,
): Promise<void> {
  const { id, method, takesBytes, takesFile, path } = operation;
  const planId = driven.ids.get('/api/v1/plans');
  const filler = createFiller(canaries, style, planId === undefined ? {} : { plan_id: planId });
  const body = takesBytes ? { id: filler.text('event', id) } : filler.bodyOf(operation);
  const sent = takesFile ? fileOf(filler, id, style) : body === undefined ? undefined : JSON.stringify(body);
  const type = takesFile ? 'text/csv' : 'application/json';
  const response = await fetch(`${apiUrl}${targetOf(operation, filler, style, driven.ids)}`, {
    method,
    redirect: 'manual',
    headers: {
      'user-agent': `${filler.text('user-agent', id, 'person')} (${filler.text('user-agent', id, 'person')})`,
      cookie: `session=${filler.text('cookie', id, 'secret')}`,
      ...(operation.parameters.some(({ name }) => name === 'prefer') && { prefer: 'wait=3' }),
      ...(method === 'POST' && { 'idempotency-key': filler.text('idempotency-key', id, 'key') }),
      ...(sent !== undefined && { 'content-type': type }),
      ...headers,
    },
    ...(sent !== undefined && { body: sent }),
  });
  const text = await response.text();
  driven.sent.add(id);
  driven.statuses.set(response.status, (driven.statuses.get(response.status) ?? 0) + 1);
  if (!response.ok) return;
  driven.served.add(id);
  const data = dataOf(text);
  if (method === 'POST' && typeof data['id'] === 'string') driven.ids.set(path, data['id']);
  adoptSecrets(data, id, canaries);
}

/** A file of one payment; `raw`: with a column that nobody knows. */
function fileOf(filler: Filler, from: string, style: Style): string {
  const text = (name: string, kind?: CanaryKind) => filler.text(name, from, kind);
  const names = [
    'key',
    'amount',
    'currency',
    'payment_method',
    'card_token',
    'external_id',
    'description',
    'customer_email',
  ];
  const texts = [text('external_id'), text('description'), `${text('customer_email')}@canary.example`];
  const row = [text('key', 'words'), '1.00', 'USD', 'credit_card', `tok_visa_${text('card_token')}`, ...texts];
  return `${(style === 'fitting' ? names : [text('column', 'words'), ...names]).join(',')}\n${row.join(',')}\n`;
}

/** Of providers, whose events come in by these. */
const accounts: Readonly<Record<string, string>> = { provider: 'easypay', account_id: 'main' };

function targetOf(
  { id, path, parameters, method }: Operation,
  filler: Filler,
  style: Style,
  ids: ReadonlyMap<string, string>,
): string {
  const target = path.replaceAll(/\{(\w+)\}/g, (_all, name: string, at: number) => {
    const made = ids.get(path.slice(0, at - 1)) ?? accounts[name];
    return style === 'fitting' && made !== undefined ? made : filler.text(name, id, 'stray');
  });
  if (id === 'createBatch') return `${target}?kind=payments&reference=${filler.text('reference', id, 'words')}`;
  if (style === 'fitting' || method !== 'GET') return target;
  const query = parameters
    .filter((one) => one.in === 'query')
    .map(({ name }) => [name, filler.text(name, id, 'stray')]);
  return `${target}?${new URLSearchParams(Object.fromEntries([...query, [filler.text('unknown', id), '1']])).toString()}`;
}

function dataOf(text: string): Record<string, unknown> {
  try {
    const { data } = JSON.parse(text) as { data?: unknown };
    return typeof data === 'object' && data !== null ? { ...data } : {};
  } catch {
    return {};
  }
}

/** What an answer shows once must be found nowhere else: members that are called secrets, tokens and codes. */
export function adoptSecrets(data: Readonly<Record<string, unknown>>, from: string, canaries: Canaries): void {
  for (const [name, value] of Object.entries(data)) {
    const isSecret = /secret|token|key$|recovery/.test(name) && !/_id$|card_token|type$|has_|requires_/.test(name);
    for (const one of [value].flat())
      if (typeof one === 'string' && (isSecret || one.startsWith('otpauth:')))
        canaries.adopt(one, 'secret', `${from} ${name}`);
  }
}
