import { fileURLToPath } from 'node:url';
import { summarizeLogLine } from './log-line.ts';
import { httpReady, outputReady } from './readiness.ts';
import type { DevSettings } from './settings.ts';
import { dataPaths, type Secrets } from './state.ts';
import type { ChildSpec } from './supervisor.ts';

const HOST = '127.0.0.1';

/** What the product's processes are told about where they live. */
export type Surroundings = { databaseUrl: string; temporalAddress: string };

/** Addresses of what `npm start` runs. */
export function addresses({ ports }: DevSettings) {
  return {
    api: `http://${HOST}:${ports.API_PORT}`,
    temporalUi: `http://${HOST}:${ports.TEMPORAL_UI_PORT}`,
    codec: `http://${HOST}:${ports.CODEC_PORT}`,
    simulators: `http://${HOST}:${ports.SIMULATORS_PORT}`,
    easypay: `http://${HOST}:${ports.EASYPAY_FACE_PORT}`,
    paypal: `http://${HOST}:${ports.PAYPAL_FACE_PORT}`,
    smtp: `smtp://${HOST}:${ports.SMTP_FACE_PORT}`,
    inbox: `http://${HOST}:${ports.INBOX_FACE_PORT}`,
    workerMetrics: `http://${HOST}:${ports.METRICS_PORT}/metrics`,
  };
}

/** The outside world, played. */
export function simulators(settings: DevSettings, secrets: Secrets): ChildSpec {
  return {
    ...ownProcess('simulators', 'simulators/main.ts', settings, {
      SIMULATORS_HOST: HOST,
      SIMULATORS_PORT: String(settings.ports.SIMULATORS_PORT),
      EASYPAY_FACE_PORT: String(settings.ports.EASYPAY_FACE_PORT),
      PAYPAL_FACE_PORT: String(settings.ports.PAYPAL_FACE_PORT),
      SMTP_FACE_PORT: String(settings.ports.SMTP_FACE_PORT),
      SMS_FACE_PORT: String(settings.ports.SMS_FACE_PORT),
      INBOX_FACE_PORT: String(settings.ports.INBOX_FACE_PORT),
      SIMULATORS_DATA_DIR: dataPaths(settings.dataDir).simulators,
      EASYPAY_API_KEY: secrets.easypay_api_key,
      ...paypalClient(secrets),
      ...eventProofs(secrets),
      EASYPAY_WEBHOOK_URL: `${addresses(settings).api}/api/v1/webhooks/easypay/main`,
      PAYPAL_WEBHOOK_URL: `${addresses(settings).api}/api/v1/webhooks/paypal/main`,
    }),
    ready: httpReady(`${addresses(settings).simulators}/health`),
  };
}

/** Decrypts payloads for the Web UI of this machine. */
export function codecServer(settings: DevSettings, secrets: Secrets): ChildSpec {
  const { ports } = settings;
  return {
    ...ownProcess('codec', 'workers/codec-server.ts', settings, {
      CODEC_HOST: HOST,
      CODEC_PORT: String(ports.CODEC_PORT),
      CODEC_CORS_ORIGIN: `http://${HOST}:${ports.TEMPORAL_UI_PORT},http://localhost:${ports.TEMPORAL_UI_PORT}`,
      PAYLOAD_CODEC_KEYS: secrets.payload_codec_keys,
    }),
    ready: httpReady(`${addresses(settings).codec}/health`),
  };
}

/** Runs workflows and activities. */
export function worker(settings: DevSettings, secrets: Secrets, surroundings: Surroundings): ChildSpec {
  return {
    ...ownProcess('worker', 'workers/worker.ts', settings, {
      ...engineAndDatabase(settings, secrets, surroundings),
      EASYPAY_URL: addresses(settings).easypay,
      EASYPAY_API_KEY: secrets.easypay_api_key,
      PAYPAL_URL: addresses(settings).paypal,
      ...paypalClient(secrets),
      PUBLIC_API_URL: addresses(settings).api,
      SMTP_URL: addresses(settings).smtp,
      METRICS_HOST: HOST,
      METRICS_PORT: String(settings.ports.METRICS_PORT),
    }),
    ready: outputReady('"worker ready"'),
    // It may be in the middle of a provider call, which it finishes first.
    stopTimeoutMs: 45_000,
  };
}

/** Answers merchants. */
export function api(settings: DevSettings, secrets: Secrets, surroundings: Surroundings): ChildSpec {
  return {
    ...ownProcess('api', 'api/main.ts', settings, {
      ...engineAndDatabase(settings, secrets, surroundings),
      API_KEY_PEPPER: secrets.api_key_pepper,
      TOKEN_SIGNING_KEYS: secrets.token_signing_keys,
      ...eventProofs(secrets),
      PAYPAL_URL: addresses(settings).paypal,
      ...paypalClient(secrets),
      API_HOST: HOST,
      API_PORT: String(settings.ports.API_PORT),
    }),
    ready: httpReady(`${addresses(settings).api}/health/ready`),
    // Callers may be waiting for the outcome of a payment.
    stopTimeoutMs: 30_000,
  };
}

function engineAndDatabase(settings: DevSettings, secrets: Secrets, surroundings: Surroundings): NodeJS.ProcessEnv {
  return {
    DATABASE_URL: surroundings.databaseUrl,
    TEMPORAL_ADDRESS: surroundings.temporalAddress,
    TEMPORAL_NAMESPACE: settings.temporalNamespace,
    PAYLOAD_CODEC_KEYS: secrets.payload_codec_keys,
    STORED_SECRETS_KEYS: secrets.stored_secrets_keys,
    WEBHOOK_ALLOW_PRIVATE_ADDRESSES: 'true', // receivers run on this machine
  };
}

function paypalClient(secrets: Secrets): NodeJS.ProcessEnv {
  return { PAYPAL_CLIENT_ID: 'payment-orchestrator', PAYPAL_CLIENT_SECRET: secrets.paypal_client_secret };
}

/** What the API knows providers' events by. */
function eventProofs(secrets: Secrets): NodeJS.ProcessEnv {
  return { EASYPAY_WEBHOOK_SECRET: secrets.easypay_webhook_secret, PAYPAL_WEBHOOK_ID: secrets.paypal_webhook_id };
}

function ownProcess(
  name: string,
  file: string,
  settings: DevSettings,
  env: NodeJS.ProcessEnv,
): Omit<ChildSpec, 'ready'> {
  return {
    name,
    command: process.execPath,
    args: [fileURLToPath(new URL(`../../${file}`, import.meta.url))],
    env: { ...inherited(settings), LOG_LEVEL: settings.logLevel, ...env },
    stopTimeoutMs: 15_000,
    toConsole: summarizeLogLine,
  };
}

/**
 * The environment of the person who started it, without what belongs to another Temporal server: its key or
 * certificate would spoil the connection to the one that runs here.
 */
function inherited(settings: DevSettings): NodeJS.ProcessEnv {
  const isOurs = settings.temporalAddress === null;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !(isOurs && name.startsWith('TEMPORAL_'))));
}
