import { firstPeriodFrom, periodStart } from './calendar.ts';
import { dunningLater } from './dunning.ts';
import type { PlanTerms, ResumeAnchor, Subscription } from './subscription.ts';

/** The subscription at its end, canceled; what is asked for or on its way is somebody else's to close. */
export function canceled(subscription: Subscription, now: Date): Subscription {
  return {
    ...subscription,
    status: 'canceled',
    canceledAt: now,
    endedAt: now,
    nextBillingDate: null,
    pausedAt: null,
    resumesAt: null,
    stoodStillMs: stoodStillBy(subscription, now),
    cardNoticeAt: null,
    pendingChange: null,
    dunning: null,
    openInvoiceId: subscription.chargePaymentId === null ? null : subscription.openInvoiceId,
  };
}

/**
 * With another plan or quantity from `at` on. Periods of another length are counted anew from then; where it has periods to come, the
 * number of cycles of another plan counts from then too. A period that begins with the change is the first of them: the change pays it.
 */
export function changedPlan(subscription: Subscription, plan: PlanTerms, quantity: number, at: Date): Subscription {
  const { nextBillingDate: next } = subscription;
  const isOther = plan.planId !== subscription.planId || plan.version !== subscription.planVersion;
  const isSame = isSameLength(subscription, plan);
  const isBetweenPeriods = subscription.currentPeriodStart === null || at.getTime() === next?.getTime();
  const beginsPeriod = !isSame && (next === null || !isBetweenPeriods);
  const toCome = plan.cycles === null ? null : plan.cycles - (beginsPeriod ? 1 : 0);
  const total = toCome === null ? null : subscription.cyclesBilled + toCome;
  const changed: Subscription = {
    ...subscription,
    planId: plan.planId,
    planVersion: plan.version,
    quantity,
    interval: plan.interval,
    amountMinor: plan.amountMinor * BigInt(quantity),
    cyclesTotal: isOther && (next !== null || !isSame) ? total : subscription.cyclesTotal,
    owesSignUpFee: subscription.owesSignUpFee && plan.signUpFeeMinor > 0n,
  };
  if (isSame) return changed;
  if (next !== null && !beginsPeriod) return { ...changed, anchor: next, anchorIndex: 0 };
  const end = periodStart(at, plan.interval, 1, subscription.timeZone);
  return {
    ...changed,
    anchor: at,
    anchorIndex: 1,
    currentPeriodStart: at,
    currentPeriodEnd: end,
    nextBillingDate: toCome === 0 ? null : end,
  };
}

/** Whether a plan's periods are as long as the subscription's. */
export function isSameLength({ interval }: Subscription, plan: PlanTerms): boolean {
  return interval.unit === plan.interval.unit && interval.count === plan.interval.count;
}

/** Goes on after a pause; with its debt, where it had one. */
export function resumed(subscription: Subscription, anchor: ResumeAnchor, now: Date): Subscription {
  const moved = anchor === 'shift' ? shifted(subscription, now) : kept(subscription, now);
  const running = { ...moved, pausedAt: null, resumesAt: null, resumeAnchor: 'keep' } as const;
  const isOwing = running.openInvoiceId !== null && running.dunning !== null;
  return { ...running, status: isOwing ? 'past_due' : runningStatus(running, now) };
}

/** The status of a subscription that owes nothing. */
export function runningStatus({ cyclesBilled, nextBillingDate }: Subscription, now: Date): 'trialing' | 'active' {
  return cyclesBilled === 0 && nextBillingDate !== null && nextBillingDate > now ? 'trialing' : 'active';
}

/** With the next period being the first of the calendar that begins now or later: those before are not billed. */
export function withoutMissedPeriods(subscription: Subscription, now: Date): Subscription {
  const { anchor, interval, anchorIndex, timeZone, nextBillingDate } = subscription;
  if (nextBillingDate === null || nextBillingDate >= now) return subscription;
  const index = firstPeriodFrom(anchor, interval, anchorIndex, timeZone, now);
  return { ...subscription, anchorIndex: index, nextBillingDate: periodStart(anchor, interval, index, timeZone) };
}

/**
 * With the dates of the calendar. Where a period began during the pause, none that began before its end is billed: the number of the
 * next one cannot hold a gap. Where none did, what had begun before and waited for an open invoice is billed still.
 */
function kept(subscription: Subscription, now: Date): Subscription {
  const { pausedAt, anchor, interval, anchorIndex, timeZone } = subscription;
  if (pausedAt === null) return subscription;
  const first = firstPeriodFrom(anchor, interval, anchorIndex, timeZone, pausedAt);
  const isMissed = periodStart(anchor, interval, first, timeZone) < now;
  return isMissed ? withoutMissedPeriods(subscription, now) : subscription;
}

/** With all dates later by as long as the pause was: time stood still. What was overdue is so by as much as before. */
function shifted(subscription: Subscription, now: Date): Subscription {
  const { pausedAt, nextBillingDate, currentPeriodStart, currentPeriodEnd, trialEnd, dunning } = subscription;
  if (pausedAt === null) return subscription;
  const lengthMs = now.getTime() - pausedAt.getTime();
  const later = (instant: Date) => new Date(instant.getTime() + lengthMs);
  const moved: Subscription = {
    ...subscription,
    stoodStillMs: subscription.stoodStillMs + lengthMs,
    currentPeriodStart: currentPeriodStart && later(currentPeriodStart),
    currentPeriodEnd: currentPeriodEnd && later(currentPeriodEnd),
    trialEnd: trialEnd !== null && trialEnd > pausedAt ? later(trialEnd) : trialEnd,
    dunning: dunning && dunningLater(dunning, later),
  };
  if (nextBillingDate === null) return moved;
  const next = later(nextBillingDate);
  return { ...moved, anchor: next, anchorIndex: 0, nextBillingDate: next };
}

/** For how long time has stood still for it until then: a pause with `shift` that goes on counts as far as it should. */
function stoodStillBy({ stoodStillMs, pausedAt, resumesAt, resumeAnchor }: Subscription, now: Date): number {
  if (pausedAt === null || resumeAnchor === 'keep') return stoodStillMs;
  const end = resumesAt !== null && resumesAt < now ? resumesAt : now;
  return stoodStillMs + end.getTime() - pausedAt.getTime();
}
