import { readFile, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import {
  apiKeySettings,
  apiSettings,
  codecServerSettings,
  databaseSettings,
  migrationSettings,
  workerSettings,
} from '../runtime/settings.ts';

/**
 * Writes the table of settings in `docs/settings.md` from the schemas that processes read them with; with `--check` only
 * says whether it is up to date. The text around the table is written by hand.
 */
const path = new URL('../docs/settings.md', import.meta.url);
const [begin, end] = ['<!-- settings: made by `npm run settings` -->', '<!-- end of settings -->'];

const processes: Readonly<Record<string, z.ZodRawShape>> = {
  api: apiSettings,
  worker: workerSettings,
  codec: codecServerSettings,
  migrate: migrationSettings,
  admin: { DATABASE_URL: databaseSettings.DATABASE_URL, ...apiKeySettings },
};

/** One line per setting, in the order in which the processes name them first. */
function table(): string {
  const schemas = new Map(Object.values(processes).flatMap((shape) => Object.entries(shape)));
  const lines = [...schemas].map(([name, schema]) => {
    const users = Object.keys(processes).filter((user) => Object.hasOwn(processes[user] ?? {}, name));
    if (!(schema instanceof z.ZodType) || schema.description === undefined)
      throw new Error(`${name} needs a description`);
    return `| \`${name}\` | ${users.join(', ')} | ${defaultFor(users, name)} | ${schema.description} |`;
  });
  return ['| setting | of | default | meaning |', '| --- | --- | --- | --- |', ...lines].join('\n');
}

/** One word where it is the same for all who use the setting, else one for each. */
function defaultFor(users: readonly string[], name: string): string {
  const byUser = Map.groupBy(users, (user) => {
    const schema = processes[user]?.[name];
    return schema instanceof z.ZodType ? defaultOf(schema) : '';
  });
  const words = [...byUser];
  if (words.length === 1) return words.map(([word]) => word).join('');
  return words.map(([word, of]) => `${of.join(', ')}: ${word}`).join('; ');
}

function defaultOf(schema: z.ZodType): string {
  if (schema instanceof z.ZodDefault) {
    const text = String(schema.def.defaultValue);
    return text === '' ? 'none' : `\`${text}\``;
  }
  return schema instanceof z.ZodOptional ? 'none' : '**required**';
}

const written = await readFile(path, 'utf8');
const [before, rest] = written.split(begin);
const after = rest?.split(end)[1];
if (before === undefined || after === undefined)
  throw new Error(`docs/settings.md lost its lines "${begin}" and "${end}"`);
const text = `${before}${begin}\n\n${table()}\n\n${end}${after}`;

if (!process.argv.includes('--check')) {
  await writeFile(path, text);
} else if (written !== text) {
  process.stderr.write(
    'docs/settings.md is not what runtime/settings.ts declares. Run `npm run settings` and commit it.\n',
  );
  process.exitCode = 1;
}
