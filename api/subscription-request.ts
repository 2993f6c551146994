import { z } from 'zod';
import type { MerchantSettings } from '../prisma/merchant-settings.ts';
import type { PlanStatus } from '../prisma/plans.ts';
import { endOfMonth, isTimeZone } from '../workflows/domain/billing/calendar.ts';
import type { PlanTerms, SubscriptionPaymentMethod } from '../workflows/domain/billing/subscription.ts';
import { amountMinorMax } from '../workflows/domain/money.ts';
import type { SubscriptionRequest } from '../workflows/subscription-ports.ts';
import type { Asking } from './asking.ts';
import { type FieldError, Problem } from './errors.ts';
import { instantMember } from './instant.ts';
import type { NamedCustomer } from './named-customer.ts';
import { changeableFields, paymentMethodFields } from './payment-fields.ts';
import { text } from './text.ts';

const startYearsMax = 5;

/** What a subscription pays with. */
export const subscriptionPaymentMethod = z
  .strictObject({
    ...paymentMethodFields,
    card_exp_month: z.int().min(1).max(12).optional().describe('The card’s last month: its payer is told in time'),
    card_exp_year: z.int().min(2000).max(2100).optional().describe('Its year, with four digits'),
  })
  .superRefine(({ card_exp_month: month, card_exp_year: year }, context) => {
    if ((month === undefined) === (year === undefined)) return;
    const missing = month === undefined ? 'card_exp_month' : 'card_exp_year';
    context.addIssue({ code: 'custom', path: [missing], message: 'must be there too: month and year belong together' });
  })
  .meta({ id: 'SubscriptionPaymentMethod' });

type GivenPaymentMethod = z.infer<typeof subscriptionPaymentMethod>;

/** How many of a plan; it multiplies the price. */
export const quantityField = z.int().min(1).max(1_000_000);

/** What a subscription is made of, whoever asks for it: a request, or a row of a batch. */
export const subscriptionFields = z
  .strictObject({
    plan_id: text(100).describe('What is subscribed to: an active plan, in its newest version'),
    customer_id: text(100).describe('The id (`cus_…`) of a customer that you made, who must be active, or your own id'),
    payment_method: subscriptionPaymentMethod,
    quantity: quantityField.default(1).describe('Multiplies the plan’s price'),
    time_zone: z
      .string()
      .max(64)
      .refine(isTimeZone, 'must be the name of an IANA time zone, such as Europe/Berlin')
      .default('UTC')
      .describe('On whose clocks and calendar its dates are counted'),
    starts_at: instantMember
      .optional()
      .describe(
        `When the first period begins and is billed: from now to ${startYearsMax} years ahead. At once if absent`,
      ),
    trial_days: z
      .int()
      .min(0)
      .max(730)
      .optional()
      .describe('Days until the first period begins and is billed, instead of the plan’s'),
    external_id: text(100).optional().describe('Your own id of it, unique; the subscription’s id if absent'),
    description: changeableFields.description.optional(),
    metadata: changeableFields.metadata.default({}),
  })
  .superRefine(({ starts_at: start, trial_days: days }, context) => {
    if (start === undefined || days === undefined) return;
    const message = 'says when the first period begins, as `starts_at` does: send one of the two';
    context.addIssue({ code: 'custom', path: ['trial_days'], message });
  });

type SubscriptionFields = z.infer<typeof subscriptionFields>;

/** A plan as it was found. */
export interface FoundPlan {
  readonly terms: PlanTerms;
  readonly status: PlanStatus;
}

/** What stands in the way of a subscription that is well-formed. */
export interface SubscriptionFault {
  readonly code: 'validation_failed' | 'plan_not_available' | 'customer_not_available';
  /** A JSON pointer. */
  readonly pointer: string;
  readonly detail: string;
}

/** What a wish for a subscription is judged by: its plan (null: there is none) in the newest version, its customer, and when. */
interface Circumstances {
  readonly plan: FoundPlan | null;
  readonly customer: NamedCustomer;
  readonly settings: MerchantSettings;
  readonly receivedAt: Date;
}

/** All that stands in the way of a new subscription; its dates are judged by the clock of its customer. */
export function subscriptionFaults(given: SubscriptionFields, circumstances: Circumstances): SubscriptionFault[] {
  const { plan, customer, settings, receivedAt } = circumstances;
  const now = (customer.ok ? customer.customer?.clock_now : null) ?? receivedAt;
  const invalid = [
    ...(plan === null ? [] : priceErrors(plan.terms, given.quantity, settings)),
    ...startErrors(given, now),
  ];
  return [
    ...planFaults(plan),
    ...(customer.ok
      ? []
      : [{ code: 'customer_not_available' as const, pointer: '/customer_id', detail: customer.problem }]),
    ...invalid.map((error) => ({ code: 'validation_failed' as const, ...error })),
    ...paymentMethodFaults(given.payment_method, now),
  ];
}

/** What is wrong with a plan that somebody wants to begin with. */
export function planFaults(plan: FoundPlan | null): SubscriptionFault[] {
  if (plan?.status === 'active') return [];
  const detail = plan === null ? 'is no plan of yours in this mode' : 'is a plan that was archived';
  return [{ code: 'plan_not_available', pointer: '/plan_id', detail }];
}

/** Throws the problem of faults, if there are any. */
export function requireNoFaults(faults: readonly SubscriptionFault[]): void {
  const [first] = faults;
  if (first === undefined) return;
  const same = faults.filter(({ code }) => code === first.code);
  throw new Problem(first.code, { errors: same.map(({ pointer, detail }) => ({ pointer, detail })) });
}

type PointedError = FieldError & { readonly pointer: string };

function priceErrors({ currency, ...terms }: PlanTerms, quantity: number, settings: MerchantSettings): PointedError[] {
  const { currencies } = settings;
  const isOurs = currencies === null || currencies.includes(currency);
  const first = terms.amountMinor * BigInt(quantity) + terms.signUpFeeMinor;
  return [
    ...(isOurs
      ? []
      : [{ pointer: '/plan_id', detail: `is in ${currency}; it must be in one of yours: ${currencies.join(', ')}` }]),
    ...(first <= amountMinorMax ? [] : [{ pointer: '/quantity', detail: 'is too large: so many would cost too much' }]),
  ];
}

function startErrors({ starts_at: start }: SubscriptionFields, now: Date): PointedError[] {
  if (start === undefined) return [];
  const latest = new Date(now);
  latest.setUTCFullYear(latest.getUTCFullYear() + startYearsMax);
  const at = new Date(start);
  if (at < now) return [{ pointer: '/starts_at', detail: 'must not be over; leave it out to begin at once' }];
  return at <= latest ? [] : [{ pointer: '/starts_at', detail: `must be at most ${startYearsMax} years ahead` }];
}

/** What is wrong with a payment method at an instant: a card that has expired will never be charged. */
export function paymentMethodFaults(given: GivenPaymentMethod, now: Date): SubscriptionFault[] {
  const { expiry } = toSubscriptionPaymentMethod(given);
  if (expiry === null || endOfMonth(expiry.year, expiry.month) > now) return [];
  const detail = 'is over, with its month: the card has expired';
  return [{ code: 'validation_failed', pointer: '/payment_method/card_exp_year', detail }];
}

/** A validated payment method as the subscription has it. */
export function toSubscriptionPaymentMethod(given: GivenPaymentMethod): SubscriptionPaymentMethod {
  const { card_exp_month: month, card_exp_year: year } = given;
  const expiry = month === undefined || year === undefined ? null : { year, month };
  return { type: given.type, cardToken: given.card_token, expiry };
}

/** A validated wish for a subscription as its workflow takes it. */
export function toSubscriptionRequest(
  given: SubscriptionFields,
  asking: Asking,
  plan: Pick<PlanTerms, 'planId' | 'version'>,
): SubscriptionRequest {
  return {
    idempotencyKey: asking.idempotencyKey,
    requestHash: asking.requestHash,
    externalId: given.external_id ?? null,
    correlationId: asking.correlationId,
    actor: asking.actor,
    origin: asking.origin,
    customerId: given.customer_id,
    planId: plan.planId,
    planVersion: plan.version,
    quantity: given.quantity,
    timeZone: given.time_zone,
    startsAt: given.starts_at ?? null,
    trialDays: given.trial_days ?? null,
    paymentMethod: toSubscriptionPaymentMethod(given.payment_method),
    description: given.description ?? null,
    metadata: given.metadata,
  };
}
