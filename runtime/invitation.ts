import { randomBytes } from 'node:crypto';
import { base32 } from '../workflows/domain/ids.ts';
import { hashSecret } from './api-key.ts';

const validForMs = 7 * 24 * 3_600_000;

/** A new invitation. `text` is shown once; `hash` is all that may be kept. */
export interface MadeInvitation {
  readonly text: string;
  readonly hash: string;
  readonly expiresAt: Date;
}

/** Makes an invitation token: `poi_` and 160 random bits, valid for 7 days. */
export function makeInvitation(pepper: string, now: Date): MadeInvitation {
  const text = `poi_${base32(randomBytes(20), 160)}`;
  return { text, hash: invitationHash(text, pepper), expiresAt: new Date(now.getTime() + validForMs) };
}

/** The hash by which an invitation is found. */
export function invitationHash(text: string, pepper: string): string {
  return hashSecret(text, pepper);
}
