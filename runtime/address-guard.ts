import { lookup, Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/** A host that merchants may not make us talk to: one of its addresses is not public. */
export class AddressRefused extends Error {
  override readonly name = 'AddressRefused';
}

/** Answers the addresses of a name, at least one. */
export type LookUp = (name: string) => Promise<readonly string[]>;

/** Decides where webhooks may go. */
export interface AddressGuard {
  /**
   * The address to connect to for a host name or a literal, without brackets: whoever connects to this one and asks nobody
   * again talks to what was checked. Throws `AddressRefused`, or the resolver's error where a name has no address.
   */
  addressOf(host: string): Promise<string>;
}

/** Makes a guard. `allowsPrivate` is for development alone: then names of this machine are known too. */
export function createAddressGuard(options: {
  readonly allowsPrivate: boolean;
  readonly lookUp?: LookUp;
}): AddressGuard {
  const { allowsPrivate, lookUp = allowsPrivate ? askSystem : askDns } = options;
  return {
    async addressOf(host) {
      const addresses = isIP(host) === 0 ? await lookUp(host) : [host];
      if (!allowsPrivate && !addresses.every(isPublic))
        throw new AddressRefused('the host has an address that is not public');
      const [first] = addresses;
      if (first === undefined) throw new Error('the host has no address');
      return first;
    },
  };
}

const globalUnicast = ipaddr.IPv6.parseCIDR('2000::/3');

/**
 * Whether an address belongs to the public internet: not loopback, private, link-local, multicast, reserved, nor an IPv6
 * address that stands for an IPv4 one in disguise (mapped, translated, tunneled), unless that one is public itself.
 */
export function isPublic(address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  const parsed = ipaddr.process(address);
  if (parsed.range() !== 'unicast') return false;
  return parsed.kind() === 'ipv4' || parsed.match(globalUnicast);
}

/**
 * Asks the name servers directly, IPv4 first. The system's own resolver would hold one of the process's four threads for
 * each name whose servers do not answer, and payments would wait for it.
 */
const askDns: LookUp = async (name) => {
  const resolver = new Resolver({ timeout: 1_500, tries: 1 });
  const answers = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
  const addresses = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
  if (addresses.length > 0) return addresses;
  const failed = answers.find((answer) => answer.status === 'rejected');
  throw failed?.reason ?? new Error('the host has no address');
};

/** Knows `localhost` and the like. */
const askSystem: LookUp = async (name) => (await lookup(name, { all: true })).map(({ address }) => address);
