import { z } from 'zod';

/** A filter of a list that names one or more of these words, separated by commas. Its value has each once, in order. */
export function oneOrMore<const Words extends readonly [string, ...string[]]>(words: Words) {
  const all = words.join(', ');
  return z
    .string()
    .transform((list) => [...new Set(list.split(','))].toSorted())
    .pipe(z.array(z.enum(words, `must be of these, separated by commas: ${all}`)))
    .optional()
    .meta({ type: 'string', description: `One or more, separated by commas: ${all}` });
}
