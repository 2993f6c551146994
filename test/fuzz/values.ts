import fc from 'fast-check';
import type { Schema } from './document.ts';

/** Values for members and parameters of these names, where a schema alone does not say what makes sense. */
export type Hints = Readonly<Record<string, fc.Arbitrary<unknown>>>;

/** Longer ones are the business of those who try lengths. */
const usualLengthMax = 40;
const usualItemsMax = 4;

/** Values that fit the schema; realistic ones where there is a hint for the name. */
export function valueOf(schema: Schema, name: string, hints: Hints): fc.Arbitrary<unknown> {
  const hint = Object.hasOwn(hints, name) ? hints[name] : undefined;
  if (hint !== undefined) return hint;
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices !== undefined) return fc.oneof(...choices.map((choice) => valueOf(choice, name, hints)));
  if (schema.allOf !== undefined) return objectOf(merged(schema.allOf), hints);
  const types = [schema.type ?? 'object'].flat();
  return fc.oneof(...types.map((type) => valueOfType(type, schema, name, hints)));
}

function valueOfType(type: string, schema: Schema, name: string, hints: Hints): fc.Arbitrary<unknown> {
  switch (type) {
    case 'object':
      return objectOf(schema, hints);
    case 'array': {
      const { minItems: minLength = 0, maxItems = usualItemsMax } = schema;
      const maxLength = Math.max(minLength, Math.min(maxItems, usualItemsMax));
      return fc.array(valueOf(schema.items ?? {}, name, hints), { minLength, maxLength });
    }
    case 'string':
      return textOf(schema);
    case 'integer':
      return fc.integer({ min: schema.minimum ?? 0, max: schema.maximum ?? 1_000 });
    case 'number':
      return fc.double({ min: schema.minimum ?? 0, max: schema.maximum ?? 1_000, noNaN: true });
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    default:
      throw new Error(`${name} has the type ${type}, for which no values can be made yet: add them here`);
  }
}

/** The same in every run, whatever the time is; most are no time of a run's payments, as most filters find nothing. */
const instants = fc.date({ min: new Date('2020-01-01'), max: new Date('2040-01-01'), noInvalidDate: true });

function textOf({ pattern, format, minLength = 0, maxLength = usualLengthMax }: Schema): fc.Arbitrary<string> {
  if (pattern !== undefined) return fc.stringMatching(new RegExp(pattern, 'u'));
  if (format === 'date-time') return instants.map((instant) => instant.toISOString());
  if (format === 'email') return fc.stringMatching(/^[a-z]{1,12}@example\.com$/);
  if (format === 'uri') return fc.webUrl();
  const lengthMax = Math.max(1, minLength, Math.min(maxLength, usualLengthMax));
  return fc
    .string({ unit: 'grapheme', minLength: Math.max(1, minLength), maxLength: lengthMax })
    .filter((text) => text.length <= maxLength); // a grapheme may have several characters
}

function objectOf(schema: Schema, hints: Hints): fc.Arbitrary<object> {
  const { properties = {}, required = [], additionalProperties: others } = schema;
  const members = Object.fromEntries(
    Object.entries(properties).map(([name, member]) => [name, valueOf(member, name, hints)]),
  );
  const known = fc.record(members, { requiredKeys: [...required] });
  if (typeof others !== 'object' || Object.keys(properties).length > 0) return known;
  const names = fc.stringMatching(/^[a-z][a-z_]{0,19}$/);
  return fc.dictionary(names, valueOf(others, '', hints), { maxKeys: usualItemsMax });
}

function merged(parts: readonly Schema[]): Schema {
  return {
    properties: Object.assign({}, ...parts.map((part) => part.properties ?? {})),
    required: parts.flatMap((part) => part.required ?? []),
  };
}
