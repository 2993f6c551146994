/**
 * Everything that a log line may say beside its message, and of which type. Nothing here can hold a card, a secret or a
 * person: what is about one is an id. A field that is not listed is never written.
 */
const fields = {
  /** The id that a request brought along or was given; it follows its payment everywhere. */
  request_id: 'text',
  operation: 'text',
  method: 'text',
  /** Of HTTP: ours to callers. */
  status: 'number',
  /** Of a problem, in the API's catalogue. */
  code: 'text',
  duration_ms: 'number',

  payment_id: 'text',
  subscription_id: 'text',
  batch_id: 'text',
  movement_id: 'text',
  attempt_id: 'text',
  event_id: 'text',
  delivery_id: 'text',
  endpoint_id: 'text',
  session_id: 'text',
  /** Of a failed payment: its code. */
  failure: 'text',
  alert: 'text',
  /** Of a discrepancy: what we have, and what the provider says. */
  recorded: 'text',
  reported: 'text',

  provider: 'text',
  /** What came of a call: an outcome's kind, or how a delivery went. */
  result: 'text',
  fault: 'text',
  /** Of HTTP: a provider's or a receiver's to us. */
  http_status: 'number',
  channel: 'text',
  shard: 'number',
  count: 'number',
  tries: 'number',

  workflow_id: 'text',
  workflow: 'text',
  activity: 'text',
  task_queue: 'text',
  attempt: 'number',
  search_attributes: 'text',

  host: 'text',
  port: 'number',
  err: 'error',
} as const;

interface Types {
  readonly text: string;
  readonly number: number;
  /** Whatever was thrown; the logger's serializer writes what it may of it. */
  readonly error: unknown;
}

/** The fields of a log line. What is null or undefined is left out. */
export type LogFields = {
  readonly [Name in keyof typeof fields]?: Types[(typeof fields)[Name]] | null | undefined;
};

const types: ReadonlyMap<string, keyof Types> = new Map(Object.entries(fields));

/** Ids and codes are short: what is longer is something else. */
const textLengthMax = 300;

/**
 * Keeps what is on the list and of its type; `dropped_fields` counts the rest. Types say the same to who writes the line:
 * this holds for what comes from elsewhere.
 */
export function allowedFields(given: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const said = Object.entries(given).filter(([, value]) => value != null);
  const allowed = said.filter(([name, value]) => isAllowed(types.get(name), value));
  const dropped = said.length - allowed.length;
  return { ...Object.fromEntries(allowed), ...(dropped === 0 ? {} : { dropped_fields: dropped }) };
}

function isAllowed(type: keyof Types | undefined, value: unknown): boolean {
  switch (type) {
    case 'text':
      return typeof value === 'string' && value.length <= textLengthMax;
    case 'number':
      return typeof value === 'number';
    case 'error':
      return true;
    case undefined:
      return false;
  }
}
