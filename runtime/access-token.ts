import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { errors, type JSONWebKeySet, type JWK, type JWTPayload, jwtVerify, SignJWT } from 'jose';

/** What an access token says. */
interface AccessClaims {
  /** The user or key: `usr_…` or `key_…`. */
  readonly subject: string;
  readonly sessionId: string;
}

interface ValidToken {
  readonly kind: 'valid';
  readonly claims: AccessClaims;
  /** Seconds since 1970. */
  readonly expiresAt: number;
}

/** `expired`: it was ours, and right. Null: anything else. */
type VerifiedToken = ValidToken | { readonly kind: 'expired' } | null;

/** Makes and checks access tokens: JWTs of the type of RFC 9068, signed with Ed25519, good for a quarter of an hour at most. */
export interface AccessTokens {
  /** A token from `now` on, which ends no later than `endsAt`, where its session does. */
  issue(claims: AccessClaims, now: Date, endsAt?: Date): Promise<{ readonly text: string; readonly expiresAt: Date }>;
  verify(text: string, now: Date): Promise<VerifiedToken>;
  /** The public keys, for whoever checks tokens without asking us. */
  readonly jwks: JSONWebKeySet;
}

const algorithm = 'EdDSA';
const type = 'at+jwt';
const audience = 'payment-orchestrator';
/** How long an access token is valid, at most. */
const validSeconds = 900;
/** By so much the clock of the machine that made a token may be ahead of ours. */
const leewaySeconds = 5;
/** Longer texts are no tokens of ours, and are not even looked at. */
const textLengthMax = 2_000;
const subjectPattern = /^(usr|key)_[0-9a-hjkmnp-tv-z]{8,40}$/;
const sessionPattern = /^ses_[0-9a-hjkmnp-tv-z]{26}$/;

/**
 * Tokens of this issuer, by keys that are Ed25519 seeds of 32 bytes under their ids: the first one signs, all of them verify,
 * so that an old key can stay until its last token has expired.
 */
export function createAccessTokens(seeds: ReadonlyMap<string, Buffer>, issuer: string): AccessTokens {
  const pairs = [...seeds].map(([id, seed]) => pairOf(id, seed));
  const [signer] = pairs;
  if (signer === undefined) throw new Error('there is no key to sign access tokens with');
  const publicKeys = new Map(pairs.map(({ header, publicKey }) => [encoded(JSON.stringify(header)), publicKey]));

  return {
    jwks: { keys: pairs.map(publicJwk) },
    async issue({ subject, sessionId }, now, endsAt) {
      const issuedAt = secondsOf(now);
      const expiresAt = Math.min(issuedAt + validSeconds, endsAt === undefined ? Infinity : secondsOf(endsAt));
      const text = await new SignJWT({ sid: sessionId })
        .setProtectedHeader(signer.header)
        .setIssuer(issuer)
        .setAudience(audience)
        .setSubject(subject)
        .setIssuedAt(issuedAt)
        .setExpirationTime(expiresAt)
        .sign(signer.privateKey);
      return { text, expiresAt: new Date(expiresAt * 1000) };
    },
    async verify(text, now) {
      const publicKey = text.length <= textLengthMax && isCanonical(text) ? publicKeys.get(headerOf(text)) : undefined;
      const payload = publicKey === undefined ? null : await payloadOf(text, publicKey, issuer, now);
      if (payload === null || !isWrittenOnce(text, payload)) return null;
      const valid = validOf(payload);
      return valid !== null && valid.expiresAt <= secondsOf(now) ? { kind: 'expired' } : valid;
    },
  };
}

/** What the token says, also if it has expired; null: it is not signed with this key, or not for us, or not from us. */
async function payloadOf(text: string, key: KeyObject, issuer: string, now: Date): Promise<JWTPayload | null> {
  try {
    const { payload } = await jwtVerify(text, key, {
      algorithms: [algorithm],
      typ: type,
      issuer,
      audience,
      currentDate: now,
      clockTolerance: leewaySeconds,
      maxTokenAge: validSeconds,
    });
    return payload;
  } catch (error) {
    return error instanceof errors.JWTExpired ? error.payload : null;
  }
}

/** Its claims, if they are of the form that ours have: an audience alone, whole seconds, and no longer than a token lives. */
function validOf({ sub, sid, aud, iat, exp }: JWTPayload): ValidToken | null {
  if (typeof sub !== 'string' || !subjectPattern.test(sub)) return null;
  if (typeof sid !== 'string' || !sessionPattern.test(sid)) return null;
  if (aud !== audience || !isWhole(iat) || !isWhole(exp)) return null;
  if (exp < iat || exp > iat + validSeconds) return null;
  return { kind: 'valid', claims: { subject: sub, sessionId: sid }, expiresAt: exp };
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

/**
 * Whether each part is base64url as an encoder writes it. Decoders forgive padding, line ends and idle bits at the end: one
 * token would have many texts.
 */
function isCanonical(text: string): boolean {
  return text.split('.').every((part) => Buffer.from(part, 'base64url').toString('base64url') === part);
}

/**
 * A token's header, encoded. It is compared as a whole with those that we write: so nothing in it is ever interpreted, be it
 * another algorithm, a key that the token brings along, or a critical extension.
 */
function headerOf(text: string): string {
  return text.slice(0, text.indexOf('.'));
}

/** Whether the payload stands there as we write JSON: without a member that is there twice, of which readers see one. */
function isWrittenOnce(text: string, payload: JWTPayload): boolean {
  return encoded(JSON.stringify(payload)) === text.split('.')[1];
}

function encoded(json: string): string {
  return Buffer.from(json).toString('base64url');
}

function secondsOf(at: Date): number {
  return Math.floor(at.getTime() / 1000);
}

interface Pair {
  readonly header: { readonly alg: typeof algorithm; readonly typ: typeof type; readonly kid: string };
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

/** An Ed25519 private key in DER is this prefix and the seed (RFC 8410). */
const derPrefix = Buffer.from('302e020100300506032b657004220420', 'hex');

function pairOf(kid: string, seed: Buffer): Pair {
  const privateKey = createPrivateKey({ key: Buffer.concat([derPrefix, seed]), format: 'der', type: 'pkcs8' });
  return { header: { alg: algorithm, typ: type, kid }, privateKey, publicKey: createPublicKey(privateKey) };
}

function publicJwk({ header, publicKey }: Pair): JWK {
  return { ...publicKey.export({ format: 'jwk' }), kid: header.kid, alg: algorithm, use: 'sig' };
}
