import { z } from 'zod';

const port = (standard: number) => z.coerce.number().int().min(0).max(65_535).default(standard);

// A line such as `NAME=` in a file of settings names nothing.
const optional = (schema: z.ZodType<string>) =>
  z.preprocess((value) => (value === '' ? undefined : value), schema.optional());
const optionalUrl = () => optional(z.url({ protocol: /^https?$/, error: 'must be an http(s):// URL' }));

const variablesSchema = z.object({
  SIMULATORS_HOST: z.string().min(1).default('127.0.0.1'),
  SIMULATORS_PORT: port(4010),
  EASYPAY_FACE_PORT: port(4011),
  PAYPAL_FACE_PORT: port(4012),
  SMTP_FACE_PORT: port(4013),
  SMS_FACE_PORT: port(4014),
  INBOX_FACE_PORT: port(4015),
  SIMULATORS_DATA_DIR: z.string('required: the folder that keeps the bank’s book').min(1),
  EASYPAY_API_KEY: z.string('required: the secret that callers of the EasyPay face send as Bearer').min(1),
  PAYPAL_CLIENT_ID: z.string('required: the client id that callers of the PayPal face send').min(1),
  PAYPAL_CLIENT_SECRET: z.string('required: the secret that belongs to PAYPAL_CLIENT_ID').min(1),
  EASYPAY_PUBLIC_URL: optionalUrl(),
  EASYPAY_WEBHOOK_URL: optionalUrl(),
  EASYPAY_WEBHOOK_SECRET: optional(z.string()),
  PAYPAL_WEBHOOK_URL: optionalUrl(),
  PAYPAL_WEBHOOK_ID: optional(z.string()),
});

// Each needs the other: an event that nobody can verify is no use, and neither is a secret without a receiver.
const pairs = [
  ['EASYPAY_WEBHOOK_URL', 'EASYPAY_WEBHOOK_SECRET'],
  ['EASYPAY_WEBHOOK_SECRET', 'EASYPAY_WEBHOOK_URL'],
  ['PAYPAL_WEBHOOK_URL', 'PAYPAL_WEBHOOK_ID'],
  ['PAYPAL_WEBHOOK_ID', 'PAYPAL_WEBHOOK_URL'],
] as const;

const environmentSchema = variablesSchema.superRefine((environment, context) => {
  for (const [given, needed] of pairs) {
    if (environment[given] === undefined || environment[needed] !== undefined) continue;
    context.addIssue({ code: 'custom', path: [needed], message: `required with ${given}` });
  }
});

/** What one simulators process needs. Ports may be 0, which means any free port. */
export interface Settings {
  readonly host: string;
  readonly controlPort: number;
  readonly easypayPort: number;
  readonly paypalPort: number;
  readonly smtpPort: number;
  readonly smsPort: number;
  readonly inboxPort: number;
  readonly dataDir: string;
  readonly easypayApiKey: string;
  readonly paypalClientId: string;
  readonly paypalClientSecret: string;
  /** Where payers' browsers reach EasyPay's pages, without a slash at its end; undefined: the face's own address. */
  readonly easypayPublicUrl: string | undefined;
  /** Who receives EasyPay's events, and the secret that signs them; without both there are none. */
  readonly easypayWebhookUrl: string | undefined;
  readonly easypayWebhookSecret: string | undefined;
  /** Who receives PayPal's events, and the webhook's id that goes into their signature; without both there are none. */
  readonly paypalWebhookUrl: string | undefined;
  readonly paypalWebhookId: string | undefined;
}

/**
 * Reads the settings from environment variables. Throws one error that lists everything that is wrong, by name and
 * without values, so that no secret is printed.
 */
export function readSettings(environment: Readonly<Record<string, string | undefined>>): Settings {
  const parsed = environmentSchema.safeParse(environment);
  if (!parsed.success) {
    const lines = parsed.error.issues.map((issue) => `  ${issue.path.join('.')}: ${issue.message}`);
    throw new Error(`The simulators cannot start; correct these environment variables:\n${lines.join('\n')}`);
  }
  return {
    host: parsed.data.SIMULATORS_HOST,
    controlPort: parsed.data.SIMULATORS_PORT,
    easypayPort: parsed.data.EASYPAY_FACE_PORT,
    paypalPort: parsed.data.PAYPAL_FACE_PORT,
    smtpPort: parsed.data.SMTP_FACE_PORT,
    smsPort: parsed.data.SMS_FACE_PORT,
    inboxPort: parsed.data.INBOX_FACE_PORT,
    dataDir: parsed.data.SIMULATORS_DATA_DIR,
    easypayApiKey: parsed.data.EASYPAY_API_KEY,
    paypalClientId: parsed.data.PAYPAL_CLIENT_ID,
    paypalClientSecret: parsed.data.PAYPAL_CLIENT_SECRET,
    easypayPublicUrl: parsed.data.EASYPAY_PUBLIC_URL?.replace(/\/+$/, ''),
    easypayWebhookUrl: parsed.data.EASYPAY_WEBHOOK_URL,
    easypayWebhookSecret: parsed.data.EASYPAY_WEBHOOK_SECRET,
    paypalWebhookUrl: parsed.data.PAYPAL_WEBHOOK_URL,
    paypalWebhookId: parsed.data.PAYPAL_WEBHOOK_ID,
  };
}
