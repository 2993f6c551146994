import type { CallAnswer } from './api-call.ts';
import type { Problem } from './api-client.ts';

/** A batch as the API shows it. */
export interface Batch {
  readonly id: string;
  readonly reference: string;
  readonly kind: string;
  readonly format: string;
  readonly dry_run: boolean;
  readonly status: string;
  readonly rows: Readonly<Record<'total' | 'staged' | 'started' | 'existing' | 'refused' | 'canceled', number>>;
  readonly rate_per_second: number | null;
  readonly error_count: number;
  readonly errors: readonly {
    readonly line: number;
    readonly column: number;
    readonly pointer?: string;
    readonly detail: string;
  }[];
  readonly started_at: string | null;
  readonly finished_at: string | null;
}

/** What a file is sent with. */
export interface Upload {
  readonly query?: Readonly<Record<string, string>>;
  readonly type?: string;
  readonly key?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Sends a file of payments under the reference `test`, unless told otherwise. */
export async function postBatch(
  apiUrl: string,
  apiKey: string,
  file: string | Buffer | ReadableStream<Uint8Array>,
  { query = {}, type = 'text/csv', key, headers = {} }: Upload = {},
): Promise<CallAnswer<{ data: Batch }>> {
  const asked = new URLSearchParams({ kind: 'payments', reference: 'test', ...query });
  const response = await fetch(`${apiUrl}/api/v1/batches?${asked.toString()}`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${apiKey}`,
      'content-type': type,
      ...(key === undefined ? {} : { 'idempotency-key': key }),
      ...headers,
    },
    body: file,
    ...(file instanceof ReadableStream ? { duplex: 'half' } : {}),
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: JSON.parse(text) as { data: Batch },
    get problem() {
      if (response.ok) throw new Error(`expected a problem, got ${response.status}: ${text}`);
      return JSON.parse(text) as Problem;
    },
  };
}

/** The header of `paymentRow`'s columns. */
export const paymentHeader = 'key,amount,currency,payment_method,card_token';

/** A good row of this key. */
export function paymentRow(key: string | number, amount = '25.99'): string {
  return `${key},${amount},USD,credit_card,tok_visa_4242`;
}

/** A good file of so many rows. */
export function paymentFile(count: number): string {
  const rows = Array.from({ length: count }, (_, index) => paymentRow(index + 1, `${(index % 900) + 1}.50`));
  return `${[paymentHeader, ...rows].join('\n')}\n`;
}
