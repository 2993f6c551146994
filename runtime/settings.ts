import { isIP } from 'node:net';
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

const keyring = z.string().transform((text, context) => {
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

const url = (protocol: RegExp, error: string) => z.url({ protocol, error });
const postgresUrl = (error: string) => url(/^postgres(ql)?$/, error);
const providerUrl = url(/^https?$/, 'must be an http(s):// URL');
const accountId = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,64}$/, 'must be letters, digits, dashes or underscores')
  .default('main');
const flag = z.enum(['true', 'false'], 'must be true or false').transform((text) => text === 'true');

// Descriptions are documentation: `docs/settings.md` is made of them.

/** Whether money is real here. */
const environmentSettings = {
  ENVIRONMENT: z
    .enum(['development', 'production'])
    .default('development')
    .describe('`production` refuses to start with settings that are unsafe: see [deploy.md](deploy.md#production)'),
};

/** Settings that more than one process needs. Temporal's own (address, namespace, TLS, API key) are its SDK's. */
export const commonSettings = {
  LOG_LEVEL: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])
    .default('info')
    .describe('`fatal`, `error`, `warn`, `info`, `debug`, `trace` or `silent`'),
  ...environmentSettings,
  PAYLOAD_CODEC_KEYS: keyring.describe(
    '`id:base64,…`, keys of 32 bytes: the first one encrypts what Temporal stores, all decrypt, so old keys stay in the list',
  ),
};

/** Settings of a process that uses the database. */
export const databaseSettings = {
  DATABASE_URL: postgresUrl('must be a postgresql:// URL').describe(
    'Postgres, as the application’s role, not the owner’s',
  ),
  DATABASE_CONNECTIONS_MAX: z.coerce.number().int().min(1).max(500).default(20).describe('Connections per process'),
};

/** Settings of whoever changes the schema. */
export const migrationSettings = {
  ...environmentSettings,
  MIGRATION_DATABASE_URL: postgresUrl('must be a postgresql:// URL of the owner').describe('Postgres, as the owner'),
};

/** Settings of whoever makes or checks API keys. */
export const apiKeySettings = {
  API_KEY_PEPPER: z
    .string()
    .min(32, 'must have at least 32 characters')
    .describe(
      'At least 32 characters: keys, refresh tokens, invitations and recovery codes are hashed with it, so losing it voids them all',
    ),
};

/** Settings of processes that store, or use, the secrets that webhooks are signed with. */
const webhookSettings = {
  STORED_SECRETS_KEYS: keyring.describe(
    '`id:base64,…` like the codec’s: encrypts secrets in the database: of webhooks, of signed requests, of authenticators',
  ),
  WEBHOOK_ALLOW_PRIVATE_ADDRESSES: flag
    .default(false)
    .describe('Whether webhooks may go to loopback and private addresses: `true` for development alone'),
};

/** How the API knows providers' own events; without a secret or an id those of that provider are not taken. */
const eventSettings = {
  EASYPAY_ACCOUNT_ID: accountId.describe(
    'Our account at EasyPay: the last part of the address that it posts events to',
  ),
  EASYPAY_WEBHOOK_SECRET: z
    .string()
    .min(1)
    .optional()
    .describe('What EasyPay signs its events with; without it they are not taken'),
  PAYPAL_ACCOUNT_ID: accountId.describe('Our account at PayPal: the last part of the address that it posts events to'),
  PAYPAL_WEBHOOK_ID: z
    .string()
    .min(1)
    .optional()
    .describe(
      'PayPal’s id of our webhook; with it, `PAYPAL_URL`, `PAYPAL_CLIENT_ID` and `PAYPAL_CLIENT_SECRET` are needed too',
    ),
  PAYPAL_URL: providerUrl.optional().describe('Where PayPal is'),
  PAYPAL_CLIENT_ID: z.string().min(1).optional().describe('The client that PayPal knows us as'),
  PAYPAL_CLIENT_SECRET: z.string().min(1).optional().describe('The secret of that client'),
};

const list = z.string().transform((text) =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== ''),
);

/** An address, or a network of them that is not the whole internet. */
function isNetwork(text: string): boolean {
  const [address = '', prefix, ...rest] = text.split('/');
  const family = isIP(address);
  if (family === 0 || rest.length > 0) return false;
  return prefix === undefined || (/^[1-9]\d*$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128));
}

/** As browsers send it: no wildcard, no path, no default port. */
function isOrigin(text: string): boolean {
  return URL.canParse(text) && new URL(text).origin === text && /^https?:[^*]+$/.test(text);
}

/** How the API knows people, and how it stands towards the network. */
const accessSettings = {
  TOKEN_SIGNING_KEYS: keyring.describe(
    '`id:base64,…`, Ed25519 seeds of 32 bytes: the first one signs access tokens, all verify, so an old key can stay a while',
  ),
  TOKEN_ISSUER: z.string().min(1).default('payment-orchestrator').describe('`iss` of access tokens'),
  REDIS_URL: url(/^rediss?$/, 'must be a redis:// or rediss:// URL')
    .optional()
    .describe('Where API processes share the counts of their rate limits; without it each counts for itself'),
  TRUST_PROXY: list
    .refine(
      (networks) => networks.every(isNetwork),
      'must be addresses or networks like 10.0.0.0/8, and not all there are',
    )
    .default([])
    .describe(
      'Networks (CIDR, separated by commas) of the proxies whose `X-Forwarded-For` is believed; none if absent',
    ),
  CORS_ORIGINS: list
    .refine((origins) => origins.every(isOrigin), 'must be origins like https://shop.example.com, each in full')
    .default([])
    .describe('Origins of web pages that may call the API, separated by commas; none if absent'),
  ADDRESS_LIMIT_PER_MINUTE: z.coerce
    .number()
    .int()
    .min(1)
    .default(6_000)
    .describe('Requests per minute that one client address may make, whoever calls'),
  WRONG_SECRET_LIMIT_PER_MINUTE: z.coerce
    .number()
    .int()
    .min(1)
    .default(60)
    .describe(
      'Wrong keys, tokens and passwords per minute after which a client address is refused until the minute is over',
    ),
};

/** Settings of the API. */
export const apiSettings = {
  ...commonSettings,
  ...databaseSettings,
  ...webhookSettings,
  ...apiKeySettings,
  ...accessSettings,
  ...eventSettings,
  API_HOST: z.string().default('127.0.0.1').describe('Where the API listens'),
  API_PORT: port.default(3000).describe('Where the API listens; 0: any free port'),
};

/** Settings of a worker. */
export const workerSettings = {
  ...commonSettings,
  ...databaseSettings,
  ...webhookSettings,
  PUBLIC_API_URL: url(/^https?$/, 'must be an http(s):// URL')
    .default('http://127.0.0.1:3000')
    .describe('Where payers’ browsers reach the API when they come back from a provider'),
  EASYPAY_URL: providerUrl.describe('Where EasyPay is'),
  EASYPAY_API_KEY: z.string().min(1).describe('The key that EasyPay knows us by'),
  PAYPAL_URL: providerUrl.describe('Where PayPal is'),
  PAYPAL_CLIENT_ID: z.string().min(1).describe('The client that PayPal knows us as'),
  PAYPAL_CLIENT_SECRET: z.string().min(1).describe('The secret of that client'),
  SMTP_URL: url(/^smtps?$/, 'must be an smtp(s):// URL')
    .optional()
    .describe('Where mails to payers go, e.g. `smtp://user:password@host:587`; without it none are sent'),
  MAIL_FROM: z.string().min(3).default('Payments <payments@localhost>').describe('Whom mails to payers come from'),
  WORKER_CACHED_WORKFLOWS_MAX: z.coerce.number().int().min(10).default(1000).describe('Open workflows kept in memory'),
  METRICS_HOST: z.string().default('127.0.0.1').describe('Where the worker’s metrics are read'),
  METRICS_PORT: port
    .optional()
    .describe(
      '`GET /metrics` for Prometheus (ours and the Temporal SDK’s) and `GET /health/live`; 0: any free port; without it there is no such server',
    ),
};

/** Settings of the codec endpoint, which shows decrypted payloads to operators' browsers. */
export const codecServerSettings = {
  ...commonSettings,
  CODEC_HOST: z.string().default('127.0.0.1').describe('Where the codec endpoint listens'),
  CODEC_PORT: port.default(8234).describe('Where the codec endpoint listens'),
  CODEC_CORS_ORIGIN: z
    .string()
    .transform((text) => text.split(',').map((origin) => origin.trim()))
    .describe('Origins of the Web UIs that may ask it, separated by commas'),
};
