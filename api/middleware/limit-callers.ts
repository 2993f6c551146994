import type { RequestHandler } from 'express';
import type { ApiKeyRecord } from '../../prisma/credentials.ts';
import type { Budget } from '../../runtime/rate-limits.ts';
import type { ApiDeps } from '../deps.ts';
import type { Principal } from '../principal.ts';
import type { Route } from '../route.ts';
import { holdToLimit } from './hold-to-limit.ts';
import { principalOf } from './locals.ts';

/** People, over all of their sessions, and operators' keys. */
const peopleLimitPerMinute = 300;
const operatorKeyLimitPerMinute = 600;

/** Of requests that make a payment, whoever sends them; a key that was given more per minute has that. */
const createPaymentLimitPerMinute = 100;

const [minute, hour, day] = [60, 3_600, 86_400];

/**
 * Takes the request from the budgets of the key or person that was proven, all or none:
 * - a merchant's key: its own limits per minute, hour and day, which the tokens share that it asked for;
 * - a person: 300 per minute over all sessions; an operator's key: 600 per minute;
 * - making payments has a budget of its own beside these: 100 per 60 seconds, or the key's limit per minute where that is higher.
 *
 * The last of the layers: nobody may spend another one's budget by naming its id, or with a leaked key that is refused elsewhere.
 * What is refused before has spent the budget of its address. A use that is let through is counted for the key.
 */
export function limitCallers(
  deps: Pick<ApiDeps, 'rateLimits' | 'keyUsage'>,
  { operationId }: Pick<Route, 'operationId'>,
): RequestHandler {
  return async (_request, response, next) => {
    const who = principalOf(response);
    holdToLimit(response, await deps.rateLimits.spend(budgetsOf(who, operationId)));
    countUse(deps, who);
    next();
  };
}

/** Counts what a key, or a token that it asked for, is used for. */
export function countUse({ keyUsage }: Pick<ApiDeps, 'keyUsage'>, { credential }: Principal): void {
  const now = new Date();
  if (credential.kind === 'operator_key') keyUsage.used('operator_key', credential.keyId, now);
  else if (credential.key !== null) keyUsage.used('api_key', credential.key.keyId, now);
}

/** What a request of this operation is taken from. */
export function budgetsOf({ credential }: Principal, operationId: string): readonly Budget[] {
  switch (credential.kind) {
    case 'operator_key':
      return [budget('minute', `operator_key:${credential.keyId}`, operatorKeyLimitPerMinute, minute)];
    case 'api_key':
      return budgetsOfKey(credential.key, operationId);
    case 'session':
      if (credential.key !== null) return budgetsOfKey(credential.key, operationId);
      return budgetsOfPerson(credential.userId ?? credential.sessionId, operationId);
  }
}

function budgetsOfKey({ keyId, perMinute, perHour, perDay }: ApiKeyRecord, operationId: string): readonly Budget[] {
  const who = `api_key:${keyId}`;
  return [
    budget('minute', who, perMinute, minute),
    budget('hour', who, perHour, hour),
    budget('day', who, perDay, day),
    ...makingPayments(operationId, who, Math.max(createPaymentLimitPerMinute, perMinute)),
  ];
}

function budgetsOfPerson(id: string, operationId: string): readonly Budget[] {
  const who = `user:${id}`;
  return [
    budget('minute', who, peopleLimitPerMinute, minute),
    ...makingPayments(operationId, who, createPaymentLimitPerMinute),
  ];
}

function makingPayments(operationId: string, who: string, limit: number): readonly Budget[] {
  return operationId === 'createPayment' ? [budget('create-payment', who, limit, minute)] : [];
}

function budget(policy: string, who: string, limit: number, windowSeconds: number): Budget {
  return { name: `${policy}:${who}`, policy, limit, windowSeconds };
}
