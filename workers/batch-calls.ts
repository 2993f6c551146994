import { randomUUID } from 'node:crypto';
import { constants, createReadStream, existsSync, readFileSync } from 'node:fs';
import { access as accessFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';

const errorSchema = z.object({
  line: z.number().optional(),
  column: z.number().optional(),
  parameter: z.string().optional(),
  header: z.string().optional(),
  pointer: z.string().optional(),
  detail: z.string(),
});

const problemSchema = z.object({
  code: z.string(),
  detail: z.string(),
  errors: z.array(errorSchema).default([]),
  error_count: z.number().optional(),
  batch_id: z.string().optional(),
});

const count = z.number();

/** What this program reads of a batch. */
const batchSchema = z.object({
  id: z.string(),
  reference: z.string(),
  kind: z.string(),
  status: z.string(),
  rows: z.object({ total: count, staged: count, started: count, existing: count, refused: count, canceled: count }),
  rate_per_second: z.number().nullable(),
  started_at: z.string().nullable(),
  finished_at: z.string().nullable(),
});

export type Batch = z.infer<typeof batchSchema>;

/** The API refused a request. The message says what happened, and names the first errors with line and column. */
export class Refused extends Error {
  override readonly name = 'Refused';
  readonly code: string;

  constructor({ code, detail, errors, error_count: all = errors.length }: z.infer<typeof problemSchema>) {
    const shown = errors.slice(0, shownMax).map((error) => `  ${placeOf(error)}${error.detail}`);
    const more = all > shown.length ? [`  … and ${all - shown.length} more`] : [];
    super([`${code}: ${detail}`, ...shown, ...more].join('\n'));
    this.code = code;
  }
}

const shownMax = 20;

function placeOf({ line, column, pointer, parameter, header }: z.infer<typeof errorSchema>): string {
  const named = (pointer ?? '').replace(/^\//, '').replaceAll('/', '.') || parameter || header;
  const at = line === undefined ? '' : `line ${line}, column ${column ?? 1}: `;
  return `${at}${named === undefined || named === '' ? '' : `${named} `}`;
}

/** Where the API is, and the key to it. */
export interface Access {
  readonly url: string;
  readonly key: string;
}

/** What `API_URL` and `API_KEY` say, or else what `npm start` wrote down. Throws where neither says it. */
export function readAccess(env: NodeJS.ProcessEnv, devPath: string): Access {
  const dev: unknown = existsSync(devPath) ? JSON.parse(readFileSync(devPath, 'utf8')) : {};
  const { api, api_key: apiKey } = z.object({ api: z.string().optional(), api_key: z.string().optional() }).parse(dev);
  const url = env['API_URL'] ?? api;
  const key = env['API_KEY'] ?? apiKey;
  if (url === undefined || key === undefined)
    throw new Error(
      'set API_URL and API_KEY: where the API is, and a key that may start batches; `npm start` writes both down',
    );
  return { url: url.replace(/\/+$/, ''), key };
}

/** What a file is sent with. */
export interface Upload {
  readonly path: string;
  readonly kind: string;
  readonly reference: string;
  readonly isDryRun: boolean;
  readonly rate: number | null;
  readonly idempotencyKey: string | null;
}

/** An outage of minutes is waited for: the key makes every repeat the same request. */
const triesMax = 8;
const pauseMaxMs = 15_000;

/** Sends a file, again and again while the API is away. `say` hears of each repeat. */
export async function sendFile(access: Access, upload: Upload, say: (line: string) => void): Promise<Batch> {
  await accessFile(upload.path, constants.R_OK);
  const key = upload.idempotencyKey ?? randomUUID();
  const query = new URLSearchParams({ kind: upload.kind, reference: upload.reference });
  if (upload.isDryRun) query.set('dry_run', 'true');
  if (upload.rate !== null) query.set('rate_per_second', String(upload.rate));
  const type = /\.(ndjson|jsonl)$/i.test(upload.path) ? 'application/x-ndjson' : 'text/csv';
  for (let tries = 1; ; tries++) {
    const sent = await request(access, `/api/v1/batches?${query.toString()}`, {
      method: 'POST',
      headers: { 'content-type': type, 'idempotency-key': key },
      body: Readable.toWeb(createReadStream(upload.path)) as ReadableStream<Uint8Array>,
      duplex: 'half',
    }).catch((error: unknown) => error);
    if (sent instanceof Response) return batchOf(await sent.json());
    if (tries === triesMax || !isPassing(sent)) throw sent;
    say(
      `${sent instanceof Error ? sent.message.split('\n')[0] : 'no answer'}; trying again (--idempotency-key ${key})`,
    );
    await pause(Math.min(pauseMaxMs, 500 * 2 ** tries));
  }
}

/** Whether the same request may be taken in a moment. */
function isPassing(error: unknown): boolean {
  if (error instanceof Refused)
    return /^(not_accepted|acceptance_unknown|unavailable|rate_limited|internal_error)$/.test(error.code);
  return error instanceof TypeError; // what fetch throws where nobody answers
}

/** A batch as it is now. */
export async function readBatch(access: Access, id: string): Promise<Batch> {
  return batchOf(await (await request(access, `/api/v1/batches/${id}`)).json());
}

/** Has a batch paused, resumed, canceled or slowed down. */
export async function steerBatch(
  access: Access,
  id: string,
  act: 'pause' | 'resume' | 'cancel' | { readonly rate: number | null },
  reason: string | undefined,
): Promise<Batch> {
  const isPace = typeof act === 'object';
  const body = { ...(reason === undefined ? {} : { reason }), ...(isPace ? { rate_per_second: act.rate } : {}) };
  const answer = await request(access, `/api/v1/batches/${id}${isPace ? '' : `/${act}`}`, {
    method: isPace ? 'PUT' : 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return batchOf(await answer.json());
}

/** The result of a batch, as it comes. */
export async function readResult(access: Access, id: string): Promise<Readable> {
  const { body } = await request(access, `/api/v1/batches/${id}/result`);
  return body === null ? Readable.from([]) : Readable.fromWeb(body);
}

async function request(
  { url, key }: Access,
  path: string,
  init: RequestInit & { duplex?: 'half' } = {},
): Promise<Response> {
  const headers = new Headers(init.headers);
  headers.set('authorization', `Bearer ${key}`);
  const answer = await fetch(`${url}${path}`, { ...init, headers });
  if (answer.ok) return answer;
  const problem = problemSchema.safeParse(await answer.json().catch(() => null));
  throw problem.success ? new Refused(problem.data) : new Error(`${url} answered ${answer.status}: is that the API?`);
}

function batchOf(answer: unknown): Batch {
  return z.object({ data: batchSchema }).parse(answer).data;
}
