import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Reply, World } from './harness.ts';
import { apiKey, charge, lookUp, send } from './harness.ts';

/** What can follow a charge, as paths name it. */
export type FollowUps = 'captures' | 'voids' | 'refunds';

const chargeSchema = z.object({ id: z.string(), status: z.string(), action_url: z.string().nullable() });

/** A charge that was made as `fields` say. */
export async function charged(world: World, fields: object = {}, key: string = randomUUID()) {
  return chargeSchema.parse((await charge(world, fields, { key })).body);
}

/** An authorization of 25.99 USD under the reference `pay_1`, unless told otherwise. */
export function authorized(world: World, fields: object = {}) {
  return charged(world, { capture: false, ...fields });
}

/** Asks for what follows a charge. */
export function follow(
  world: World,
  chargeId: string,
  what: FollowUps,
  fields: { readonly reference: string; readonly amount_minor?: string; readonly currency?: string },
  key: string = fields.reference,
): Promise<Reply> {
  const body = what === 'voids' ? fields : { amount_minor: '2599', currency: 'USD', ...fields };
  return send(`${world.easypay}/v1/charges/${chargeId}/${what}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${apiKey}`, 'idempotency-key': key, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
}

/** Looks up what followed a charge under a reference. */
export function lookUpFollowUps(world: World, chargeId: string, what: FollowUps, reference: string): Promise<Reply> {
  return send(`${world.easypay}/v1/charges/${chargeId}/${what}?reference=${reference}`, {
    headers: { authorization: `Bearer ${apiKey}` },
  });
}

/** The status of the one charge of a reference, as its look-up shows it. */
export async function statusOf(world: World, reference: string): Promise<string | undefined> {
  const { charges } = z.object({ charges: z.array(chargeSchema) }).parse((await lookUp(world, reference)).body);
  return charges[0]?.status;
}

/** The status and code of a reply: `201`, or `409 already_voided`. */
export function said({ status, body }: Reply): string {
  const parsed = z.object({ error: z.object({ code: z.string() }) }).safeParse(body);
  return parsed.success ? `${status} ${parsed.data.error.code}` : String(status);
}
