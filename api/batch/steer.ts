import { randomUUID } from 'node:crypto';
import type { BatchRow } from '../../prisma/batches.ts';
import { isBatchOpen } from '../../workflows/domain/batch.ts';
import { requireBatch, toBatchObject } from '../batch-object.ts';
import type { ApiDeps } from '../deps.ts';
import { Problem } from '../errors.ts';
import type { Caller } from '../principal.ts';
import { repeatHeaders } from '../request-headers.ts';
import type { RouteAnswer, RouteRequest } from '../route.ts';
import { notAccepted, type Subject } from '../submit-and-read.ts';
import type { BatchAct, KnownBatch } from '../temporal/batch-client.ts';

/** However long a workflow takes to answer, its caller has an answer after so long. */
const patienceMs = 8_000;

/** A request about a batch. */
export function aboutBatch(batchId: string, idempotencyKey: string): Subject {
  return { named: { batch_id: batchId }, idempotencyKey };
}

/** A batch whose rows are staged, for whoever sends something to its workflow. */
export function knownBatch({
  id: batchId,
  merchant_id: merchantId,
  kind,
  reference,
  rows_total,
}: BatchRow): KnownBatch {
  return { batchId, merchantId, summary: `${rows_total} ${kind} · ${reference}` };
}

interface SteerRequest
  extends RouteRequest<{ readonly 'idempotency-key'?: string | undefined }, { readonly id: string }, unknown> {}

/**
 * Has a batch's workflow do something, and answers with the batch as it is then. `isDone` says whether the row says so already.
 * Throws `not_found`, `batch_over`, `not_accepted` and `acceptance_unknown`.
 */
export async function steered(
  deps: ApiDeps,
  request: SteerRequest,
  caller: Caller,
  wish: { readonly act: BatchAct; readonly isDone: (batch: BatchRow) => boolean },
): Promise<RouteAnswer> {
  const key = request.headers['idempotency-key'] ?? randomUUID();
  const before = await requireBatch(deps, caller, request.params.id);
  const isDone = wish.isDone(before);
  if (!isDone) {
    if (!isBatchOpen(before.status)) throw new Problem('batch_over');
    await act(deps, before, key, wish.act);
  }
  const after = isDone ? before : await requireBatch(deps, caller, before.id);
  return {
    status: 200,
    headers: repeatHeaders(`/api/v1/batches/${after.id}`, key, isDone),
    data: toBatchObject(after),
  };
}

async function act(deps: ApiDeps, batch: BatchRow, key: string, wanted: BatchAct): Promise<void> {
  const acted = await deps.batches.act(knownBatch(batch), key, wanted, Date.now() + patienceMs);
  switch (acted.kind) {
    case 'stored':
      return;
    case 'refused':
      throw acted.code === 'batch_over' ? new Problem('batch_over') : new Problem('internal_error', { cause: acted });
    case 'not_taken':
      throw notAccepted(aboutBatch(batch.id, key), false, acted.cause);
    case 'accepted':
    case 'no_answer':
      throw notAccepted(aboutBatch(batch.id, key), true);
  }
}
