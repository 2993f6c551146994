import { z } from 'zod';
import type { ProblemCode } from '../errors.ts';
import { idempotencyKey } from '../request-headers.ts';
import { words } from '../text.ts';

/** The headers of every request that steers a batch. */
export const steerBatchHeaders = z.object({
  'idempotency-key': idempotencyKey.optional().describe('Tells a repeat. Made if absent.'),
});

/** Why a batch is steered. */
export const steerReason = words(500).optional().describe('Why, for whoever looks at the batch in Temporal');

/** The body of a request that steers a batch. */
export const steerBatchBody = z.strictObject({ reason: steerReason }).meta({ id: 'SteerBatch' });

/** What may stand in its way. */
export const steerBatchProblems: readonly ProblemCode[] = [
  'invalid_json',
  'not_found',
  'batch_over',
  'body_too_large',
  'unsupported_media_type',
  'not_accepted',
  'acceptance_unknown',
  'internal_error',
];
