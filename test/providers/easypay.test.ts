import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createEasypay } from '../../activities/providers/easypay/easypay.ts';
import { type Provider, type ProviderCall, ProviderFault } from '../../activities/providers/provider.ts';
import { startSimulators } from '../../simulators/simulators.ts';
import { type Bank, bankAt } from '../support/bank.ts';

const apiKey = 'test-easypay-key';
const folder = mkdtempSync(join(tmpdir(), 'easypay-'));
let simulators: Awaited<ReturnType<typeof startSimulators>>;
let provider: Provider;
let bank: Bank;

beforeAll(async () => {
  simulators = await startSimulators({
    host: '127.0.0.1',
    controlPort: 0,
    easypayPort: 0,
    dataDir: folder,
    easypayApiKey: apiKey,
  });
  provider = createEasypay({ url: simulators.easypayUrl, apiKey });
  bank = bankAt(simulators.controlUrl);
});
afterEach(() => bank.heal());
afterAll(async () => {
  await provider.close();
  await simulators.stop();
  rmSync(folder, { recursive: true });
});

const aCharge = (changes: Partial<Parameters<Provider['charge']>[0]> = {}) => ({
  reference: `pay_${randomUUID()}`,
  idempotencyKey: `att_${randomUUID()}`,
  amountMinor: 2599n,
  currency: 'USD',
  cardToken: 'tok_visa_4242',
  ...changes,
});
const aCall = (changes: Partial<ProviderCall> = {}): ProviderCall => ({
  correlationId: 'req_test',
  timeoutMs: 1_000,
  mayStillSend: () => true,
  ...changes,
});
const faultOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'no fault',
    (error: unknown) => (error instanceof ProviderFault ? error.kind : `not a fault: ${String(error)}`),
  );
const movementsOf = async (reference: string) => (await bank.movements(reference)).length;

describe('a charge', () => {
  test('that is approved names the transaction and the card', async () => {
    const outcome = await provider.charge(aCharge(), aCall());
    expect(outcome).toMatchObject({ kind: 'approved', response: { responseCode: '00', card: { lastFour: '4242' } } });
  });

  test.each([
    ['tok_visa_declined_0002', 'card_declined'],
    ['tok_visa_insufficient_9995', 'insufficient_funds'],
    ['tok_visa_expired_0069', 'expired_card'],
    ['tok_visa_cvc_0127', 'incorrect_cvc'],
    ['tok_visa_lost_9987', 'lost_or_stolen_card'],
  ])('with %s is a decline, not a fault, and is normalized to %s', async (cardToken, declineCode) => {
    const charge = aCharge({ cardToken });
    expect(await provider.charge(charge, aCall())).toMatchObject({ kind: 'declined', declineCode });
    expect(await movementsOf(charge.reference)).toBe(0);
  });

  test('repeated with its key is the same charge and one movement', async () => {
    const charge = aCharge();
    const first = await provider.charge(charge, aCall());
    expect(await provider.charge(charge, aCall())).toEqual(first);
    expect(await movementsOf(charge.reference)).toBe(1);
  });

  test.each([
    ['refuse', 'unavailable', 0],
    ['503', 'unavailable', 0],
    ['429', 'rate_limited', 0],
    ['500_before', 'unknown_outcome', 0],
    ['500_after', 'unknown_outcome', 1],
    ['reset', 'unknown_outcome', 0],
    ['lost_after', 'unknown_outcome', 1],
    ['cut_json', 'unknown_outcome', 1],
    ['never', 'unknown_outcome', 0],
  ])('hit by %s is %s, with %i movement(s)', async (fault, kind, movements) => {
    await bank.inject([{ operation: 'charge', probability: 1, fault }]);
    const charge = aCharge();
    expect(await faultOf(provider.charge(charge, aCall()))).toBe(kind);
    expect(await movementsOf(charge.reference)).toBe(movements);
  });

  test('that the provider asks to slow down carries the delay it named', async () => {
    await bank.inject([{ operation: 'charge', probability: 1, fault: '429', delay_ms: 7_000 }]);
    const fault = await provider.charge(aCharge(), aCall()).catch((error: unknown) => error);
    expect(fault).toMatchObject({ kind: 'rate_limited', retryAfterMs: 7_000 });
  });

  test('answered with another amount is mismatched, never approved', async () => {
    await bank.inject([{ operation: 'charge', probability: 1, fault: 'wrong_amount' }]);
    expect(await provider.charge(aCharge(), aCall())).toMatchObject({ kind: 'mismatched' });
  });

  test('answered with another amount says which one the provider reported', async () => {
    await bank.inject([{ operation: 'charge', probability: 1, fault: 'wrong_amount' }]);
    const charge = aCharge();
    const outcome = await provider.charge(charge, aCall());
    expect(outcome).toMatchObject({ reported: { amountMinor: expect.stringMatching(/^\d+$/), currency: 'USD' } });
    expect(outcome).not.toMatchObject({ reported: { amountMinor: charge.amountMinor.toString() } });
  });

  test('with a token that the provider does not know is rejected: our request is wrong', async () => {
    expect(await faultOf(provider.charge(aCharge({ cardToken: 'tok_nobody' }), aCall()))).toBe('rejected');
  });

  test('whose key was used for another charge is in doubt, not approved', async () => {
    const first = aCharge();
    await provider.charge(first, aCall());
    expect(await faultOf(provider.charge({ ...first, amountMinor: 1n }, aCall()))).toBe('unknown_outcome');
  });

  test('with a wrong key of ours is misconfigured: an operator must act', async () => {
    const stranger = createEasypay({ url: simulators.easypayUrl, apiKey: 'wrong' });
    expect(await faultOf(stranger.charge(aCharge(), aCall()))).toBe('misconfigured');
    await stranger.close();
  });

  test('that comes too late to its connection is not sent', async () => {
    const charge = aCharge();
    expect(await faultOf(provider.charge(charge, aCall({ mayStillSend: () => false })))).toBe('unavailable');
    expect(await movementsOf(charge.reference)).toBe(0);
  });
});

describe('a look-up', () => {
  test('finds an approved charge by reference and key', async () => {
    const charge = aCharge();
    const outcome = await provider.charge(charge, aCall());
    expect(await provider.lookUpCharge(charge, aCall())).toEqual(outcome);
  });

  test('does not take another key of the same payment for ours', async () => {
    const charge = aCharge();
    await provider.charge(charge, aCall());
    expect(await provider.lookUpCharge({ ...charge, idempotencyKey: 'att_other' }, aCall())).toBeNull();
  });

  test('of a charge that nobody knows is null', async () => {
    expect(await provider.lookUpCharge(aCharge(), aCall())).toBeNull();
  });

  test('of a charge over another amount is mismatched', async () => {
    const charge = aCharge();
    await provider.charge(charge, aCall());
    expect(await provider.lookUpCharge({ ...charge, amountMinor: 1n }, aCall())).toMatchObject({
      kind: 'mismatched',
      reported: { amountMinor: '2599', currency: 'USD' },
    });
  });

  test.each(['500_before', 'reset', 'cut_json', 'never', '503', '429'])('hit by %s is a fault', async (fault) => {
    await bank.inject([{ operation: 'lookup', probability: 1, fault }]);
    expect(await faultOf(provider.lookUpCharge(aCharge(), aCall()))).not.toBe('no fault');
  });
});

describe('answers that no provider should give', () => {
  let server: Server;
  let answer: { status: number; body: string | Buffer; headers?: Record<string, string> };
  let odd: Provider;
  beforeAll(async () => {
    server = createServer((_request, response) => {
      response.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers }).end(answer.body);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('a TCP server has a port');
    odd = createEasypay({ url: `http://127.0.0.1:${address.port}`, apiKey });
  });
  afterAll(async () => {
    await odd.close();
    await new Promise((resolve) => server.close(resolve));
  });

  test.each([
    ['an empty 200', 200, ''],
    ['HTML', 200, '<html>ok</html>'],
    [
      'another reference',
      201,
      JSON.stringify({ id: 'x', reference: 'pay_other', idempotency_key: 'k', status: 'approved' }),
    ],
    ['a redirect', 302, ''],
    ['a 204', 204, ''],
    ['two megabytes', 201, Buffer.alloc(2_000_000, 32)],
    ['broken UTF-8', 201, Buffer.from([0x7b, 0xff, 0x7d])],
    ['a 503 that is not documented', 503, '{}'],
    ['a 418', 418, '{}'],
  ])('%s is an unknown outcome', async (_name, status, body) => {
    answer = { status, body };
    expect(await faultOf(odd.charge(aCharge(), aCall()))).toBe('unknown_outcome');
  });

  const approved = (charge: ReturnType<typeof aCharge>, changes: Record<string, unknown>) => ({
    status: 201,
    body: JSON.stringify({
      id: 'ch_1',
      reference: charge.reference,
      idempotency_key: charge.idempotencyKey,
      status: 'approved',
      amount_minor: charge.amountMinor.toString(),
      currency: charge.currency,
      response_code: '00',
      response_message: 'Approved',
      card: { brand: 'visa', last_four: '4242' },
      ...changes,
    }),
  });

  test.each([
    ['NUL', 'Appr\0oved'],
    ['half of a surrogate pair', 'Approved \uD83D'],
    ['a surrogate pair where it is cut', `${'x'.repeat(199)}😀`],
    ['ten thousand characters', 'x'.repeat(10_000)],
  ])('with %s in their remarks stay approved, and the remarks can be stored', async (_name, text) => {
    const charge = aCharge();
    const card = { brand: text, last_four: '4242' };
    answer = approved(charge, { response_message: text, response_code: text, card });
    const outcome = await odd.charge(charge, aCall());
    expect(outcome.kind).toBe('approved');
    const { responseMessage, responseCode, card: shown } = outcome.response;
    for (const remark of [responseMessage, responseCode, shown?.brand ?? '']) {
      expect(remark.length).toBeLessThanOrEqual(200);
      expect(remark.isWellFormed()).toBe(true);
      expect(remark).not.toContain('\0');
    }
  });

  test('with a card that cannot be read stay approved, without the card', async () => {
    const charge = aCharge();
    answer = approved(charge, { card: { brand: 'visa', last_four: '42' } });
    expect(await odd.charge(charge, aCall())).toMatchObject({ kind: 'approved', response: { card: null } });
  });

  test.each(['ch\0', 'ch 1', '', 'c'.repeat(201), '\uD83D'])('with the id %j are unknown outcomes', async (id) => {
    const charge = aCharge();
    answer = approved(charge, { id });
    expect(await faultOf(odd.charge(charge, aCall()))).toBe('unknown_outcome');
  });

  test.each([
    ['a charge turned away', 'charge', 503],
    ['a look-up turned away', 'lookUpCharge', 503],
    ['a look-up limited', 'lookUpCharge', 429],
    ['a look-up failed', 'lookUpCharge', 500],
  ] as const)('with Retry-After on %s carry the wait', async (_name, call, status) => {
    const body = JSON.stringify({ error: { code: 'service_unavailable' } });
    answer = { status, body, headers: { 'retry-after': '7' } };
    expect(await odd[call](aCharge(), aCall()).catch((error: unknown) => error)).toMatchObject({ retryAfterMs: 7_000 });
  });

  test('never put the provider’s words into our messages', async () => {
    answer = { status: 500, body: JSON.stringify({ error: { code: 'Jane Doe 4242', message: 'secret' } }) };
    const fault = await odd.charge(aCharge(), aCall()).catch((error: unknown) => error);
    expect(String(fault)).not.toMatch(/Jane|4242|secret/);
  });
});

test('a provider that nobody listens for is unavailable', async () => {
  const nobody = createEasypay({ url: 'http://127.0.0.1:1', apiKey });
  expect(await faultOf(nobody.charge(aCharge(), aCall()))).toBe('unavailable');
  await nobody.close();
});
