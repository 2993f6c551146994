import { describe, expect, test } from 'vitest';
import { addressListsOf, covers, normalizedNetwork } from '../../runtime/address-lists.ts';

describe('lists of addresses', () => {
  test.each<[string, { allowed?: string[]; denied?: string[] }, string, boolean]>([
    ['without entries let everybody in', {}, '203.0.113.7', true],
    ['without entries let in whose address nobody knows', {}, 'unknown', true],
    ['let in an allowed address', { allowed: ['203.0.113.7'] }, '203.0.113.7', true],
    ['keep its neighbor out', { allowed: ['203.0.113.7'] }, '203.0.113.8', false],
    ['let in an allowed network', { allowed: ['10.1.0.0/16'] }, '10.1.255.255', true],
    ['keep out what lies behind it', { allowed: ['10.1.0.0/16'] }, '10.2.0.0', false],
    ['keep out what lies before it', { allowed: ['10.1.0.0/16'] }, '10.0.255.255', false],
    ['know networks of odd sizes', { allowed: ['192.0.2.64/27'] }, '192.0.2.95', true],
    ['know where those end', { allowed: ['192.0.2.64/27'] }, '192.0.2.96', false],
    ['let in by any of several entries', { allowed: ['10.0.0.0/8', '192.0.2.1'] }, '192.0.2.1', true],
    ['allow all of IPv4', { allowed: ['0.0.0.0/0'] }, '8.8.8.8', true],
    ['allow all of IPv4, not IPv6', { allowed: ['0.0.0.0/0'] }, '2001:db8::1', false],
    ['allow all of IPv6, not IPv4', { allowed: ['::/0'] }, '8.8.8.8', false],
    ['let in an allowed IPv6 address', { allowed: ['2001:db8::1'] }, '2001:db8::1', true],
    ['know it in another spelling', { allowed: ['2001:db8::1'] }, '2001:0DB8:0:0:0:0:0:1', true],
    ['know entries in another spelling', { allowed: ['2001:0DB8:0000::0001/128'] }, '2001:db8::1', true],
    ['let in an allowed IPv6 network', { allowed: ['2001:db8:1::/48'] }, '2001:db8:1:ffff::', true],
    ['keep out its neighbors', { allowed: ['2001:db8:1::/48'] }, '2001:db8:2::', false],
    ['know IPv6 networks of odd sizes', { allowed: ['2001:db8::/33'] }, '2001:db8:7fff::1', true],
    ['know where those end', { allowed: ['2001:db8::/33'] }, '2001:db8:8000::1', false],
    ['know IPv4 in the clothes of IPv6', { allowed: ['10.0.0.0/8'] }, '::ffff:10.0.0.7', true],
    ['know it in hexadecimal', { allowed: ['10.0.0.0/8'] }, '::ffff:0a00:7', true],
    ['deny it in those clothes', { denied: ['10.0.0.0/8'] }, '::ffff:10.0.0.7', false],
    ['know entries in those clothes', { allowed: ['::ffff:10.0.0.0/104'] }, '10.200.0.1', true],
    ['deny by entries in those clothes', { denied: ['::ffff:10.0.0.7'] }, '10.0.0.7', false],
    ['take no other IPv6 for IPv4', { allowed: ['10.0.0.7'] }, '64:ff9b::10.0.0.7', false],
    ['take no IPv4-compatible IPv6 for IPv4', { allowed: ['10.0.0.7'] }, '::10.0.0.7', false],
    ['keep out a denied address', { denied: ['203.0.113.7'] }, '203.0.113.7', false],
    ['let in all others', { denied: ['203.0.113.7'] }, '203.0.113.8', true],
    ['keep out a denied network', { denied: ['2001:db8::/32'] }, '2001:db8:ffff::1', false],
    ['deny over allow', { allowed: ['10.0.0.0/8'], denied: ['10.6.6.0/24'] }, '10.6.6.6', false],
    ['deny over a narrower allow', { allowed: ['10.6.6.6'], denied: ['10.0.0.0/8'] }, '10.6.6.6', false],
    ['deny everything', { denied: ['0.0.0.0/0', '::/0'] }, '::1', false],
    ['keep out, allowed nowhere, denied nowhere', { allowed: ['10.0.0.0/8'], denied: ['10.6.6.6'] }, '11.0.0.1', false],
    ['keep out whose address nobody knows', { allowed: ['0.0.0.0/0', '::/0'] }, 'unknown', false],
    ['keep them out by denials alone', { denied: ['10.6.6.6'] }, 'unknown', false],
    ['keep out an address with a port', { allowed: ['10.0.0.0/8'] }, '10.0.0.7:443', false],
    ['keep out an address in octal', { allowed: ['8.0.0.0/8'] }, '010.0.0.7', false],
    ['keep out an empty address', { denied: ['10.6.6.6'] }, '', false],
    ['know an address with its interface', { allowed: ['fe80::/10'] }, 'fe80::1%eth0', true],
  ])('%s', (_promise, { allowed = [], denied = [] }, address, isAllowed) => {
    expect(addressListsOf({ allowed, denied }).allows(address)).toBe(isAllowed);
  });

  test('that cannot be read open nothing', () => {
    for (const entry of ['', '10.0.0.0/33', 'localhost', 'fe80::1%eth0']) {
      expect(() => addressListsOf({ allowed: [entry], denied: [] })).toThrow('unreadable');
      expect(() => addressListsOf({ allowed: [], denied: [entry] })).toThrow('unreadable');
    }
  });
});

describe('a network', () => {
  test.each([
    ['203.0.113.7', '203.0.113.7/32'],
    ['203.0.113.7/32', '203.0.113.7/32'],
    ['10.1.2.3/8', '10.0.0.0/8'],
    ['255.255.255.255/0', '0.0.0.0/0'],
    ['192.0.2.77/27', '192.0.2.64/27'],
    ['2001:DB8::1', '2001:db8::1/128'],
    ['2001:db8:0:0:0:0:0:1/32', '2001:db8::/32'],
    ['2001:db8:ffff::/33', '2001:db8:8000::/33'],
    ['::/0', '::/0'],
    ['::1', '::1/128'],
    ['::ffff:10.0.0.7', '10.0.0.7/32'],
    ['::ffff:10.9.9.9/104', '10.0.0.0/8'],
    ['::ffff:0:0/96', '0.0.0.0/0'],
    ['::ffff:0:0/95', '::fffe:0:0/95'],
    ['::10.0.0.7', '::a00:7/128'],
  ])('%s is %s, and that is itself', (text, normal) => {
    expect(normalizedNetwork(text)).toBe(normal);
    expect(normalizedNetwork(normal)).toBe(normal);
  });

  test.each([
    '',
    ' 10.0.0.1',
    '10.0.0.1 ',
    '10.0.0.1\n',
    '10.0.0',
    '10',
    '010.0.0.1',
    '0x0a.0.0.1',
    '167772161',
    '256.0.0.1',
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0.0/08',
    '10.0.0.0/-1',
    '10.0.0.0/255.0.0.0',
    '10.0.0.0/8/8',
    '10.0.0.1-10.0.0.9',
    '10.0.0.*',
    '2001:db8::/129',
    '2001:db8:::1',
    '[2001:db8::1]',
    'fe80::1%eth0',
    ':',
    'localhost',
    'example.com',
    '１０.0.0.1',
  ])('%j is none', (text) => {
    expect(normalizedNetwork(text)).toBeNull();
  });
});

describe('networks lie within others', () => {
  test.each<[string[], string[], boolean]>([
    [['10.0.0.0/8'], ['10.0.0.0/8'], true],
    [['10.0.0.0/8'], ['10.1.0.0/16', '10.2.3.4/32'], true],
    [['10.1.0.0/16'], ['10.0.0.0/8'], false],
    [['10.0.0.0/8'], ['10.1.0.0/16', '11.0.0.0/16'], false],
    [['10.0.0.0/8', '11.0.0.0/8'], ['11.1.0.0/16'], true],
    [['0.0.0.0/0'], ['::/0'], false],
    [['::/0'], ['10.0.0.0/8'], false],
    [['2001:db8::/32'], ['2001:db8:1::/48'], true],
    [['10.0.0.0/8'], [], true],
    [[], [], true],
    [[], ['10.0.0.0/8'], false],
  ])('%j around %j: %s', (outer, inner, isWithin) => {
    expect(covers(outer, inner)).toBe(isWithin);
  });
});
