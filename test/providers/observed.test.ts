import { describe, expect, test } from 'vitest';
import { observedProviders, type ProviderCallReport } from '../../activities/providers/observed.ts';
import { createPaypal } from '../../activities/providers/paypal/paypal.ts';
import {
  type ChargeRequest,
  type MovementRequest,
  type Provider,
  type ProviderCall,
  ProviderFault,
} from '../../activities/providers/provider.ts';
import type { ChargeOutcome } from '../../workflows/domain/outcome.ts';
import { stubServer } from './stub.ts';

const response = { transactionId: 'epc_1', responseCode: '00', responseMessage: 'Approved', card: null };
const approved: ChargeOutcome = { kind: 'approved', response };
const declined: ChargeOutcome = { kind: 'declined', declineCode: 'insufficient_funds', response };

const request: ChargeRequest = {
  reference: 'pay_1',
  idempotencyKey: 'att_1',
  amountMinor: 2599n,
  currency: 'USD',
  paymentMethod: 'paypal',
  cardToken: 'tok_paypal_wallet_1',
  capture: 'automatic',
  returnUrl: 'https://payments.example/return/4711',
  preparationId: null,
};
const movement: MovementRequest = {
  kind: 'refund',
  reference: 'ref_1',
  idempotencyKey: 'att_1',
  paymentId: 'pay_1',
  chargeTransactionId: 'epc_1',
  captureTransactionId: null,
  preparationId: null,
  amountMinor: 2599n,
  currency: 'USD',
  isFinal: true,
};
const call: ProviderCall = { correlationId: 'checkout-17', timeoutMs: 2_000, mayStillSend: () => true };

const quiet: Provider = {
  name: 'quietpay',
  capabilities: { methods: ['paypal'], brands: null, currencies: null },
  idempotency: { kind: 'key' },
  processingHorizonMs: 30_000,
  refundsPer: 'capture',
  charge: async () => approved,
  lookUpCharge: async () => null,
  move: async () => approved,
  lookUpMovement: async () => null,
  close: async () => undefined,
};

function watched(provider: Provider): { provider: Provider; reports: ProviderCallReport[] } {
  const reports: ProviderCallReport[] = [];
  const all = observedProviders(new Map([[provider.name, provider]]), (report) => void reports.push(report));
  const observed = all.get(provider.name);
  if (observed === undefined) throw new Error('a provider was lost');
  return { provider: observed, reports };
}

describe('an observed provider', () => {
  const charge = (provider: Provider) => provider.charge(request, call);
  const lookUp = (provider: Provider) => provider.lookUpCharge(request, call);
  const prepare = (provider: Provider) => provider.prepare?.(request, call);
  const move = (kind: MovementRequest['kind']) => (provider: Provider) => provider.move({ ...movement, kind }, call);
  const lookUpMovement = (provider: Provider) => provider.lookUpMovement(movement, call);

  test.each([
    ['charge', 'approved', {}, charge, approved],
    ['charge', 'declined', { charge: async () => declined }, charge, declined],
    ['lookup', 'not_found', {}, lookUp, null],
    ['lookup', 'approved', { lookUpCharge: async () => approved }, lookUp, approved],
    ['prepare', 'prepared', { prepare: async () => 'ord_1' }, prepare, 'ord_1'],
    ['capture', 'approved', {}, move('capture'), approved],
    ['void', 'declined', { move: async () => declined }, move('void'), declined],
    ['refund', 'approved', {}, move('refund'), approved],
    ['lookup', 'not_found', {}, lookUpMovement, null],
    ['lookup', 'declined', { lookUpMovement: async () => declined }, lookUpMovement, declined],
  ] as const)('answers as it would, and a %s is reported as %s', async (operation, result, changes, use, answer) => {
    const { provider, reports } = watched({ ...quiet, ...changes });
    expect(await use(provider)).toEqual(answer);
    expect(reports).toEqual([
      {
        provider: 'quietpay',
        operation,
        result,
        durationMs: expect.any(Number),
        paymentId: 'pay_1',
        attemptId: 'att_1',
        correlationId: 'checkout-17',
        httpStatus: null,
        error: null,
      },
    ]);
  });

  test.each([
    ['unavailable', new ProviderFault('unavailable', 'no connection')],
    ['unknown_outcome', new ProviderFault('unknown_outcome', 'no answer')],
    ['error', new TypeError('a mistake')],
  ])('fails as it would, and that is reported as %s', async (result, error) => {
    const { provider, reports } = watched({ ...quiet, charge: () => Promise.reject(error) });
    await expect(provider.charge(request, call)).rejects.toBe(error);
    expect(reports).toMatchObject([{ result, error }]);
  });

  test('fails to move as it would, and that is reported as the kind of the movement', async () => {
    const error = new ProviderFault('rate_limited', 'too many requests');
    const { provider, reports } = watched({ ...quiet, move: () => Promise.reject(error) });
    await expect(provider.move({ ...movement, kind: 'capture' }, call)).rejects.toBe(error);
    expect(reports).toMatchObject([{ operation: 'capture', result: 'rate_limited', paymentId: 'pay_1', error }]);
  });

  test('declares what it would', () => {
    const { provider } = watched(quiet);
    for (const name of ['name', 'capabilities', 'idempotency', 'processingHorizonMs', 'refundsPer'] as const) {
      expect(provider[name], name).toEqual(quiet[name]);
    }
  });

  test('has no step that the provider does not have', () => {
    expect(watched(quiet).provider).not.toHaveProperty('prepare');
  });
});

describe('the HTTP status in a report', () => {
  const stub = stubServer();
  const paypal = () => watched(createPaypal({ url: stub.url, clientId: 'c', clientSecret: 's' }));

  test('is that of the last answer', async () => {
    stub.answerWith({ status: 503, body: '{}' });
    const { provider, reports } = paypal();
    await expect(provider.prepare?.(request, call)).rejects.toThrow(ProviderFault);
    expect(reports).toMatchObject([{ provider: 'paypal', operation: 'prepare', httpStatus: 503 }]);
    await provider.close();
  });

  test('is null when the last exchange had no answer, whatever the one before was answered with', async () => {
    stub.answerWith({ status: 201, body: '{}', delayMs: 3_000 });
    const { provider, reports } = paypal();
    await expect(provider.prepare?.(request, { ...call, timeoutMs: 400 })).rejects.toThrow(ProviderFault);
    expect(stub.tokensAsked).toBe(1);
    expect(reports).toMatchObject([{ result: 'unknown_outcome', httpStatus: null }]);
    await provider.close();
  });
});
