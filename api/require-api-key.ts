import { Problem } from './errors.ts';

/** The id, or `not_found` for text that can be no API key's id. */
export function requireApiKeyId(id: string): string {
  if (!/^key_[0-9a-z]{16}$/.test(id)) throw new Problem('not_found');
  return id;
}
