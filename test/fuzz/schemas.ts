import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import type { Schema } from './document.ts';

/** Says what does not fit; nothing: all fits. */
export type Validator = (value: unknown) => string[];

/** Makes validators of schemas, each once. `text`: the values are texts, as in a query, and may stand for numbers. */
export function createValidators(values: 'json' | 'text'): (schema: Schema) => Validator {
  const ajv = new Ajv2020({ allErrors: true, strict: true, allowUnionTypes: true, coerceTypes: values === 'text' });
  formats.default(ajv);
  const made = new Map<Schema, Validator>();
  return (schema) => {
    const known = made.get(schema);
    if (known !== undefined) return known;
    const fits = ajv.compile(schema);
    const validator: Validator = (value) => {
      if (fits(value)) return [];
      return (fits.errors ?? []).map(({ instancePath, message, params }) => {
        return `${instancePath === '' ? '/' : instancePath} ${message} ${JSON.stringify(params)}`;
      });
    };
    made.set(schema, validator);
    return validator;
  };
}

/**
 * The same schema, closed: an object may have no member that it does not describe. What answers show beyond their
 * documentation was not meant to be shown.
 */
export function closed(schema: Schema): Schema {
  const { allOf, properties, additionalProperties } = schema;
  if (allOf !== undefined) return { ...schema, unevaluatedProperties: false } as Schema;
  const inner = {
    ...(schema.items === undefined ? {} : { items: closed(schema.items) }),
    ...(schema.anyOf === undefined ? {} : { anyOf: schema.anyOf.map(closed) }),
    ...(schema.oneOf === undefined ? {} : { oneOf: schema.oneOf.map(closed) }),
  };
  if (properties === undefined) return { ...schema, ...inner };
  const members = Object.entries(properties).map(([name, member]) => [name, closed(member)] as const);
  return {
    ...schema,
    ...inner,
    properties: Object.fromEntries(members),
    additionalProperties: additionalProperties ?? false,
  };
}
