import type { PaymentObject } from '../../api/payment-object.ts';
import type { RefundObject } from '../../api/refund-object.ts';
import { callApi, type List } from './api-call.ts';
import { getPayment } from './api-client.ts';
import type { FaultRule } from './bank.ts';
import { until } from './until.ts';
import type { World } from './world.ts';

/** What the tests of a payment's whole life share: reading how things stand, and the faults that they inject. */

/** A fault that strikes the first call of an operation that it can strike. */
export function once(operation: FaultRule['operation'], fault: string): FaultRule {
  return { operation, probability: 1, times: 1, fault };
}

/** A fault that strikes every call of an operation. */
export function always(operation: FaultRule['operation'], fault: string): FaultRule {
  return { operation, probability: 1, fault };
}

/** The payment as the API shows it now. */
export async function paymentOf(world: World, id: string, apiKey = world.merchant.testKey): Promise<PaymentObject> {
  return (await getPayment(world.apiUrl, id, apiKey)).payment;
}

/** The refund as the API shows it now. */
export async function refundOf(world: World, id: string, apiKey = world.merchant.testKey): Promise<RefundObject> {
  const answer = await callApi<{ data: RefundObject }>(world.apiUrl, apiKey, { path: `/api/v1/refunds/${id}` });
  if (answer.status !== 200) throw new Error(`expected a refund, got ${answer.status}`);
  return answer.body.data;
}

/** All elements of a short list of the API. */
export async function listOf<Element>(world: World, path: string, apiKey = world.merchant.testKey): Promise<Element[]> {
  const answer = await callApi<List<Element>>(world.apiUrl, apiKey, { path: `/api/v1${path}` });
  if (answer.status !== 200) throw new Error(`${path} answered ${answer.status}: ${JSON.stringify(answer.body)}`);
  return answer.body.data;
}

/** Waits until a payment has a status, and answers it. */
export async function hasStatus(
  world: World,
  id: string,
  status: PaymentObject['status'],
  apiKey = world.merchant.testKey,
): Promise<PaymentObject> {
  return until(`${id} is ${status}`, async () => {
    const payment = await paymentOf(world, id, apiKey);
    return payment.status === status ? payment : null;
  });
}

/** What the bank booked under a reference: kinds and minor units, in order. */
export async function bookedOf(world: World, reference: string): Promise<string[]> {
  return (await world.bank.movements(reference)).map(({ kind, amount_minor }) => `${kind} ${amount_minor}`);
}

/** Waits until a call of this reference stands at its park. */
export async function isParked(world: World, reference: string): Promise<void> {
  await until(`the call of ${reference} is parked`, async () =>
    (await world.bank.parked()).some((parked) => parked.reference === reference),
  );
}

/** What a provider tells us of its own accord: asynchronous completions, every commit, or nothing. */
export async function wantEvents(
  world: World,
  face: 'easypay' | 'paypal',
  mode: 'asynchronous' | 'all' | 'none',
): Promise<void> {
  await world.outside(`/events/${face}`, { method: 'PUT', body: JSON.stringify({ mode }) });
}
