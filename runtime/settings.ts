import { z } from 'zod';

/** Settings are wrong: the message names every wrong one and never shows a value, which may be a secret. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
}

/**
 * Reads a process's settings from its environment. Empty strings count as absent. Throws a `SettingsError` that lists all
 * that is wrong at once.
 */
export function readSettings<Shape extends z.ZodRawShape>(
  shape: Shape,
  environment: NodeJS.ProcessEnv = process.env,
): z.infer<z.ZodObject<Shape>> {
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
  const result = z.object(shape).safeParse(given);
  if (result.success) return result.data;
  const lines = result.error.issues.map((issue) => `  ${issue.path.join('.')}: ${explain(issue)}`);
  throw new SettingsError(`Settings are wrong; change the environment and start again.\n${lines.join('\n')}`);
}

function explain(issue: z.core.$ZodIssue): string {
  return issue.code === 'invalid_type' ? 'is missing or of the wrong type' : issue.message;
}

const port = z.coerce.number().int().min(0).max(65_535);

const codecKeys = z.string().transform((text, context) => {
  const keys = new Map<string, Buffer>();
  for (const entry of text.split(',')) {
    const [id, encoded] = entry.trim().split(':');
    const key = Buffer.from(encoded ?? '', 'base64');
    if (!id || key.length !== 32) {
      context.addIssue({ code: 'custom', message: 'must be a list like "id:base64,…" with keys of 32 bytes' });
      return z.NEVER;
    }
    keys.set(id, key);
  }
  return keys;
});

/** Settings that more than one process needs. Temporal's own (address, namespace, TLS, API key) are its SDK's. */
export const commonSettings = {
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  /** `id:base64,…`: 32-byte keys; the first one encrypts what Temporal stores, all decrypt. */
  PAYLOAD_CODEC_KEYS: codecKeys,
};

/** Settings of a process that uses the database. */
export const databaseSettings = {
  /** The application's role, not the owner's. */
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/, error: 'must be a postgresql:// URL' }),
  DATABASE_CONNECTIONS_MAX: z.coerce.number().int().min(1).max(500).default(20),
};

/** Settings of the API. */
export const apiSettings = {
  ...commonSettings,
  ...databaseSettings,
  API_HOST: z.string().default('127.0.0.1'),
  API_PORT: port.default(3000),
  /** Secret that keyed hashes of API keys are made with; at least 32 characters. */
  API_KEY_PEPPER: z.string().min(32, 'must have at least 32 characters'),
};

/** Settings of a worker. */
export const workerSettings = {
  ...commonSettings,
  ...databaseSettings,
  EASYPAY_URL: z.url({ protocol: /^https?$/, error: 'must be an http(s):// URL' }),
  EASYPAY_API_KEY: z.string().min(1),
  WORKER_CACHED_WORKFLOWS_MAX: z.coerce.number().int().min(10).default(1000),
  /** Where Prometheus may read the engine's metrics, e.g. `127.0.0.1:9464`. None when absent. */
  WORKER_METRICS_ADDRESS: z
    .string()
    .regex(/^[^:]+:\d+$/, 'must look like 127.0.0.1:9464')
    .optional(),
};

/** Settings of the codec endpoint, which shows decrypted payloads to operators' browsers. */
export const codecServerSettings = {
  ...commonSettings,
  CODEC_HOST: z.string().default('127.0.0.1'),
  CODEC_PORT: port.default(8234),
  /** Origins of Web UIs that may ask, separated by commas. */
  CODEC_CORS_ORIGIN: z.string().transform((text) => text.split(',').map((origin) => origin.trim())),
};
