import { z } from 'zod';

/** A column of a CSV file: where in a row its cells go, and what they become there. */
export interface Column {
  readonly path: readonly string[];
  readonly read: (cell: string) => unknown;
}

/** The columns that a file for something may have. */
export interface Columns {
  /** The column of this name, or null. */
  find(name: string): Column | null;
  /** All names, for people; `metadata.*` stands for any name behind the dot. */
  readonly names: readonly string[];
  readonly required: readonly string[];
}

interface Schema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, Schema>>;
}

interface Known extends Column {
  readonly name: string;
  readonly isRequired: boolean;
}

const anything = '*';

/** The columns of what a schema describes: a member in a member has a dot in its name, `payment_method.card_token`. */
export function columnsOf(schema: z.ZodType): Columns {
  const root = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Schema;
  const known = columnsIn(root, root, [], true);
  const byName = new Map(known.map((column) => [column.name, column]));
  return {
    find(name) {
      const exact = name.includes(anything) ? undefined : byName.get(name);
      if (exact !== undefined) return exact;
      const dot = name.indexOf('.');
      const open = dot < 0 ? undefined : byName.get(`${name.slice(0, dot)}.${anything}`);
      const member = name.slice(dot + 1);
      return open === undefined || member === '' ? null : { ...open, path: [...open.path.slice(0, -1), member] };
    },
    names: known.map(({ name }) => name),
    required: known.filter(({ isRequired }) => isRequired).map(({ name }) => name),
  };
}

function columnsIn(root: Schema, given: Schema, path: readonly string[], isRequired: boolean): Known[] {
  const schema = resolved(root, given);
  const leaf = { name: path.join('.'), path, isRequired };
  if (schema.type === 'array') return [{ ...leaf, read: readList }];
  if (schema.type !== 'object') return [{ ...leaf, read: readers[schema.type ?? ''] ?? readText }];
  if (schema.properties === undefined) {
    return [{ name: `${leaf.name}.${anything}`, path: [...path, anything], isRequired: false, read: readText }];
  }
  return Object.entries(schema.properties).flatMap(([name, member]) =>
    columnsIn(root, member, [...path, name], isRequired && (schema.required ?? []).includes(name)),
  );
}

function resolved(root: Schema, schema: Schema): Schema {
  const name = schema.$ref?.replace(/^#\/\$defs\//, '');
  return name === undefined ? schema : { ...root.$defs?.[name], ...schema };
}

const readText = (cell: string): unknown => cell;

/** What is no number stays a text: the schema says then that it must be one. */
const readNumber = (cell: string): unknown => (/^-?\d{1,15}(\.\d{1,15})?$/.test(cell) ? Number(cell) : cell);

const readers: Readonly<Record<string, (cell: string) => unknown>> = {
  integer: readNumber,
  number: readNumber,
  boolean: (cell) => (/^(true|false)$/.test(cell) ? cell === 'true' : cell),
};

/** Numbers in one cell are separated by spaces. */
const readList = (cell: string): unknown => cell.split(' ').map(readNumber);
