import { z } from 'zod';
import { finalActions } from '../workflows/domain/billing/dunning.ts';
import { isCurrency } from '../workflows/domain/currencies.ts';
import { parseMoney } from '../workflows/domain/money.ts';

const providers = z
  .array(z.string().regex(/^[a-z][a-z0-9_]{0,39}$/, 'must be the name of a provider'))
  .min(1)
  .max(5);
const words = z.array(z.string().min(1).max(40)).min(1).max(50);
const amount = z.string().max(40);
const currencyCode = z.string().refine(isCurrency, 'must be an active ISO 4217 code in upper case');

const routingConditionSchema = z
  .strictObject({
    methods: words.optional(),
    /** As card tokens name them: visa, mastercard, amex … */
    brands: words.optional(),
    currencies: z
      .array(z.string().regex(/^[A-Z]{3}$/, 'must be an ISO 4217 code'))
      .min(1)
      .max(200)
      .optional(),
    /** Decimal strings, both included. */
    amount_min: amount.optional(),
    amount_max: amount.optional(),
  })
  .superRefine(({ currencies, amount_min, amount_max }, context) => {
    for (const [field, value] of Object.entries({ amount_min, amount_max })) {
      if (value === undefined) continue;
      const [currency, another] = currencies ?? [];
      const parsed = currency === undefined || another !== undefined ? null : parseMoney(value, currency);
      const message =
        parsed === null ? 'needs exactly one currency in the same condition' : parsed.ok ? null : parsed.problem;
      if (message !== null) context.addIssue({ code: 'custom', path: [field], message });
    }
  });

const routingSchema = z.strictObject({
  rules: z
    .array(z.strictObject({ when: routingConditionSchema, providers }))
    .max(50)
    .default([]),
  default: providers,
});

const feeSchema = z
  .strictObject({
    basis_points: z.int().min(0).max(10_000).default(0),
    /** Decimal strings in units of the currency, e.g. { "USD": "0.30" }. */
    fixed: z.record(currencyCode, amount).default({}),
  })
  .superRefine(({ fixed }, context) => {
    for (const [code, value] of Object.entries(fixed)) {
      const parsed = parseMoney(value, code);
      if (!parsed.ok) context.addIssue({ code: 'custom', path: ['fixed', code], message: parsed.problem });
    }
  });

const dunningSchema = z.strictObject({
  /** Days after the first decline on which to try again. */
  retry_days: z
    .array(z.int().min(1).max(90))
    .max(10)
    .refine((days) => days.every((day, index) => index === 0 || day > (days[index - 1] ?? 0)), 'must rise')
    .default([1, 3, 5, 7]),
  /** Days after the last try until the final action. */
  grace_days: z.int().min(0).max(90).default(3),
  /** What becomes of a subscription whose invoice stays unpaid. */
  final_action: z.enum(finalActions).default('cancel'),
});

/** What a merchant may set, stored as JSON in `merchants.settings`. A change that names anything else is refused. */
export const merchantSettingsSchema = z.strictObject({
  /** Seconds until a payment that could not be charged fails. */
  expires_after: z.int().min(10).max(604_800).default(3_600),
  /** Seconds after the expiry to go on asking a provider about an unknown outcome before a person must decide. */
  ask_for: z.int().min(10).max(2_592_000).default(86_400),
  /** Seconds that a request waits for its payment's outcome when it does not say so itself. */
  wait: z.int().min(0).max(60).default(10),
  /** Which providers charge what, in order: the first rule whose condition fits, else the default. */
  routing: routingSchema.default({ rules: [], default: ['easypay', 'paypal'] }),
  /** Seconds to capture what was reserved; then the rest is voided. */
  capture_within: z.int().min(1).max(2_592_000).default(604_800),
  /** Seconds for the payer to act where the issuer wants that. */
  action_within: z.int().min(1).max(86_400).default(3_600),
  /** The currencies that payments may have; null: every one. */
  currencies: z.array(currencyCode).min(1).max(200).nullable().default(null),
  /** The platform's fee on what is captured: a share in hundredths of a percent, and a fixed part by currency. */
  fee: feeSchema.default({ basis_points: 0, fixed: {} }),
  /** Whether payers with an e-mail address are told of success, failure and delay. */
  payer_emails: z.boolean().default(true),
  /** How subscriptions go on after a declined charge. */
  dunning: dunningSchema.default({ retry_days: [1, 3, 5, 7], grace_days: 3, final_action: 'cancel' }),
});

export type MerchantSettings = z.infer<typeof merchantSettingsSchema>;

const fields = merchantSettingsSchema.shape;

type Fields = typeof fields;
type ChangeFields = { [Name in keyof Fields]: z.ZodOptional<ReturnType<Fields[Name]['removeDefault']>> };

/** A change of settings: those that are absent stay as they are, and get no default. */
export const settingChangesSchema = z.strictObject(
  Object.fromEntries(
    Object.entries(fields).map(([name, field]) => [name, field.removeDefault().optional()]),
  ) as ChangeFields,
);

export type SettingChanges = z.infer<typeof settingChangesSchema>;

/** A newer release may have written more than this one knows, before it was rolled back. */
const storedSettingsSchema = z.object(fields);

/** The settings of a row that this release knows; throws when one of them holds what was never allowed. */
export function readMerchantSettings(stored: unknown): MerchantSettings {
  return storedSettingsSchema.parse(stored);
}
