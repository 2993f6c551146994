import { randomUUID } from 'node:crypto';
import { Pool } from 'undici';

/** How a run of requests went. Times in milliseconds; `rate` in requests per second. */
export interface LoadResult {
  readonly requests: number;
  readonly seconds: number;
  readonly rate: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
}

/** A target that takes payments over HTTP. */
export interface LoadTarget {
  readonly url: string;
  readonly apiKey: string;
}

/**
 * So many clients, each sending its next payment when the last one was answered. Every answer must be a 201; anything
 * else ends the benchmark, because figures of failures mean nothing.
 */
export async function load(target: LoadTarget, clients: number, requests: number): Promise<LoadResult> {
  const pool = new Pool(target.url, { connections: clients });
  const timesMs: number[] = [];
  let left = requests;
  const started = performance.now();
  const client = async () => {
    while (left-- > 0) timesMs.push(await one(pool, target));
  };
  await Promise.all(Array.from({ length: clients }, client));
  const seconds = (performance.now() - started) / 1000;
  await pool.close();
  timesMs.sort((a, b) => a - b);
  const at = (share: number) => timesMs[Math.min(timesMs.length - 1, Math.floor(timesMs.length * share))] ?? Number.NaN;
  return { requests: timesMs.length, seconds, rate: timesMs.length / seconds, p50Ms: at(0.5), p95Ms: at(0.95) };
}

async function one(pool: Pool, target: LoadTarget): Promise<number> {
  const started = performance.now();
  const { statusCode, body } = await pool.request({
    method: 'POST',
    path: '/api/v1/payments',
    headers: {
      authorization: `Bearer ${target.apiKey}`,
      'content-type': 'application/json',
      'idempotency-key': randomUUID(),
    },
    body: '{"amount":"25.99","currency":"USD","payment_method":"credit_card","card_token":"tok_visa_4242"}',
  });
  const text = await body.text();
  if (statusCode !== 201) throw new Error(`expected 201, got ${statusCode}: ${text}`);
  return performance.now() - started;
}
