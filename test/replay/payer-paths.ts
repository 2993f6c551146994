import type { PaymentObject } from '../../api/payment-object.ts';
import { cancelPayment } from '../../workflows/contract.ts';
import { aPayment, postPayment } from '../support/api-client.ts';
import type { TestMerchant, World } from '../support/world.ts';
import { act, finished, isInState, lost, type Path, resolved } from './steps.ts';

/** The ways of a payment whose payer must act. */
export const payerPaths: Readonly<Record<string, Path>> = {
  'payer-approved': (world) => answered(world, 'approve'),
  'payer-approved-and-came-back': async (world) => {
    const payment = await waitingForPayer(world, { return_url: 'https://shop.example/thanks' });
    await sendsEvents(world, 'none'); // the provider's word would be there before the payer
    const pressed = await press(payment, 'approve');
    await fetch(pressed.headers.get('location') ?? '', { redirect: 'manual' });
    await sendsEvents(world, 'asynchronous');
    return finished(world, payment.id);
  },
  'payer-approved-a-reservation': async (world) => {
    const payment = await waitingForPayer(world, { capture: 'manual' });
    await press(payment, 'approve');
    await isInState(world, payment.id, 'authorized');
    await world.temporal.workflow.getHandle(payment.id).executeUpdate(cancelPayment, { args: [act] });
    return finished(world, payment.id);
  },
  'payer-declined': (world) => answered(world, 'decline'),
  'payer-too-late': async (world) =>
    finished(world, (await waitingForPayer(world, {}, await world.createMerchant({ action_within: 2 }))).id),
  'payer-canceled': async (world) => {
    const { id } = await waitingForPayer(world);
    await world.temporal.workflow.getHandle(id).executeUpdate(cancelPayment, { args: [act] });
    return finished(world, id);
  },
  'payer-too-late-and-unresolved': async (world) => {
    const merchant = await world.createMerchant({ action_within: 5, expires_after: 10, ask_for: 10 });
    const { id } = await waitingForPayer(world, {}, merchant);
    await world.bank.inject(lost('void'));
    return resolved(world, id, 'canceled');
  },
};

async function waitingForPayer(
  world: World,
  body: Record<string, unknown> = {},
  { testKey: apiKey }: TestMerchant = world.merchant,
): Promise<PaymentObject> {
  const request = aPayment({ card_token: 'tok_visa_challenge_3220', ...body });
  const { payment } = await postPayment(world.apiUrl, request, { apiKey });
  if (payment.status !== 'requires_action') throw new Error(`expected a payer to act, got ${payment.status}`);
  return payment;
}

/** Presses a button on the challenge's page. */
async function press({ next_action: action }: PaymentObject, outcome: 'approve' | 'decline'): Promise<Response> {
  const url = action?.redirect_url ?? '';
  return fetch(url, { method: 'POST', redirect: 'manual', body: new URLSearchParams({ outcome }) });
}

async function sendsEvents(world: World, mode: 'none' | 'asynchronous'): Promise<void> {
  await world.outside('/events/easypay', { method: 'PUT', body: JSON.stringify({ mode }) });
}

async function answered(world: World, outcome: 'approve' | 'decline'): Promise<string> {
  const payment = await waitingForPayer(world);
  await press(payment, outcome);
  return finished(world, payment.id);
}
