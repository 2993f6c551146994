import { passwordProblem } from '../runtime/password.ts';
import { Problem } from './errors.ts';

/** Throws `validation_failed`, naming the field, for a password that this person may not have. */
export function requireGoodPassword(
  password: string,
  pointer: string,
  person: { readonly email: string; readonly name: string | null },
): void {
  const wrong = passwordProblem(password, person);
  if (wrong !== null) throw new Problem('validation_failed', { errors: [{ pointer, detail: wrong }] });
}
