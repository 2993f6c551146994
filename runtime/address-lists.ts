import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

type Network = ReturnType<typeof ipaddr.parseCIDR>;

/** Says whether an address may come in. */
export interface AddressLists {
  /** Text that is no address may not, where there is any list at all. */
  allows(address: string): boolean;
}

/**
 * Reads lists of networks as `normalizedNetwork` writes them. What is denied stays denied, allowed or not; where nothing is
 * allowed by name, everything else is. Throws for an entry that cannot be read: then nobody knows who may come in.
 */
export function addressListsOf(lists: {
  readonly allowed: readonly string[];
  readonly denied: readonly string[];
}): AddressLists {
  const allowed = lists.allowed.map(networkOf);
  const denied = lists.denied.map(networkOf);
  return {
    allows(text) {
      if (allowed.length + denied.length === 0) return true;
      const address = isIP(text) === 0 ? null : unmapped([parsed(text), 128])[0]; // IPv4-mapped IPv6 is the IPv4 address
      if (address === null || denied.some((network) => holds(network, address))) return false;
      return allowed.length === 0 || allowed.some((network) => holds(network, address));
    },
  };
}

/**
 * A network (`10.0.0.0/8`) or single address in the one form that all spellings of it share: CIDR without host bits, IPv6 as
 * RFC 5952 has it, IPv4-mapped IPv6 as the IPv4 network that it is. Null for any other text, octal and short forms too.
 */
export function normalizedNetwork(text: string): string | null {
  const [, address = '', prefix] = /^([0-9A-Fa-f:.]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const version = isIP(address);
  const bits = version === 4 ? 32 : 128;
  const length = Number(prefix ?? bits);
  if (version === 0 || length > bits || (prefix !== undefined && prefix !== String(length))) return null;
  const [first, size] = unmapped([parsed(address), length]);
  const family = first.kind() === 'ipv4' ? ipaddr.IPv4 : ipaddr.IPv6;
  return `${family.networkAddressFromCIDR(`${first.toString()}/${size}`).toString()}/${size}`;
}

/** Whether each of the inner networks lies within one of the outer ones; all as `normalizedNetwork` writes them. */
export function covers(outer: readonly string[], inner: readonly string[]): boolean {
  const around = outer.map(networkOf);
  return inner.map(networkOf).every(([first, size]) => around.some((one) => one[1] <= size && holds(one, first)));
}

/** In hexadecimal: ipaddr.js takes `::10.0.0.7`, which is IPv6, for an IPv4 address. */
function parsed(address: string): Network[0] {
  if (!address.includes(':')) return ipaddr.parse(address);
  const pair = (one: string, two: string) => ((Number(one) << 8) | Number(two)).toString(16);
  const hexadecimal = (_text: string, a: string, b: string, c: string, d: string) => `${pair(a, b)}:${pair(c, d)}`;
  return ipaddr.parse(address.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)/, hexadecimal));
}

const mappedBits = 96;

function unmapped([address, length]: Network): Network {
  const isMapped = address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress() && length >= mappedBits;
  return isMapped ? [address.toIPv4Address(), length - mappedBits] : [address, length];
}

function networkOf(text: string): Network {
  const normal = normalizedNetwork(text);
  if (normal === null) throw new Error('A list of addresses is unreadable: see the key’s row.');
  return ipaddr.parseCIDR(normal);
}

function holds([network, length]: Network, address: Network[0]): boolean {
  return network.kind() === address.kind() && address.match(network, length);
}
