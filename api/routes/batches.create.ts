import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { type BatchRow, claimBatch, type NewBatch } from '../../prisma/batches.ts';
import { ratePerSecondMax } from '../../workflows/batch-contract.ts';
import { isBatchOpen } from '../../workflows/domain/batch.ts';
import { batchIdOf } from '../../workflows/domain/ids.ts';
import { beginsAsFormula } from '../batch/csv-rows.ts';
import { kindRules } from '../batch/kinds.ts';
import { receiveBatch } from '../batch/receive.ts';
import { aboutBatch, knownBatch } from '../batch/steer.ts';
import { batchKind, batchSchema, toBatchObject } from '../batch-object.ts';
import type { ApiDeps } from '../deps.ts';
import { Problem } from '../errors.ts';
import { refusalOf } from '../middleware/authorize.ts';
import type { Caller } from '../principal.ts';
import { hashOfBody } from '../request-hash.ts';
import { idempotencyKey, repeatHeaders } from '../request-headers.ts';
import { fileBody, merchantRoute, type RouteRequest } from '../route.ts';
import { notAccepted, readBefore } from '../submit-and-read.ts';
import { words } from '../text.ts';

const headers = z.object({
  'idempotency-key': idempotencyKey
    .optional()
    .describe('Makes the request repeatable: the same key and file are one batch, however often sent. Made if absent.'),
});

const query = z.strictObject({
  kind: batchKind.describe('What the rows make'),
  reference: words(100)
    .refine((reference) => !beginsAsFormula(reference), 'must not begin with =, +, -, @ or a tab')
    .describe(
      'Your name of what the file is a part of. With a row’s `key` it names what the row makes: the same reference and key are the ' +
        'same thing, whatever the file',
    ),
  dry_run: z
    .enum(['true', 'false'], 'must be true or false')
    .transform((text) => text === 'true')
    .default(false)
    .meta({ type: 'boolean', default: false, description: 'Only check the file: nothing starts' }),
  rate_per_second: z
    .string()
    .regex(/^(?:[1-9]\d{0,2}|1000)$/, `must be a whole number from 1 to ${ratePerSecondMax}`)
    .transform(Number)
    .optional()
    .meta({ type: 'integer', minimum: 1, maximum: ratePerSecondMax, description: 'Rows started per second at most' }),
});

type CreateRequest = RouteRequest<z.infer<typeof headers>, unknown, z.infer<typeof fileBody>, z.infer<typeof query>>;

/** Temporal has so long to take a batch on; where it does not, the sweep hands it over again. */
const startWithinMs = 5_000;

/** `POST /api/v1/batches`. */
export const createBatch = merchantRoute(
  {
    operationId: 'createBatch',
    method: 'post',
    path: '/api/v1/batches',
    summary: 'Start a batch',
    description:
      'Makes a subscription or a payment of every row of a CSV or NDJSON file, of at most 64 MB and 100,000 rows. The file is checked ' +
      'to its end before anything starts; with one error in it nothing does. Each row has a `key` of your own: run a file again under ' +
      'the same `reference`, after whatever happened, and no row starts twice. Needs the permission for what the rows make too.',
    permission: 'batches:write',
    envelope: 'object',
    headers,
    params: z.object({}),
    query,
    body: fileBody,
    responses: {
      201: { description: 'The batch: a dry run that found no error, or one that is over', schema: batchSchema },
      202: { description: 'The batch: its rows are being started', schema: batchSchema },
    },
    problems: [
      'body_too_large',
      'unsupported_media_type',
      'invalid_json',
      'batch_invalid',
      'too_many_batches',
      'card_number_refused',
      'idempotency_key_reused',
      'not_accepted',
      'acceptance_unknown',
    ],
  },
  async (deps, request, caller) => {
    const refusal = refusalOf(caller, kindRules[request.query.kind].permission);
    if (refusal !== null) throw refusal;
    const key = request.headers['idempotency-key'] ?? randomUUID();
    const wanted = newBatch(request, caller, key);
    const about = aboutBatch(wanted.id, key);
    const claimed = await readBefore(about, () => claimBatch(deps.db, caller, wanted));
    if (claimed.kind === 'too_many') throw new Problem('too_many_batches');
    if (claimed.batch.request_hash !== wanted.requestHash) throw new Problem('idempotency_key_reused');
    if (claimed.kind === 'existing' && claimed.batch.status === 'receiving') throw notAccepted(about, true);
    const batch = claimed.kind === 'existing' ? claimed.batch : await received(deps, request, caller, claimed.batch);
    if (batch === null) throw notAccepted(about, true);
    if (batch.status === 'invalid') throw invalid(batch, key);
    if (isBatchOpen(batch.status)) await start(deps, batch);
    return {
      status: isBatchOpen(batch.status) ? 202 : 201,
      headers: repeatHeaders(`/api/v1/batches/${batch.id}`, key, claimed.kind === 'existing'),
      data: toBatchObject(batch),
    };
  },
  (request, caller, outage) => {
    const key = request.headers['idempotency-key'] ?? randomUUID();
    return notAccepted(aboutBatch(batchIdOf({ ...caller, idempotencyKey: key }), key), false, outage);
  },
);

function newBatch(
  { query: asked, body: file, origin, requestId }: CreateRequest,
  caller: Caller,
  key: string,
): NewBatch {
  const { kind, reference, dry_run: isDryRun, rate_per_second: ratePerSecond = null } = asked;
  const { merchantId, isTest, actor } = caller;
  return {
    id: batchIdOf({ merchantId, isTest, idempotencyKey: key }),
    idempotencyKey: key,
    requestHash: hashOfBody([file.sha256, file.format, asked]),
    reference,
    kind,
    format: file.format,
    isDryRun,
    ratePerSecond,
    actor,
    origin,
    correlationId: requestId,
  };
}

function received(deps: ApiDeps, request: CreateRequest, caller: Caller, batch: BatchRow): Promise<BatchRow | null> {
  const { id: batchId, kind, reference } = batch;
  const { origin, receivedAt } = request;
  return receiveBatch(deps.db, batch, request.body, { batchId, kind, reference, caller, origin, receivedAt });
}

function invalid(batch: BatchRow, key: string): Problem {
  return new Problem('batch_invalid', {
    errors: batch.errors,
    headers: { 'Idempotency-Key': key },
    members: { batch_id: batch.id, error_count: batch.error_count },
  });
}

/** Its rows are committed: whatever Temporal says, they will be started. */
async function start({ batches, logger }: ApiDeps, batch: BatchRow): Promise<void> {
  const refused = await batches.start(knownBatch(batch), Date.now() + startWithinMs);
  if (refused !== null) logger.warn({ err: refused.cause, batch_id: batch.id }, 'not sent to Temporal');
}
