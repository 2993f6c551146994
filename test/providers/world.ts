import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll } from 'vitest';
import {
  type ChargeRequest,
  type MovementRequest,
  type Provider,
  type ProviderCall,
  ProviderFault,
} from '../../activities/providers/provider.ts';
import { type Simulators, startSimulators } from '../../simulators/simulators.ts';
import type { MovementKind } from '../../workflows/domain/movement.ts';
import { type Bank, bankAt } from '../support/bank.ts';

/** What the simulators know us by; an adapter that sends anything else is a stranger to them. */
export const secrets = { easypay: 'test-easypay-key', paypalClient: 'test-client', paypal: 'test-paypal-secret' };

/** An adapter before the simulators, and the witness. */
export interface ProviderWorld {
  readonly provider: Provider;
  /** The bank's book, with the switches of the provider's face. */
  readonly bank: Bank;
  /** Whether the provider wants two steps. */
  readonly prepares: boolean;
  /** Whether the provider can send the payer to a page of its own in the middle of a charge. */
  readonly asksPayer: boolean;
  /** Where the face listens. */
  readonly url: string;
  /** Another adapter of the same kind, closed after the tests. */
  connect(url: string, secret?: string): Provider;
}

/** How the tests of one adapter reach it. */
export interface ProviderSetup {
  readonly face: 'easypay' | 'paypal';
  readonly prepares: boolean;
  /** Default: no. */
  readonly asksPayer?: boolean;
  readonly urlOf: (simulators: Simulators) => string;
  readonly make: (url: string, secret: string) => Provider;
}

/** Starts simulators for the tests of the file, on free ports, and heals them after each. */
export function providerWorld({ face, prepares, asksPayer = false, urlOf, make }: ProviderSetup): ProviderWorld {
  const folder = mkdtempSync(join(tmpdir(), `${face}-`));
  const opened: Provider[] = [];
  let simulators: Simulators | undefined;
  let provider: Provider | undefined;
  const started = <T>(value: T | undefined): T => {
    if (value === undefined) throw new Error('the world is ready once the tests run');
    return value;
  };
  const world: ProviderWorld = {
    prepares,
    asksPayer,
    get provider() {
      return started(provider);
    },
    get bank() {
      return bankAt(started(simulators).controlUrl, face);
    },
    get url() {
      return urlOf(started(simulators));
    },
    connect(url, secret = secrets[face]) {
      const another = make(url, secret);
      opened.push(another);
      return another;
    },
  };
  beforeAll(async () => {
    simulators = await startSimulators({
      host: '127.0.0.1',
      controlPort: 0,
      easypayPort: 0,
      paypalPort: 0,
      dataDir: folder,
      easypayApiKey: secrets.easypay,
      paypalClientId: secrets.paypalClient,
      paypalClientSecret: secrets.paypal,
    });
    provider = world.connect(world.url);
  });
  afterEach(async () => {
    await world.bank.heal();
    await world.bank.release();
  });
  afterAll(async () => {
    await Promise.all(opened.map((one) => one.close()));
    await simulators?.stop();
    rmSync(folder, { recursive: true });
  });
  return world;
}

/** A charge of 25.99 USD on a card that approves, unless told otherwise. Nothing is prepared for it. */
export function aCharge(changes: Partial<ChargeRequest> = {}): ChargeRequest {
  return {
    reference: `pay_${randomUUID()}`,
    idempotencyKey: `att_${randomUUID()}`,
    amountMinor: 2599n,
    currency: 'USD',
    paymentMethod: 'credit_card',
    cardToken: 'tok_visa_4242',
    capture: 'automatic',
    returnUrl: 'https://payments.example/return/4711',
    preparationId: null,
    ...changes,
  };
}

/** A capture, void or refund of the whole charge that the provider calls `chargeTransactionId`, unless told otherwise. */
export function aMovement(
  kind: MovementKind,
  charge: ChargeRequest,
  chargeTransactionId: string,
  changes: Partial<MovementRequest> = {},
): MovementRequest {
  return {
    kind,
    reference: `${kind.slice(0, 3)}_${randomUUID()}`,
    idempotencyKey: `att_${randomUUID()}`,
    paymentId: charge.reference,
    chargeTransactionId,
    captureTransactionId: null,
    preparationId: charge.preparationId,
    amountMinor: charge.amountMinor,
    currency: charge.currency,
    isFinal: true,
    ...changes,
  };
}

/** Five seconds, and still in time to be sent, unless told otherwise. */
export function aCall(changes: Partial<ProviderCall> = {}): ProviderCall {
  return { correlationId: 'req_test', timeoutMs: 5_000, mayStillSend: () => true, ...changes };
}

/** The charge with what the provider needs before it, made under a key that belongs to the charge's own. */
export async function prepared(provider: Provider, charge: ChargeRequest): Promise<ChargeRequest> {
  if (provider.prepare === undefined) return charge;
  return { ...charge, preparationId: await provider.prepare(preparationOf(charge), aCall()) };
}

/** The request that prepares a charge. */
export function preparationOf(charge: ChargeRequest): ChargeRequest {
  return { ...charge, idempotencyKey: `${charge.idempotencyKey}_prepare` };
}

/** The fault that a call ends with; anything else, an outcome too, fails the test. */
export async function faultOf(work: Promise<unknown>): Promise<ProviderFault> {
  let outcome: unknown;
  try {
    outcome = await work;
  } catch (error) {
    if (error instanceof ProviderFault) return error;
    throw error;
  }
  throw new Error(`ended without a fault: ${JSON.stringify(outcome)}`);
}

/** The kind of that fault. */
export async function faultKindOf(work: Promise<unknown>): Promise<string> {
  return (await faultOf(work)).kind;
}
