import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { findPayment, type MerchantScope, type PaymentRow } from '../../prisma/payments.ts';
import { scopeOfPayment } from '../../prisma/scopes.ts';
import type { Resolution } from '../../workflows/contract.ts';
import type { ApiDeps } from '../deps.ts';
import { Problem } from '../errors.ts';
import { knownPayment } from '../known-payment.ts';
import { problemOfRefusal } from '../movement-refusals.ts';
import { paymentSchema, toPaymentObject } from '../payment-object.ts';
import { repeatableHeaders, repeatHeaders } from '../request-headers.ts';
import { requirePayment, requirePaymentId } from '../require-payment.ts';
import { operatorWaitSeconds, resolutionFields } from '../resolution.ts';
import { platformRoute } from '../route.ts';
import { aboutPayment, actErrand, type Errand, readBefore, type Subject, submitAndRead } from '../submit-and-read.ts';

const body = z
  .strictObject({
    outcome: z
      .enum(['authorized', 'captured', 'canceled', 'failed'])
      .describe(
        '`failed`: what is open did not happen. It did: `authorized` or `captured` for a charge, `captured` for a capture, ' +
          '`canceled` for a release',
      ),
    ...resolutionFields,
  })
  .meta({ id: 'ResolvePayment' });

/** `POST /api/v1/payments/{id}/resolve`. */
export const resolvePayment = platformRoute(
  {
    operationId: 'resolvePayment',
    method: 'post',
    path: '/api/v1/payments/{id}/resolve',
    summary: 'Decide an unresolved payment',
    description:
      'Says what became of a charge, capture or release whose outcome the provider never told, of any merchant’s payment. ' +
      'Evidence and reason go to the audit trail.',
    permission: 'resolutions:write',
    envelope: 'object',
    headers: repeatableHeaders,
    params: z.object({ id: z.string() }),
    body,
    responses: {
      200: { description: 'The payment as decided', schema: paymentSchema },
      202: { description: 'The payment; the decision is being worked on', schema: paymentSchema },
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
    const paymentId = requirePaymentId(request.params.id);
    const subject = aboutPayment(paymentId, key);
    const { scope, payment: before } = await readBefore(subject, () => requireAnyPayment(deps, paymentId));
    if (before.status !== 'unresolved') throw new Problem('not_unresolved');
    const resolution = { ...request.body, actor: operator.actor };
    const errand = resolving(deps, scope, subject, before, resolution);
    const payment = await submitAndRead(deps, request, operatorWaitSeconds, errand);
    return {
      status: payment.status === 'unresolved' ? 202 : 200,
      headers: repeatHeaders(`/api/v1/payments/${payment.id}`, key, false),
      data: toPaymentObject(payment),
    };
  },
);

async function requireAnyPayment(deps: ApiDeps, id: string): Promise<{ scope: MerchantScope; payment: PaymentRow }> {
  const scope = await scopeOfPayment(deps.db, id);
  if (scope === null) throw new Problem('not_found');
  return { scope, payment: await requirePayment(deps, scope, id) };
}

function resolving(
  deps: ApiDeps,
  scope: MerchantScope,
  subject: Subject,
  payment: PaymentRow,
  resolution: Resolution,
): Errand<PaymentRow> {
  const start = knownPayment(scope, payment);
  return actErrand({
    ...subject,
    send: (until, deadline) => deps.payments.resolve(start, subject.idempotencyKey, resolution, until, deadline),
    find: () => findPayment(deps.db, scope, payment.id),
    isOver: () => false, // somebody else's decision is not this one
    refusal: (refused) => problemOfRefusal(refused, 'not_unresolved'),
  });
}
