import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { parse } from 'yaml';
import { z } from 'zod';

const root = join(import.meta.dirname, '../..');

/** The compose file itself. */
export const composePath = join(root, 'docker-compose.yml');

const serviceSchema = z.object({
  image: z.string(),
  /** Absent where the image is somebody else's. */
  build: z.string().optional(),
  command: z.array(z.string()).default([]),
  environment: z.record(z.string(), z.string()).default({}),
  ports: z.array(z.string()).default([]),
  healthcheck: z.object({ test: z.array(z.string()) }).optional(),
});

/** One service of the compose file, its variables as they are written there. */
export type ComposeService = z.infer<typeof serviceSchema>;

/** The services of the compose file by name. */
export function readCompose(): Record<string, ComposeService> {
  const text = readFileSync(composePath, 'utf8');
  return z.object({ services: z.record(z.string(), serviceSchema) }).parse(parse(text, { merge: true })).services;
}

/** A file of secrets as `deploy/make-env.sh` writes it, by name. */
export function readEnvFile(path: string): Record<string, string> {
  return z.record(z.string(), z.string()).parse(parseEnv(readFileSync(path, 'utf8')));
}

/** A service's environment as its container gets it. Throws, as compose does, where a required variable is missing. */
export function environmentOf(
  service: ComposeService,
  variables: Readonly<Record<string, string>>,
): Record<string, string> {
  const fill = (text: string) =>
    text.replaceAll(/\$\{(\w+):([?-])([^}]*)\}/g, (_whole, name: string, kind: string, rest: string) => {
      const value = variables[name];
      if (value !== undefined) return value;
      if (kind === '-') return rest;
      throw new Error(`${name} is missing: ${rest}`);
    });
  return Object.fromEntries(Object.entries(service.environment).map(([name, value]) => [name, fill(value)]));
}
