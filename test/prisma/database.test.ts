import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { isDatabaseAway } from '../../prisma/database.ts';

const withCode = (code: string) => Object.assign(new Error(''), { code });
const refused = (state: string) => Object.assign(new pg.DatabaseError('its words', 1, 'error'), { code: state });

describe('the database is away', () => {
  test.each([
    'ENOTFOUND',
    'EAI_AGAIN',
    'ECONNREFUSED',
    'ECONNRESET',
    'ECONNABORTED',
    'ETIMEDOUT',
    'EPIPE',
    'EHOSTUNREACH',
    'ENETUNREACH',
    'EHOSTDOWN',
    'ENETDOWN',
    'P1001',
    'P1017',
    'P2024',
  ])('when the system or Prisma says %s', (code) => {
    expect(isDatabaseAway(withCode(code))).toBe(true);
  });

  test('when none of a name’s addresses answers', () => {
    const several = Object.assign(new AggregateError([withCode('ECONNREFUSED')]), { code: 'ECONNREFUSED' });
    expect(isDatabaseAway(several)).toBe(true);
  });

  test.each([
    'Connection terminated unexpectedly',
    'Connection terminated due to connection timeout',
    'timeout exceeded when trying to connect',
    'Query read timeout',
    'Client has encountered a connection error and is not queryable',
  ])('when node-postgres says "%s"', (message) => {
    expect(isDatabaseAway(new Error(message))).toBe(true);
  });

  test.each(['08006', '08P01', '53300', '57014', '57P01', '57P03', '58030', '55P03', '40001', '40P01'])(
    'when it refuses with %s, which passes',
    (state) => {
      expect(isDatabaseAway(refused(state))).toBe(true);
    },
  );
});

describe('the database is there', () => {
  test.each(['22021', '22P02', '23505', '23514', '42501', '42703', 'PMT01'])(
    'when it refuses what it was told with %s',
    (state) => {
      expect(isDatabaseAway(refused(state))).toBe(false);
    },
  );

  test.each([
    new TypeError('row is undefined'),
    withCode('P2002'),
    withCode('ERR_INVALID_ARG_TYPE'),
    Object.assign(new Error('Unique constraint failed'), { name: 'PrismaClientKnownRequestError' }),
    'ECONNREFUSED',
    null,
  ])('as far as %s tells', (error) => {
    expect(isDatabaseAway(error)).toBe(false);
  });
});
