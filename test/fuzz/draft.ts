import fc from 'fast-check';
import type { Operation, Parameter } from './document.ts';
import { signatureOf } from './event.ts';
import type { WireRequest } from './exchange.ts';
import type { Ground, PathValues } from './ground.ts';
import { keyOf } from './keys.ts';
import { valueOf } from './values.ts';

/** A request that is still made of parts, so that one of them can be spoiled. */
export interface Draft {
  readonly method: string;
  /** By name; percent-encoded when it is sent. */
  readonly pathParameters: Readonly<Record<string, string>>;
  readonly query: readonly (readonly [name: string, value: string])[];
  /** In place of the usual ones of the same name; null leaves the header out. */
  readonly headers: readonly (readonly [name: string, value: string | null])[];
  /** Undefined: none. */
  readonly body: unknown;
  /** In place of all that the parts above would make of it. */
  readonly target?: string;
  /** In place of `body` as JSON. */
  readonly bytes?: Buffer;
}

/** Requests that fit the document: ids of what there is, realistic values, and some of what is optional. */
export function validDrafts(operation: Operation, ground: Ground): fc.Arbitrary<Draft> {
  const hints = { ...ground.hints, ...ground.hintsOf(operation.id) };
  const of = (where: Parameter['in']) => operation.parameters.filter((parameter) => parameter.in === where);
  const some = (parameters: readonly Parameter[]) => {
    const values = parameters.map(({ name, schema }) => [name, valueOf(schema, name, hints).map(String)] as const);
    const requiredKeys = parameters.filter(({ required }) => required).map(({ name }) => name);
    return fc.record(Object.fromEntries(values), { requiredKeys });
  };
  const [cursors, filters] = [
    ground.cursors.get(operation.id) ?? [],
    of('query').filter(({ name }) => name !== 'cursor'),
  ];
  return fc
    .record({
      pathParameters: pathsOf(operation, ground) ?? some(of('path')),
      asked: some(filters.filter(({ required }) => required)),
      filters: fc.oneof(fc.constant({}), few(some(filters.filter(({ required }) => !required)), 2)),
      cursor: cursors.length === 0 ? fc.constant(null) : fc.option(fc.constantFrom(...cursors)),
      headers: some(of('header')),
      body: operation.body === null ? fc.constant(undefined) : valueOf(operation.body, '', hints),
      file: operation.takesFile ? fc.option(someRows, { freq: 20 }) : fc.constant(null),
    })
    .map(({ pathParameters, asked, filters: wished, cursor, headers, body, file }) => ({
      method: operation.method,
      pathParameters,
      // A cursor goes with the filters of its page, and these pages had none.
      query: cursor === null ? Object.entries({ ...asked, ...wished }) : [['cursor', cursor] as const],
      headers: Object.entries(headers),
      body,
      ...(file === null ? {} : { bytes: Buffer.from(file) }),
    }));
}

/** A file of payments: a few, as each is made. */
const someRows = fc
  .array(fc.uuid(), { minLength: 1, maxLength: 3 })
  .map((keys) => [
    'key,amount,currency,payment_method,card_token',
    ...keys.map((key) => `${key},9.50,USD,credit_card,tok_visa_4242`),
  ])
  .map((lines) => `${lines.join('\n')}\n`);

/** At most so many of the members: filters that all have to fit find nothing, and some exclude each other. */
function few(records: fc.Arbitrary<Record<string, string>>, countMax: number): fc.Arbitrary<Record<string, string>> {
  return records.chain((record) =>
    fc
      .subarray(Object.entries(record), { maxLength: Math.min(countMax, Object.keys(record).length) })
      .map(Object.fromEntries),
  );
}

/** Values that belong together, such as a payment and its secret; null: nothing is known to be there. */
function pathsOf({ path }: Operation, ground: Ground): fc.Arbitrary<PathValues> | null {
  const { mine } = ground.valuesOf(path);
  return mine.length === 0 ? null : fc.constantFrom(...mine);
}

/** The draft as it is sent: with the key of whoever may, and signed where a signature counts, unless it says otherwise. */
export function wireRequestOf(draft: Draft, operation: Operation, ground: Ground): WireRequest {
  const body = draft.bytes ?? (draft.body === undefined ? null : Buffer.from(JSON.stringify(draft.body)));
  const key = keyOf(operation, ground.keys);
  const signature = operation.takesBytes ? signatureOf(ground.eventSecret, body ?? Buffer.alloc(0)) : null;
  const own = draft.headers.map(([name, value]) => [name.toLowerCase(), value] as const);
  const usual: [string, string][] = [
    ['host', new URL(ground.apiUrl).host],
    ['connection', 'close'],
    ...(key === null ? [] : [['authorization', `Bearer ${key}`] satisfies [string, string]]),
    ...(signature === null ? [] : [['easypay-signature', signature] satisfies [string, string]]),
    ...(body === null
      ? []
      : [['content-type', operation.takesFile ? 'text/csv' : 'application/json'] satisfies [string, string]]),
    ...(body === null ? [] : [['content-length', String(body.length)] satisfies [string, string]]),
  ];
  const kept = usual.filter(([name]) => own.every(([other]) => other !== name));
  const given = own.filter((header): header is readonly [string, string] => header[1] !== null);
  const headers = [...kept, ...given].map(([name, value]) => [name, asBytes(value)] as const);
  return { method: draft.method, target: asBytes(draft.target ?? targetOf(draft, operation)), headers, body };
}

function targetOf({ pathParameters, query }: Draft, { path }: Operation): string {
  const filled = path.replaceAll(/\{(\w+)\}/g, (_all, name: string) => encoded(pathParameters[name] ?? ''));
  const asked = query.map(([name, value]) => `${encoded(name)}=${encoded(value)}`).join('&');
  return asked === '' ? filled : `${filled}?${asked}`;
}

function encoded(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}

/** Text as the bytes of its UTF-8, each one character. */
function asBytes(text: string): string {
  return Buffer.from(text).toString('latin1');
}
