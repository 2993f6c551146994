import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { base32 } from '../workflows/domain/ids.ts';

/** Whose key it is, and for merchants the mode; readable in the key itself. */
export type KeyKind = 'test' | 'live' | 'operator';

/** A key taken apart: the public id finds the row, the secret proves the holder. */
export interface ParsedKey {
  readonly kind: KeyKind;
  readonly keyId: string;
  readonly secret: string;
}

/** A new key. `text` is shown once; `secretHash` is all that may be kept. */
export interface MadeKey {
  readonly text: string;
  readonly keyId: string;
  readonly secretHash: string;
}

const keyPattern = /^po_(test|live|operator)_([0-9a-hjkmnp-tv-z]{16})_([0-9a-hjkmnp-tv-z]{32})([0-9a-hjkmnp-tv-z]{6})$/;

/**
 * Makes a key `po_{kind}_{keyId}_{secret}{checksum}`: 80 random bits of id, 160 of secret, and a checksum by which secret
 * scanners tell a key from noise. What they should look for:
 *
 *     \bpo_(test|live|operator)_[0-9a-hjkmnp-tv-z]{16}_[0-9a-hjkmnp-tv-z]{38}\b
 *
 * The last 6 characters are the first 30 bits of SHA-256 over all that stands before them, in the same alphabet (Crockford's
 * base32 in lower case). Of a key that was found, the part between the second and third underscore is enough to revoke it.
 */
export function makeKey(kind: KeyKind, pepper: string): MadeKey {
  const keyId = base32(randomBytes(10), 80);
  const secret = base32(randomBytes(20), 160);
  const body = `po_${kind}_${keyId}_${secret}`;
  return { text: `${body}${checksumOf(body)}`, keyId, secretHash: hashSecret(secret, pepper) };
}

/** A new secret to sign requests with, 256 random bits. Scanners look for `\bpos_[0-9a-hjkmnp-tv-z]{52}\b`. */
export function makeSigningSecret(): string {
  return `pos_${base32(randomBytes(32), 256)}`;
}

/** Takes a key apart; null when it does not have the form of one, checksum included. */
export function parseKey(text: string): ParsedKey | null {
  const [, kind, keyId, secret, checksum] = keyPattern.exec(text) ?? [];
  if (keyId === undefined || secret === undefined || checksumOf(text.slice(0, -6)) !== checksum) return null;
  if (kind !== 'test' && kind !== 'live' && kind !== 'operator') return null;
  return { kind, keyId, secret };
}

/** Keyed hash of a secret: worthless without the pepper, which is not in the database. */
export function hashSecret(secret: string, pepper: string): string {
  return createHmac('sha256', pepper).update(secret).digest('hex');
}

/** Compares in constant time. */
export function isSecret(secret: string, secretHash: string, pepper: string): boolean {
  const given = Buffer.from(hashSecret(secret, pepper));
  const kept = Buffer.from(secretHash);
  return given.length === kept.length && timingSafeEqual(given, kept);
}

/** Thirty bits by which secret scanners tell a secret of ours from noise. */
export function checksumOf(body: string): string {
  return base32(createHash('sha256').update(body).digest(), 30);
}
