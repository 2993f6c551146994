import { randomBytes } from 'node:crypto';
import { Secret, TOTP } from 'otpauth';
import { base32 } from '../workflows/domain/ids.ts';
import { hashSecret } from './api-key.ts';

const issuer = 'payment-orchestrator';
const secretBytes = 20; // 160 bits, as RFC 4226 recommends
/** What every authenticator app can do (RFC 6238). */
const parameters = { algorithm: 'SHA1', digits: 6, period: 30 } as const;
const codePattern = /^\d{6}$/;
/** Codes of the step before and after are taken too: clocks differ, and people type slowly. */
const stepsAround = 1;

/** A new secret for an authenticator, in RFC 4648's base32. */
export function makeTotpSecret(): string {
  return new Secret({ size: secretBytes }).base32;
}

/** The `otpauth://` URL of a secret, which apps read from a QR code. `account` is how the app calls it. */
export function totpUrl(secret: string, account: string): string {
  return new TOTP({ issuer, label: account, secret: Secret.fromBase32(secret), ...parameters }).toString();
}

/** The time step (since 1970, of 30 seconds) whose code this is, at most one away from now; null: it is none of theirs. */
export function totpStepOf(secret: string, code: string, now: Date): number | null {
  if (!codePattern.test(code)) return null; // the library throws at characters of several bytes
  const timestamp = now.getTime();
  const totp = { secret: Secret.fromBase32(secret), ...parameters };
  const delta = TOTP.validate({ ...totp, token: code, timestamp, window: stepsAround });
  return delta === null ? null : TOTP.counter({ period: parameters.period, timestamp }) + delta;
}

const recoveryCodes = 10;
const recoveryCodeBits = 80;

/** Codes for who has lost the authenticator, like `k3vf-…` in four groups; each is taken once. `hashes` is all that may be kept. */
export function makeRecoveryCodes(pepper: string): { readonly texts: string[]; readonly hashes: string[] } {
  const codes = Array.from({ length: recoveryCodes }, () =>
    base32(randomBytes(recoveryCodeBits / 8), recoveryCodeBits),
  );
  return {
    texts: codes.map((code) => (code.match(/.{4}/g) ?? []).join('-')),
    hashes: codes.map((code) => hashSecret(code, pepper)),
  };
}

/** The hash by which a recovery code is found, however it was typed: case, blanks, dashes, and what looks like 0 and 1. */
export function recoveryCodeHash(typed: string, pepper: string): string {
  const code = typed.toLowerCase().replaceAll(/[\s-]/g, '').replaceAll('o', '0').replaceAll(/[il]/g, '1');
  return hashSecret(code, pepper);
}
