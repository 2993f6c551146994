import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { findMovementRow, type MovementRow } from '../../prisma/movement-list.ts';
import { scopeOfRefund } from '../../prisma/scopes.ts';
import type { ApiDeps } from '../deps.ts';
import { Problem } from '../errors.ts';
import { knownPayment } from '../known-payment.ts';
import { problemOfRefusal } from '../movement-refusals.ts';
import { refundSchema, toRefundObject } from '../refund-object.ts';
import { repeatableHeaders, repeatHeaders } from '../request-headers.ts';
import { requirePayment, requireRefundId } from '../require-payment.ts';
import { operatorWaitSeconds, resolutionFields } from '../resolution.ts';
import { platformRoute } from '../route.ts';
import { aboutPayment, actErrand, submitAndRead } from '../submit-and-read.ts';
import type { RefundToStart } from '../temporal/workflow-starts.ts';

const body = z
  .strictObject({
    outcome: z.enum(['refunded', 'failed']).describe('`failed`: nothing was paid back'),
    ...resolutionFields,
  })
  .meta({ id: 'ResolveRefund' });

/** `POST /api/v1/refunds/{id}/resolve`. */
export const resolveRefund = platformRoute(
  {
    operationId: 'resolveRefund',
    method: 'post',
    path: '/api/v1/refunds/{id}/resolve',
    summary: 'Decide an unresolved refund',
    description:
      'Says what became of a refund whose outcome the provider never told, of any merchant’s payment. Evidence and reason ' +
      'go to the audit trail.',
    permission: 'resolutions:write',
    envelope: 'object',
    headers: repeatableHeaders,
    params: z.object({ id: z.string() }),
    body,
    responses: {
      200: { description: 'The refund as decided', schema: refundSchema },
      202: { description: 'The refund; the decision is being worked on', schema: refundSchema },
    },
    problems: [
      'invalid_json',
      'not_found',
      'not_unresolved',
      'movement_in_progress',
      'body_too_large',
      'unsupported_media_type',
      'not_accepted',
      'acceptance_unknown',
    ],
  },
  async (deps, request, operator) => {
    const key = request.headers['idempotency-key'] ?? randomUUID();
    const { find, before, start } = await requireAnyRefund(deps, requireRefundId(request.params.id));
    if (before.state !== 'unresolved') throw new Problem('not_unresolved');
    const resolution = { ...request.body, actor: operator.actor };
    const errand = actErrand({
      ...aboutPayment(start.paymentId, key),
      send: (until, deadline) => deps.payments.resolveRefund(start, key, resolution, until, deadline),
      find,
      isOver: () => false, // somebody else's decision is not this one
      refusal: (refused) => problemOfRefusal(refused, 'not_unresolved'),
    });
    const refund = await submitAndRead(deps, request, operatorWaitSeconds, errand);
    return {
      status: refund.state === 'unresolved' ? 202 : 200,
      headers: repeatHeaders(`/api/v1/refunds/${refund.id}`, key, false),
      data: toRefundObject(refund),
    };
  },
);

interface FoundRefund {
  readonly find: () => Promise<MovementRow | null>;
  readonly before: MovementRow;
  readonly start: RefundToStart;
}

async function requireAnyRefund(deps: ApiDeps, id: string): Promise<FoundRefund> {
  const scope = await scopeOfRefund(deps.db, id);
  const find = async () => scope && findMovementRow(deps.db, scope, 'refund', id);
  const before = await find();
  if (scope === null || before === null) throw new Problem('not_found');
  const payment = await requirePayment(deps, scope, before.payment_id);
  return { find, before, start: { ...knownPayment(scope, payment), refundId: id, amountMinor: before.amount } };
}
