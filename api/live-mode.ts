import { Problem } from './errors.ts';
import type { Caller } from './principal.ts';

/** Throws `wrong_mode` for a key or session of test mode: what both modes share is changed in live mode alone. */
export function requireLiveMode({ isTest }: Caller): void {
  if (isTest) throw new Problem('wrong_mode', { detail: 'This holds for live mode too: use a live key or session.' });
}

/** Throws `wrong_mode` where a request says that it is of the other mode than its key or session. */
export function requireMode({ is_test: said }: { readonly is_test?: boolean | undefined }, isTest: boolean): void {
  if (said === undefined || said === isTest) return;
  const detail = `must be ${isTest}: this key or token is for ${isTest ? 'test' : 'live'} mode`;
  throw new Problem('wrong_mode', { errors: [{ pointer: '/is_test', detail }] });
}
