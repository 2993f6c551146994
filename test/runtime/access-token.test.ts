import { createPrivateKey, createPublicKey, randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { type AccessTokens, createAccessTokens } from '../../runtime/access-token.ts';
import { base32 } from '../../workflows/domain/ids.ts';
import { forgeries, type Target, withMore } from '../support/forged-tokens.ts';

const seed = randomBytes(32);
const issuer = 'payment-orchestrator';
const tokens = createAccessTokens(new Map([['test', seed]]), issuer);
const newId = (prefix: string) => `${prefix}_${base32(randomBytes(17), 130)}`;
const claims = { subject: newId('usr'), sessionId: newId('ses') };
const minutesAfter = (at: Date, minutes: number) => new Date(at.getTime() + minutes * 60_000);

function keyOf(bytes: Buffer) {
  const prefix = Buffer.from('302e020100300506032b657004220420', 'hex'); // RFC 8410
  return createPrivateKey({ key: Buffer.concat([prefix, bytes]), format: 'der', type: 'pkcs8' });
}

async function aTarget(now = new Date()): Promise<Target> {
  return { token: (await tokens.issue(claims, now)).text, privateKey: keyOf(seed) };
}

describe('an access token', () => {
  test('says again what it was made of', async () => {
    const now = new Date();
    const { text, expiresAt } = await tokens.issue(claims, now);
    const verified = await tokens.verify(text, now);
    expect(verified).toEqual({ kind: 'valid', claims, expiresAt: expiresAt.getTime() / 1_000 });
    expect(text.length).toBeLessThan(500);
  });

  test('of a key is one too', async () => {
    const ofKey = { ...claims, subject: `key_${base32(randomBytes(10), 80)}` };
    const { text } = await tokens.issue(ofKey, new Date());
    expect(await tokens.verify(text, new Date())).toMatchObject({ kind: 'valid', claims: ofKey });
  });

  test('holds for a quarter of an hour, and not a moment longer', async () => {
    const now = new Date('2026-01-31T12:00:00.900Z');
    const { text, expiresAt } = await tokens.issue(claims, now);
    expect(expiresAt).toEqual(new Date('2026-01-31T12:15:00Z'));
    expect(await tokens.verify(text, new Date('2026-01-31T12:14:59.999Z'))).toMatchObject({ kind: 'valid' });
    expect(await tokens.verify(text, new Date('2026-01-31T12:15:00Z'))).toEqual({ kind: 'expired' });
    expect(await tokens.verify(text, new Date('2026-01-31T12:15:30Z'))).toEqual({ kind: 'expired' });
    expect(await tokens.verify(text, minutesAfter(now, 60 * 24 * 365))).toEqual({ kind: 'expired' });
  });

  test('is taken by a process whose clock is a little behind', async () => {
    const now = new Date('2026-01-31T12:00:00Z');
    const { text } = await tokens.issue(claims, now);
    expect(await tokens.verify(text, new Date('2026-01-31T11:59:56Z'))).toMatchObject({ kind: 'valid' });
    expect(await tokens.verify(text, new Date('2026-01-31T11:59:50Z'))).toBeNull();
  });

  test('ends with its session, if that is sooner', async () => {
    const now = new Date('2026-01-31T12:00:00Z');
    const endsAt = new Date('2026-01-31T12:03:00.500Z');
    expect((await tokens.issue(claims, now, endsAt)).expiresAt).toEqual(new Date('2026-01-31T12:03:00Z'));
    expect((await tokens.issue(claims, now, minutesAfter(now, 60))).expiresAt).toEqual(minutesAfter(now, 15));
  });

  test('says whose it is, for whom and how long, and nobody’s name', async () => {
    const { text } = await tokens.issue(claims, new Date('2026-01-31T12:00:00Z'));
    const [header = '', payload = ''] = text.split('.').map((part) => Buffer.from(part, 'base64url').toString());
    expect(JSON.parse(header)).toEqual({ alg: 'EdDSA', typ: 'at+jwt', kid: 'test' });
    expect(JSON.parse(payload)).toEqual({
      sid: claims.sessionId,
      iss: issuer,
      aud: 'payment-orchestrator',
      sub: claims.subject,
      iat: 1_769_860_800,
      exp: 1_769_861_700,
    });
  });
});

describe('keys', () => {
  const others = randomBytes(32);
  const of = (...ids: readonly [string, Buffer][]): AccessTokens => createAccessTokens(new Map(ids), issuer);

  test('change without a token being lost: the first one signs, all verify', async () => {
    const now = new Date();
    const [before, between, after] = [
      of(['old', seed]),
      of(['new', others], ['old', seed]),
      of(['new', others]),
    ] as const;
    const old = (await before.issue(claims, now)).text;
    const current = (await between.issue(claims, now)).text;
    expect(await between.verify(old, now)).toMatchObject({ kind: 'valid' });
    expect(await after.verify(current, now)).toMatchObject({ kind: 'valid' });
    expect(await after.verify(old, now)).toBeNull();
    expect(await before.verify(current, now)).toBeNull();
  });

  test('under another issuer’s name sign nothing for us', async () => {
    const { text } = await createAccessTokens(new Map([['test', seed]]), 'staging').issue(claims, new Date());
    expect(await tokens.verify(text, new Date())).toBeNull();
  });

  test('are shown by their public halves alone', () => {
    const { jwks } = of(['new', others], ['old', seed]);
    expect(jwks.keys).toEqual(
      [
        { kid: 'new', bytes: others },
        { kid: 'old', bytes: seed },
      ].map(({ kid, bytes }) => ({
        ...createPublicKey(keyOf(bytes)).export({ format: 'jwk' }),
        kid,
        alg: 'EdDSA',
        use: 'sig',
      })),
    );
    expect(jwks.keys.flatMap(Object.keys)).not.toContain('d');
  });

  test('must be there', () => {
    expect(() => of()).toThrow('no key');
  });
});

describe('no forged token is taken:', () => {
  test.each(forgeries)('$name', async ({ make, verdict }) => {
    const target = await aTarget();
    expect(await tokens.verify(target.token, new Date())).toMatchObject({ kind: 'valid' });
    const forged = make(target);
    expect(forged).not.toBe(target.token);
    expect(await tokens.verify(forged, new Date())).toEqual(verdict === 'expired' ? { kind: 'expired' } : null);
  });

  test('and one that says more than it must is none: so later releases can add to them', async () => {
    expect(await tokens.verify(withMore(await aTarget()), new Date())).toMatchObject({ kind: 'valid', claims });
  });

  test('a line end or a space around one makes it another text', async () => {
    const { token } = await aTarget();
    for (const text of [`${token}\n`, ` ${token}`, `${token} `, `\n${token}`, `${token}\0`])
      expect(await tokens.verify(text, new Date())).toBeNull();
  });

  test('one character changed, wherever it is', async () => {
    const { token } = await aTarget();
    for (let at = 0; at < token.length; at++) {
      const other = token[at] === 'A' ? 'B' : 'A';
      expect(await tokens.verify(token.slice(0, at) + other + token.slice(at + 1), new Date())).toBeNull();
    }
  });

  test('the corpus is as large as it was', () => {
    expect(forgeries.length).toBeGreaterThanOrEqual(110);
    expect(new Set(forgeries.map(({ name }) => name)).size).toBe(forgeries.length);
  });
});
