import { timingSafeEqual } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import { findPayerReturn, type PayerReturn } from '../../prisma/payer-return.ts';
import type { PaymentStatus } from '../../workflows/domain/payment-status.ts';
import type { ApiDeps } from '../deps.ts';
import { Problem } from '../errors.ts';
import { requirePaymentId } from '../require-payment.ts';
import { publicRoute, type RouteAnswer } from '../route.ts';

/** How long a payer's browser waits for the outcome before it goes on without, and how often the row is looked at. */
const patienceMs = 5_000;
const everyMs = 200;

/** `GET /api/v1/payments/{id}/return/{token}`. */
export const returnPayer = publicRoute(
  {
    operationId: 'returnPayer',
    method: 'get',
    path: '/api/v1/payments/{id}/return/{token}',
    summary: 'Take a payer back from a provider',
    description:
      'For payers’ browsers, which providers send here once the payer has acted. The outcome is asked for at once, and ' +
      'waited for a few seconds; then the browser goes on to the payment’s `return_url`, with `payment_id` in its query, ' +
      'whatever came of it. The browser proves nothing: get the payment to know its status.',
    permission: null,
    envelope: 'page',
    headers: z.object({}),
    params: z.object({ id: z.string(), token: z.string() }),
    body: undefined,
    responses: {
      200: { description: 'A page for the payer, where the payment has no `return_url`', schema: z.string() },
      303: { description: '`Location` is the `return_url` of the payment', schema: z.string() },
    },
    problems: ['not_found', 'internal_error', 'unavailable'],
  },
  async (deps, { params: { id, token } }) => {
    const seen = await findPayerReturn(deps.db, requirePaymentId(id));
    if (seen === null || !isSame(token, seen.token)) throw new Problem('not_found');
    const { status, returnUrl } = seen.status === 'requires_action' ? await waitForOutcome(deps, id, seen) : seen;
    return returnUrl === null ? page(status) : redirect(returnUrl, id);
  },
);

/** Takes the same time however much of it is right. */
function isSame(given: string, token: string): boolean {
  const [one, other] = [Buffer.from(given), Buffer.from(token)];
  return one.length === other.length && timingSafeEqual(one, other);
}

/** Has the workflow ask the provider now, and looks at the row until the payer need not act any more, or in vain. */
async function waitForOutcome(deps: ApiDeps, id: string, seen: PayerReturn): Promise<PayerReturn> {
  const deadline = Date.now() + patienceMs;
  deps.payments.tellPayerReturned(id).catch((err: unknown) => {
    deps.logger.warn({ payment_id: id, err }, 'the payer came back, and the workflow does not know');
  });
  let latest = seen;
  while (latest.status === 'requires_action' && Date.now() < deadline) {
    await pause(everyMs);
    latest = (await findPayerReturn(deps.db, id)) ?? latest;
  }
  return latest;
}

/** The address here is a secret of payer and provider: nobody behind the link may learn it. */
const headers = { 'Content-Type': 'text/html; charset=utf-8', 'Referrer-Policy': 'no-referrer' };

function redirect(returnUrl: string, id: string): RouteAnswer {
  const url = new URL(returnUrl);
  url.search = `${url.search === '' ? '?' : `${url.search}&`}payment_id=${id}`; // the merchant's own query stays as it is
  return { status: 303, headers: { ...headers, Location: url.href }, data: '' };
}

const words: Readonly<Record<PaymentStatus, string>> = {
  pending: 'Your payment is being worked on.',
  requires_action: 'Your payment is being worked on.',
  held: 'Your payment is being checked.',
  authorized: 'Your payment was approved.',
  captured: 'Your payment was made.',
  failed: 'Your payment was not made.',
  canceled: 'Your payment was canceled.',
  unresolved: 'Your payment is being checked.',
  partially_refunded: 'Your payment was made, and a part of it paid back.',
  refunded: 'Your payment was paid back.',
};

function page(status: PaymentStatus): RouteAnswer {
  const data = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>Your payment</title>
  </head>
  <body>
    <main>
      <h1>${words[status]}</h1>
      <p>You may close this page.</p>
    </main>
  </body>
</html>
`;
  return { status: 200, headers, data };
}
