import { Problem } from './errors.ts';

/** Makes the check of an id in a path: it returns the id, or throws `not_found` for text that can be none of these. */
export function requireForm(form: RegExp): (id: string) => string {
  return (id) => {
    if (!form.test(id)) throw new Problem('not_found');
    return id;
  };
}
