import { randomBytes } from 'node:crypto';

/**
 * What a canary stands for, which decides where it may be found. `person`: names, addresses and numbers of people. `words`:
 * what merchants write about their things. `id`: what they call them. `decision`: evidence and reasons of operators. `key`: an idempotency key. `card`: a
 * card token. `provider`: what a provider says. `secret`: passwords, tokens, keys. `stray`: where nothing should be said at all.
 */
export type CanaryKind = 'person' | 'words' | 'id' | 'decision' | 'key' | 'card' | 'provider' | 'secret' | 'stray';

/** A text that nobody else writes. */
export interface Canary {
  readonly kind: CanaryKind;
  /** Where it was sent to: operation and member. */
  readonly from: string;
}

/** All canaries of a run: those that were made, and real secrets, which are canaries by themselves. */
export interface Canaries {
  /** A new one: letters and digits, to be put into a text of any form. */
  make(kind: CanaryKind, from: string): string;
  /** From now on this text is one. */
  adopt(text: string, kind: CanaryKind, from: string): void;
  readonly count: number;
  /** The canaries in a text, each once. */
  foundIn(text: string): Canary[];
}

/** Shorter ones might stand somewhere by accident. */
const lengthMin = 14;

const marker = 'cnry';
const pattern = /cnry[a-z]{20}/gi;

/** Makes the register of a run. */
export function createCanaries(): Canaries {
  const made = new Map<string, Canary>();
  const adopted = new Map<string, Canary>();
  return {
    make(kind, from) {
      const letters = [...randomBytes(20)].map((byte) => String.fromCharCode(97 + (byte % 26))).join('');
      made.set(`${marker}${letters}`, { kind, from });
      return `${marker}${letters}`;
    },
    adopt(text, kind, from) {
      if (text.length >= lengthMin && !pattern.test(text)) adopted.set(text, { kind, from });
      pattern.lastIndex = 0;
    },
    get count() {
      return made.size + adopted.size;
    },
    foundIn(text) {
      const seen = new Set((text.match(pattern) ?? []).map((word) => word.toLowerCase()));
      const known = [...seen].flatMap((word) => made.get(word) ?? []);
      return [...known, ...[...adopted].flatMap(([secret, canary]) => (text.includes(secret) ? [canary] : []))];
    },
  };
}
