import { Problem } from './errors.ts';
import type { Caller } from './principal.ts';

/** Throws `wrong_mode` for a key or session of test mode: what both modes share is changed in live mode alone. */
export function requireLiveMode({ isTest }: Caller): void {
  if (isTest) throw new Problem('wrong_mode', { detail: 'This holds for live mode too: use a live key or session.' });
}
