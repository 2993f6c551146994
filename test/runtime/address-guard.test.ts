import { expect, test } from 'vitest';
import { AddressRefused, createAddressGuard, isPublic } from '../../runtime/address-guard.ts';

test.each([
  ['loopback', ['127.0.0.1', '127.255.0.9', '::1', '::ffff:127.0.0.1', '::127.0.0.1']],
  ['private', ['10.0.0.1', '172.16.3.4', '192.168.1.1', '::ffff:10.0.0.1', '::ffff:c0a8:101']],
  ['link-local, where clouds keep credentials', ['169.254.169.254', 'fe80::1', '::ffff:169.254.169.254']],
  ['shared by carriers', ['100.64.0.1']],
  ['unique local and site local', ['fc00::1', 'fd12:3456::1', 'fec0::1']],
  ['multicast and broadcast', ['224.0.0.1', '239.1.1.1', '255.255.255.255', 'ff02::1']],
  ['unspecified', ['0.0.0.0', '0.1.2.3', '::']],
  [
    'reserved or for documentation',
    ['240.0.0.1', '192.0.2.1', '198.51.100.1', '203.0.113.1', '198.18.0.1', '2001:db8::1'],
  ],
  [
    'an IPv4 address in disguise',
    ['64:ff9b::7f00:1', '64:ff9b:1::a00:1', '2002:7f00:1::', '2001::1', '::ffff:0:7f00:1'],
  ],
  ['not assigned', ['1::1', '4000::1', '100::1', '5f00::1']],
  ['no address at all', ['', 'localhost', '1.2.3.4.5', 'fe80::1%eth0', 'example.com']],
])('an address that is %s is not public', (_, addresses) => {
  expect(addresses.filter(isPublic)).toEqual([]);
});

test('addresses of the internet are public', () => {
  const addresses = ['8.8.8.8', '1.1.1.1', '::ffff:8.8.8.8', '2606:4700::1111', '2a00:1450:4001::1'];
  expect(addresses.filter(isPublic)).toEqual(addresses);
});

const answering = (...addresses: string[]) =>
  createAddressGuard({ allowsPrivate: false, lookUp: async () => addresses });

test('a name is refused when any of its addresses is not public', async () => {
  await expect(answering('8.8.8.8', '10.0.0.1').addressOf('example.com')).rejects.toThrow(AddressRefused);
  await expect(answering('127.0.0.1').addressOf('example.com')).rejects.toThrow(AddressRefused);
  expect(await answering('8.8.8.8', '1.1.1.1').addressOf('example.com')).toBe('8.8.8.8');
});

test('a literal is judged without asking anybody', async () => {
  const lookUp = () => Promise.reject(new Error('asked'));
  const guard = createAddressGuard({ allowsPrivate: false, lookUp });
  expect(await guard.addressOf('8.8.8.8')).toBe('8.8.8.8');
  await expect(guard.addressOf('192.168.0.1')).rejects.toThrow(AddressRefused);
  await expect(guard.addressOf('::ffff:7f00:1')).rejects.toThrow(AddressRefused);
});

test('a name of this machine alone leads nowhere: only name servers are asked', async () => {
  await expect(createAddressGuard({ allowsPrivate: false }).addressOf('localhost')).rejects.toThrow();
});

test('development may allow private addresses, and then knows the names of this machine', async () => {
  const guard = createAddressGuard({ allowsPrivate: true });
  expect(await guard.addressOf('127.0.0.1')).toBe('127.0.0.1');
  expect(['127.0.0.1', '::1']).toContain(await guard.addressOf('localhost'));
});
