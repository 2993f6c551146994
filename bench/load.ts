import { randomUUID } from 'node:crypto';
import { Pool } from 'undici';
import type { Dose } from './options.ts';

/** How the requests of a round went. Times in milliseconds. */
export interface LoadResult {
  readonly requests: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
}

/** A `POST` when it has a body, else a `GET`. */
interface LoadRequest {
  readonly path: string;
  readonly body?: string;
}

/** What is asked of whom. */
export interface LoadTarget {
  readonly url: string;
  readonly apiKey: string;
  /** The request of this number, counted from 0. */
  request(index: number): LoadRequest;
  /** The status of a good answer, and what it has in its text. */
  readonly expected: { readonly status: number; readonly text: string };
}

/**
 * So many clients, each sending its next request when the last one was answered. Every answer must be the expected one;
 * anything else ends the benchmark, because figures of failures mean nothing. `seen` is called with the text of each.
 */
export async function load(
  target: LoadTarget,
  { clients, requests }: Dose,
  seen: (text: string) => void = () => undefined,
): Promise<LoadResult> {
  const pool = new Pool(target.url, { connections: clients });
  const timesMs: number[] = [];
  let next = 0;
  const started = performance.now();
  const client = async () => {
    while (next < requests) {
      const { text, tookMs } = await one(pool, target, next++);
      timesMs.push(tookMs);
      seen(text);
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  const seconds = (performance.now() - started) / 1000;
  await pool.close();
  timesMs.sort((a, b) => a - b);
  const at = (share: number) => timesMs[Math.min(timesMs.length - 1, Math.floor(timesMs.length * share))] ?? Number.NaN;
  return { requests: timesMs.length, seconds, p50Ms: at(0.5), p95Ms: at(0.95), p99Ms: at(0.99) };
}

async function one(pool: Pool, target: LoadTarget, index: number): Promise<{ text: string; tookMs: number }> {
  const { path, body } = target.request(index);
  const authorization = `Bearer ${target.apiKey}`;
  const started = performance.now();
  const answer = await pool.request(
    body === undefined
      ? { method: 'GET', path, headers: { authorization } }
      : {
          method: 'POST',
          path,
          headers: { authorization, 'content-type': 'application/json', 'idempotency-key': randomUUID() },
          body,
        },
  );
  const text = await answer.body.text();
  const tookMs = performance.now() - started;
  const { expected } = target;
  const isGood = answer.statusCode === expected.status && text.includes(expected.text);
  if (!isGood) {
    const wanted = `${expected.status} with ${expected.text}`;
    throw new Error(`${path} was answered ${answer.statusCode} instead of ${wanted}: ${text}`);
  }
  return { text, tookMs };
}
