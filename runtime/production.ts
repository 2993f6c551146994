import { isIP } from 'node:net';
import type { Logger } from './logger.ts';
import { SettingsError } from './settings.ts';

/** What is looked at, of any process; what it does not have is not unsafe. */
export interface ExaminedSettings {
  readonly ENVIRONMENT: 'development' | 'production';
  readonly PAYLOAD_CODEC_KEYS?: ReadonlyMap<string, Buffer>;
  readonly STORED_SECRETS_KEYS?: ReadonlyMap<string, Buffer>;
  readonly TOKEN_SIGNING_KEYS?: ReadonlyMap<string, Buffer>;
  readonly API_KEY_PEPPER?: string;
  readonly WEBHOOK_ALLOW_PRIVATE_ADDRESSES?: boolean;
  readonly DATABASE_URL?: string;
  readonly MIGRATION_DATABASE_URL?: string;
  readonly REDIS_URL?: string | undefined;
  readonly SMTP_URL?: string | undefined;
  readonly EASYPAY_URL?: string | undefined;
  readonly PAYPAL_URL?: string | undefined;
  readonly PUBLIC_API_URL?: string;
  readonly CORS_ORIGINS?: readonly string[];
}

/** Where Temporal is, as `temporalConfig` has it. */
interface ExaminedTemporal {
  readonly connectionOptions: { readonly address?: string | undefined; readonly tls?: unknown };
}

/**
 * Lets a process start in production only with settings that are safe there: secrets that somebody made for it, and TLS to
 * everything beyond this machine. Throws a `SettingsError` that names every unsafe one with what to do, and never a value.
 * Elsewhere everything is allowed.
 */
export function requireSafe(settings: ExaminedSettings, temporal: ExaminedTemporal | null = null): void {
  if (settings.ENVIRONMENT !== 'production') return;
  const unsafe = [
    ...secretsOf(settings),
    ...connectionsOf(settings),
    ...temporalOf(temporal),
    ...allowancesOf(settings),
  ];
  if (unsafe.length === 0) return;
  throw new SettingsError(
    'Settings are unsafe in production; change the environment and start again. Where no money is real, ' +
      `ENVIRONMENT=development allows them.\n${unsafe.map(([name, advice]) => `  ${name}: ${advice}`).join('\n')}`,
  );
}

/**
 * Lets a process start in production only with a database that has no demo merchant, whose keys lie about in files; it is not
 * asked for twice, and a database that is away has no say.
 */
export async function requireNoDemoMerchant(
  { ENVIRONMENT }: Pick<ExaminedSettings, 'ENVIRONMENT'>,
  hasDemoMerchant: () => Promise<boolean>,
  logger: Logger,
): Promise<void> {
  if (ENVIRONMENT !== 'production') return;
  const found = await hasDemoMerchant().catch((err: unknown) => {
    logger.warn({ err }, 'the database is away: nobody knows whether it has the demo merchant');
    return false;
  });
  if (!found) return;
  throw new SettingsError(
    'DATABASE_URL: this database has the demo merchant of `npm start`, whose keys are known to whoever ran it. ' +
      'Use a database that was never one of development.',
  );
}

/** The name of a setting, and what is wrong with it and what to do. */
type Unsafe = readonly [name: string, advice: string];

function secretsOf(settings: ExaminedSettings): Unsafe[] {
  const keyrings = ['PAYLOAD_CODEC_KEYS', 'STORED_SECRETS_KEYS', 'TOKEN_SIGNING_KEYS'] as const;
  const unsafe = keyrings.flatMap((name): Unsafe[] =>
    [...(settings[name] ?? [])].some(([id, key]) => isExampleId.test(id) || isGuessable(key))
      ? [
          [
            name,
            'has a key of an example or of development; make one: `openssl rand -base64 32`, with an id of its own',
          ],
        ]
      : [],
  );
  const { API_KEY_PEPPER: pepper = null } = settings;
  if (pepper !== null && (new Set(pepper).size < distinctCharactersMin || isExampleText.test(pepper)))
    unsafe.push(['API_KEY_PEPPER', 'is no random text; make one: `openssl rand -base64 48`']);
  return unsafe;
}

const isExampleId = /^(dev|development|test|demo|example)$/i;
const isExampleText = /change.?me|default|demo|develop|example|password|pepper|secret/i;
/** 32 random bytes have about 30 different ones. */
const distinctBytesMin = 16;
/** 32 random hexadecimal digits have fewer about once in 10,000 times, 64 never. */
const distinctCharactersMin = 10;

function isGuessable(key: Buffer): boolean {
  return new Set(key).size < distinctBytesMin;
}

function connectionsOf(settings: ExaminedSettings): Unsafe[] {
  const { DATABASE_URL, MIGRATION_DATABASE_URL, REDIS_URL, SMTP_URL, EASYPAY_URL, PAYPAL_URL, PUBLIC_API_URL } =
    settings;
  const postgres =
    'goes through the network without TLS, or without knowing the server: add `?sslmode=verify-full` (and ' +
    '`&sslrootcert=<file>` where the authority is your own)';
  const examined: [name: string, given: string | undefined, isSafe: (url: URL) => boolean, advice: string][] = [
    ['DATABASE_URL', DATABASE_URL, isSafePostgres, postgres],
    ['MIGRATION_DATABASE_URL', MIGRATION_DATABASE_URL, isSafePostgres, postgres],
    ['REDIS_URL', REDIS_URL, isSafeOver('rediss:'), 'goes through the network without TLS: use rediss://'],
    [
      'SMTP_URL',
      SMTP_URL,
      isSafeMail,
      'may send mails without TLS: use smtps://, or smtp://…?requireTLS=true for STARTTLS',
    ],
    ['EASYPAY_URL', EASYPAY_URL, isSafeOver('https:'), 'goes through the network without TLS: use https://'],
    ['PAYPAL_URL', PAYPAL_URL, isSafeOver('https:'), 'goes through the network without TLS: use https://'],
    ['PUBLIC_API_URL', PUBLIC_API_URL, isSafeOver('https:'), 'would bring payers here without TLS: use https://'],
  ];
  const origins = settings.CORS_ORIGINS ?? [];
  return [
    ...examined.flatMap(([name, given, isSafe, advice]): Unsafe[] =>
      given === undefined || isSafe(new URL(given)) ? [] : [[name, advice]],
    ),
    ...(origins.every((origin) => isSafeOver('https:')(new URL(origin)))
      ? []
      : [['CORS_ORIGINS', 'has a page that came without TLS, and may be anybody’s: use https://'] as const]),
  ];
}

function isSafeOver(protocol: string): (url: URL) => boolean {
  return (url) => url.protocol === protocol || isThisMachine(url.hostname);
}

/** `host` in the query wins over the one in front; an empty one, or a folder, is a Unix socket. */
function isSafePostgres({ hostname, searchParams }: URL): boolean {
  if (searchParams.getAll('sslmode').at(-1) === 'verify-full') return true;
  return [hostname, ...searchParams.getAll('host')].every((host) => /^($|\/|%2f)/i.test(host) || isThisMachine(host));
}

function isSafeMail({ protocol, hostname, searchParams }: URL): boolean {
  if (isThisMachine(hostname)) return true;
  if (searchParams.get('tls.rejectUnauthorized') === 'false') return false;
  return protocol === 'smtps:' || searchParams.get('requireTLS') === 'true';
}

function isThisMachine(host: string): boolean {
  const bare = host.replace(/^\[(.*)\]$/, '$1');
  return bare === 'localhost' || bare === '::1' || (isIP(bare) === 4 && bare.startsWith('127.'));
}

function temporalOf(temporal: ExaminedTemporal | null): Unsafe[] {
  const { address = 'localhost:7233', tls } = temporal?.connectionOptions ?? {};
  if (tls || isThisMachine(address.replace(/:\d+$/, ''))) return [];
  return [
    ['TEMPORAL_TLS', 'Temporal is reached through the network without TLS: set it to true, or set TEMPORAL_API_KEY'],
  ];
}

function allowancesOf(settings: ExaminedSettings): Unsafe[] {
  const isPrivateAllowed = settings.WEBHOOK_ALLOW_PRIVATE_ADDRESSES === true;
  const isAnybodyBelieved = process.env['NODE_TLS_REJECT_UNAUTHORIZED'] === '0';
  return [
    ...(isPrivateAllowed
      ? [['WEBHOOK_ALLOW_PRIVATE_ADDRESSES', 'opens this network to merchants’ URLs: leave it out'] as const]
      : []),
    ...(isAnybodyBelieved
      ? [
          [
            'NODE_TLS_REJECT_UNAUTHORIZED',
            'makes TLS believe anybody: leave it out; NODE_EXTRA_CA_CERTS adds an authority',
          ] as const,
        ]
      : []),
  ];
}
