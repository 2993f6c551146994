import { containsCardNumber } from '../workflows/domain/card-number.ts';

const removed = '[removed]';

/** Our keys, webhook secrets and card tokens; what follows an authentication scheme; passwords in addresses; mail addresses. */
const secrets: readonly RegExp[] = [
  /\b(?:po_(?:test|live|operator)|whsec|tok)_[\w+/=-]+/g,
  /\b(?:Bearer|Basic) +[\w.~+/=-]{8,}/gi,
  /(?<=:\/\/)[^\s/@]+(?=@)/g,
  /[\w.%+-]+@[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}\b/gi,
];

const longNumber = /\d(?:[ .-]?\d){11,}/g;

/**
 * Removes what looks like a secret, a card number or a mail address. A net below the rule that messages of errors hold none:
 * not every message is ours.
 */
export function scrub(text: string): string {
  const clean = secrets.reduce((rest, pattern) => rest.replaceAll(pattern, removed), text);
  return clean.replaceAll(longNumber, (digits) => (containsCardNumber(digits) ? removed : digits));
}
