import { PasswordsBusy } from '../runtime/password.ts';
import { Problem } from './errors.ts';

/** Waits for a password to be hashed. Throws `unavailable` where too many others wait for theirs. */
export async function inTurn<Result>(hashing: Promise<Result>): Promise<Result> {
  try {
    return await hashing;
  } catch (error) {
    if (error instanceof PasswordsBusy)
      throw new Problem('unavailable', { headers: { 'Retry-After': '2' }, cause: error });
    throw error;
  }
}
