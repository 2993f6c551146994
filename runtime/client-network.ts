import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/** Of an IPv6 address, what its provider gives out as one: its owner may take any address in it, as often as they like. */
const ipv6NetworkBytes = 8;

/** What a client is known by: its IPv4 address, or the /64 network of its IPv6 one; one word for whatever is no address. */
export function clientNetworkOf(address: string): string {
  if (isIP(address) === 0) return 'unknown';
  const parsed = ipaddr.process(address); // also turns an IPv4 address in IPv6's clothes into itself
  if (parsed.kind() === 'ipv4') return parsed.toString();
  return `${Buffer.from(parsed.toByteArray().slice(0, ipv6NetworkBytes)).toString('hex')}/64`;
}
