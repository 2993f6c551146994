import { containsCardNumber } from '../workflows/domain/card-number.ts';

const removed = '[removed]';

/**
 * Our keys, refresh tokens, invitations, secrets to sign with, webhook secrets and card tokens; JWTs; what follows an
 * authentication scheme; passwords in addresses; mail addresses, with at most 64 characters before the @ (RFC 5321
 * §4.5.3.1.1): without a bound, long words would take quadratic time.
 */
const secrets: readonly RegExp[] = [
  /\b(?:po_(?:test|live|operator)|po[irs]|whsec|tok)_[\w+/=-]+/g,
  /(?<![\w-])eyJ[\w-]{8,}\.[\w-]*(?:\.[\w-]*)*/g,
  /\b(?:Bearer|Basic) +[\w.~+/=-]{8,}/gi,
  /(?<=:\/\/)[^\s/@]+(?=@)/g,
  /[\w.%+-]{1,64}@[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}\b/gi,
];

const longNumber = /\d(?:[ .-]?\d){11,}/g;

/** Of a longer text so much is read, and so much said of that: what the first cut halves, the second one leaves out. */
const readMax = 16_384;
const saidMax = 4_096;

/**
 * Removes what looks like a secret, a card number or a mail address, and the rest of a long text. A net below the rule that
 * messages of errors hold none: not every message is ours, nor is its length.
 */
export function scrub(text: string): string {
  const begin = text.slice(0, readMax);
  const rest = secrets.reduce((all, pattern) => all.replaceAll(pattern, removed), begin);
  const clean = rest.replaceAll(longNumber, (digits) => (containsCardNumber(digits) ? removed : digits));
  return clean.length > saidMax ? `${clean.slice(0, saidMax)}…` : clean;
}
