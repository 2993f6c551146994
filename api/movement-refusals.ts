import type { PaymentRow } from '../prisma/payments.ts';
import { parseMoney } from '../workflows/domain/money.ts';
import { capturableOf } from '../workflows/domain/payment-status.ts';
import type { MovementRefusal } from '../workflows/ports.ts';
import { Problem, type ProblemCode } from './errors.ts';
import type { Refused } from './temporal/answers.ts';

/**
 * Why a payment's row allows no such movement now; null: it may. This refuses early what is clear; the statement that opens
 * a movement judges again, in the same words, and its word counts.
 */

/** Minor units that may still be captured, or given back. */
export function capturableOfRow(row: PaymentRow): bigint {
  return capturableOf({
    authorized: BigInt(row.authorized_amount),
    captured: BigInt(row.captured_amount),
    voided: BigInt(row.voided_amount),
    refunded: BigInt(row.refunded_amount),
  });
}

/** `amountMinor` null: all that is left. */
export function captureRefusal(row: PaymentRow, amountMinor: bigint | null): MovementRefusal | null {
  const isOpen = row.captures?.some(({ status }) => status === 'pending' || status === 'unresolved') ?? false;
  if (isOpen || row.status === 'unresolved' || row.status === 'pending') return 'movement_in_progress';
  const capturable = capturableOfRow(row);
  if (capturable === 0n) return 'payment_not_capturable';
  return amountMinor !== null && amountMinor > capturable ? 'amount_exceeds_capturable' : null;
}

/** What refunds under way have reserved is not in the row: only the statement knows. */
export function refundRefusal(row: PaymentRow, amountMinor: bigint | null): MovementRefusal | null {
  if (['pending', 'requires_action', 'unresolved'].includes(row.status)) return 'movement_in_progress';
  const captured = BigInt(row.captured_amount);
  if (captured === 0n) return 'payment_not_refundable';
  const refundable = captured - BigInt(row.refunded_amount);
  return refundable === 0n || (amountMinor ?? 0n) > refundable ? 'amount_exceeds_refundable' : null;
}

/** A workflow's refusal in the API's words; `otherwise` for those without a code. */
export function problemOfRefusal({ code, detail }: Refused, otherwise: ProblemCode): Problem {
  switch (code) {
    case 'refused':
      return new Problem(otherwise, detail === undefined ? {} : { detail: sentence(detail) });
    case 'wrong_outcome':
      return new Problem('validation_failed', {
        errors: [{ pointer: '/outcome', detail: detail ?? 'does not fit what is open' }],
      });
    default:
      return new Problem(code);
  }
}

/** The same where what the workflow said beside its code is for the caller too. */
export function detailedProblemOfRefusal(refused: Refused, otherwise: ProblemCode): Problem {
  const problem = problemOfRefusal(refused, otherwise);
  if (refused.detail === undefined || problem.errors.length > 0) return problem;
  return new Problem(problem.code, { detail: sentence(refused.detail) });
}

function sentence(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1).replace(/[^.]$/, '$&.');
}

/** An amount of a body in minor units, null where it names none; throws `validation_failed` for what the currency cannot be. */
export function amountOf(amount: string | undefined, currency: string): bigint | null {
  if (amount === undefined) return null;
  const parsed = parseMoney(amount, currency);
  if (parsed.ok) return parsed.money.amountMinor;
  throw new Problem('validation_failed', { errors: [{ pointer: '/amount', detail: parsed.problem }] });
}
