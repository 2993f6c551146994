import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { z } from 'zod';
import type { SimulatorsOptions } from '../../simulators/simulators.ts';
import { startSimulators } from '../../simulators/simulators.ts';

export const apiKey = 'face-key-for-tests';
export const paypalClient = { id: 'client-for-tests', secret: 'client-secret-for-tests' };

/** An answer, with its body read as JSON where it is JSON. */
export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

export interface World {
  readonly control: string;
  readonly easypay: string;
}

/** A world whose every face is used. */
export interface WholeWorld extends World {
  readonly paypal: string;
  readonly smtp: string;
  readonly sms: string;
  readonly inbox: string;
}

/** A folder that is removed after the test. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'simulators-test-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Simulators in this process, on free ports, stopped after the test. */
export async function startWorld(dataDir?: string, options: Partial<SimulatorsOptions> = {}) {
  const folder = dataDir ?? (await temporaryFolder());
  const warnings: string[] = [];
  const simulators = await startSimulators({
    host: '127.0.0.1',
    controlPort: 0,
    easypayPort: 0,
    dataDir: folder,
    easypayApiKey: apiKey,
    paypalClientId: paypalClient.id,
    paypalClientSecret: paypalClient.secret,
    warn: (message) => warnings.push(message),
    ...options,
  });
  let stopped: Promise<void> | undefined;
  const stop = () => (stopped ??= simulators.stop());
  onTestFinished(stop);
  const urls: WholeWorld = {
    control: simulators.controlUrl,
    easypay: simulators.easypayUrl,
    paypal: simulators.paypalUrl,
    smtp: simulators.smtpUrl,
    sms: simulators.smsUrl,
    inbox: simulators.inboxUrl,
  };
  return { ...urls, folder, warnings, stop };
}

/** Sends a request and reads the answer. Throws when none comes. */
export async function send(url: string, init: RequestInit = {}): Promise<Reply> {
  const response = await fetch(url, init);
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: jsonOf(text) };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

export interface ChargeOptions {
  readonly key?: string;
  readonly signal?: AbortSignal;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A charge of 25.99 USD on a card that approves, unless told otherwise. */
export function charge(world: World, fields: object = {}, options: ChargeOptions = {}): Promise<Reply> {
  return send(`${world.easypay}/v1/charges`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${apiKey}`,
      'idempotency-key': options.key ?? randomUUID(),
      'content-type': 'application/json',
      ...options.headers,
    },
    body: JSON.stringify({
      reference: 'pay_1',
      amount_minor: '2599',
      currency: 'USD',
      card_token: 'tok_visa_4242',
      ...fields,
    }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
}

/** Looks up the charges of a reference. */
export function lookUp(world: World, reference: string, signal?: AbortSignal): Promise<Reply> {
  return send(`${world.easypay}/v1/charges?reference=${encodeURIComponent(reference)}`, {
    headers: { authorization: `Bearer ${apiKey}` },
    ...(signal === undefined ? {} : { signal }),
  });
}

/** Asks a control route. */
export function control(world: World, method: string, path: string, body?: unknown): Promise<Reply> {
  return send(`${world.control}${path}`, {
    method,
    headers: { 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

/** Puts fault rules on EasyPay. */
export function inject(world: World, ...rules: readonly object[]): Promise<void> {
  return injectAt(world, 'easypay', ...rules);
}

/** Puts fault rules on a face. */
export async function injectAt(world: World, face: string, ...rules: readonly object[]): Promise<void> {
  const reply = await control(world, 'PUT', `/faults/${face}`, { seed: 1, rules });
  if (reply.status !== 200) throw new Error(`PUT /faults answered ${reply.status}: ${JSON.stringify(reply.body)}`);
}

const reportSchema = z.object({
  rules: z.array(z.object({ fault: z.string(), injected: z.number() })),
  injected: z.record(z.string(), z.number()),
  served: z.record(z.string(), z.number()),
});
/** What was injected and served. */
export async function faultReport(world: World, face = 'easypay') {
  return reportSchema.parse((await control(world, 'GET', `/faults/${face}`)).body);
}

const movementsSchema = z.object({
  movements: z.array(
    z.object({
      seq: z.number(),
      at: z.string(),
      kind: z.string(),
      provider: z.string(),
      reference: z.string(),
      idempotency_key: z.string(),
      amount_minor: z.string(),
      currency: z.string(),
      state: z.string(),
    }),
  ),
});
/** The movements in the bank's book. */
export async function movements(world: World, query = '') {
  return movementsSchema.parse((await control(world, 'GET', `/bank/movements${query}`)).body).movements;
}

const accountsSchema = z.object({
  accounts: z.array(z.object({ id: z.string(), currency: z.string(), balance_minor: z.string() })),
});
/** The bank's accounts. */
export async function accounts(world: World) {
  return accountsSchema.parse((await control(world, 'GET', '/bank/accounts')).body).accounts;
}

const parkingSchema = z.object({
  parks: z.array(z.object({ operation: z.string(), point: z.string(), reference: z.string().optional() })),
  parked: z.array(
    z.object({
      operation: z.string(),
      point: z.string(),
      reference: z.string().nullable(),
      idempotency_key: z.string().nullable(),
      since: z.string(),
    }),
  ),
});
/** The parks and the calls that are held. */
export async function parking(world: World, face = 'easypay') {
  return parkingSchema.parse((await control(world, 'GET', `/park/${face}`)).body);
}

/** Waits until so many calls are parked. */
export function untilParked(world: World, count: number, face = 'easypay'): Promise<void> {
  return until(`${count} calls are parked`, async () => (await parking(world, face)).parked.length === count);
}

/** Waits until the condition holds. Throws after the deadline. */
export async function until(
  what: string,
  condition: () => Promise<boolean> | boolean,
  deadlineMs = 8_000,
): Promise<void> {
  const deadline = Date.now() + deadlineMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`Waited ${deadlineMs} ms in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** What became of a call: its status, or the code of the failed connection. */
export async function outcomeOf(call: Promise<Reply>): Promise<number | string> {
  try {
    return (await call).status;
  } catch (error) {
    if (error instanceof Error && error.name === 'AbortError') return 'aborted';
    const cause = error instanceof Error ? error.cause : undefined;
    return cause instanceof Error && 'code' in cause ? String(cause.code) : String(error);
  }
}

/** Whether a call has neither been answered nor failed up to now. */
export async function isUnanswered(call: Promise<unknown>): Promise<boolean> {
  const unanswered = Symbol('unanswered');
  const turn = new Promise((resolve) => setImmediate(() => resolve(unanswered)));
  return (await Promise.race([call.catch(() => undefined), turn])) === unanswered;
}
