import { createHmac, randomBytes } from 'node:crypto';
import { base32 } from '../workflows/domain/ids.ts';
import { checksumOf } from './api-key.ts';

const bits = 256;
const pattern = /^por_[0-9a-hjkmnp-tv-z]{52}[0-9a-hjkmnp-tv-z]{6}$/;

/** The first refresh token of a session, `por_…`: 256 random bits, and a checksum by which secret scanners know it. */
export function makeRefreshToken(): string {
  return tokenOf(randomBytes(bits / 8));
}

/**
 * The token that follows this one. Always the same: an answer that was lost can be given again, though no text of a token is
 * kept. Whoever has the one cannot make the other without the pepper.
 */
export function successorOf(text: string, pepper: string): string {
  return tokenOf(createHmac('sha256', pepper).update(`successor of the refresh token ${text}`).digest());
}

/** Whether a text has the form of a refresh token, checksum included. */
export function isRefreshToken(text: string): boolean {
  return pattern.test(text) && checksumOf(text.slice(0, -6)) === text.slice(-6);
}

function tokenOf(secret: Uint8Array): string {
  const body = `por_${base32(secret, bits)}`;
  return `${body}${checksumOf(body)}`;
}
