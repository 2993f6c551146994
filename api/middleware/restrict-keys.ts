import type { RequestHandler } from 'express';
import type { KeyRules } from '../../prisma/credentials.ts';
import { type AddressLists, addressListsOf } from '../../runtime/address-lists.ts';
import { type AllowedHours, isAllowedAt } from '../../workflows/domain/allowed-hours.ts';
import { Problem } from '../errors.ts';
import { allowedHours } from '../key-fields.ts';
import { type Principal, rulesOf } from '../principal.ts';
import { originOf, receivedAtOf } from './identify-request.ts';
import { principalOf } from './locals.ts';

/** Refuses a key outside of what it is for: the addresses and hours that it may be used at. */
export function restrictKeys(): RequestHandler {
  return (request, response, next) => {
    requireWithinRules(principalOf(response), originOf(request), receivedAtOf(response));
    next();
  };
}

/**
 * Throws `address_not_allowed` or `outside_allowed_hours` where the key's own rules, or those of the key that asked for this
 * token, say so. Neither tells which entry it was, or when it would be right: the holder may be a thief.
 */
export function requireWithinRules(who: Principal, address: string, at: Date): void {
  const rules = rulesOf(who);
  if (rules === null) return;
  const { lists, hours } = readRules(rules);
  if (!lists.allows(address)) throw new Problem('address_not_allowed');
  if (hours !== null && !isAllowedAt(hours, at)) throw new Problem('outside_allowed_hours');
}

interface ReadRules {
  readonly lists: AddressLists;
  readonly hours: AllowedHours | null;
}

const alreadyRead = new WeakMap<KeyRules, ReadRules>();

/** Read once for each record that comes from the database. */
function readRules(rules: KeyRules): ReadRules {
  let read = alreadyRead.get(rules);
  if (read === undefined) {
    const { addressesAllowed: allowed, addressesDenied: denied } = rules;
    read = { lists: addressListsOf({ allowed, denied }), hours: allowedHours.nullable().parse(rules.allowedHours) };
    alreadyRead.set(rules, read);
  }
  return read;
}
