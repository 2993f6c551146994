import { randomUUID } from 'node:crypto';
import type { z } from 'zod';
import { findSubscriptionRow, type SubscriptionRow, wasWishGranted } from '../prisma/subscription-list.ts';
import { updateIdOf } from '../workflows/domain/ids.ts';
import { isEnded } from '../workflows/domain/subscription-status.ts';
import type { ApiDeps } from './deps.ts';
import { Problem, type ProblemCode } from './errors.ts';
import { knownSubscription } from './known-subscription.ts';
import { detailedProblemOfRefusal } from './movement-refusals.ts';
import type { Caller } from './principal.ts';
import { hashOfBody } from './request-hash.ts';
import { type repeatableHeaders, repeatHeaders } from './request-headers.ts';
import { requireSubscription, requireSubscriptionId } from './require-subscription.ts';
import type { RouteAnswer, RouteRequest } from './route.ts';
import { aboutSubscription, actErrand, readBefore, refusedInOutage, submitAndRead } from './submit-and-read.ts';
import { toSubscriptionObject } from './subscription-object.ts';
import type { Submitted, Until } from './temporal/payment-client.ts';
import type { KnownSubscription } from './temporal/subscription-client.ts';

/** Who acts, as the workflow is told; whatever is done under the key is not done again. */
interface ActBy {
  readonly actor: string;
  readonly reason: string;
  readonly key: string;
}

/** Something that a merchant wants of a subscription, and how its workflow is sent it. */
interface ActToSend {
  readonly name: 'pause' | 'resume' | 'cancel' | 'change' | 'retry';
  readonly send: (subscription: KnownSubscription, by: ActBy, until: Until, deadline: number) => Promise<Submitted>;
  /** Throws what is wrong with it before anything is sent. */
  readonly judge?: (row: SubscriptionRow) => void | Promise<void>;
  /** Whether the row alone says that there is nothing left to do, whoever did it. */
  readonly isOver?: (row: SubscriptionRow) => boolean;
  /** Whether it may begin a charge: it is done when that has ended. */
  readonly isCharging?: boolean;
}

type ActRequest = RouteRequest<z.infer<typeof repeatableHeaders>, { id: string }, unknown>;

/** What came of an act. */
export interface Acted {
  readonly row: SubscriptionRow;
  /** 200: it is done; 202: it is being worked on. */
  readonly status: 200 | 202;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * Has the subscription's workflow act, and waits for the end of it as long as the caller wants. A repeat of the same key and request
 * does nothing more, also years later: the event of what was done is there. Throws the refusal of an act that may not be done.
 */
export async function actOnSubscription(
  deps: ApiDeps,
  request: ActRequest,
  caller: Caller,
  act: ActToSend,
): Promise<Acted> {
  const key = request.headers['idempotency-key'] ?? randomUUID();
  const id = requireSubscriptionId(request.params.id);
  const subject = aboutSubscription(id, key);
  const isOver = act.isOver ?? (() => false);
  const isUnderWay = (row: SubscriptionRow) => act.isCharging === true && row.is_charging;
  const wish = wishIdOf(key, request);
  const [before, isRepeat] = await readBefore(
    subject,
    async () =>
      [await requireSubscription(deps, caller, id), await wasWishGranted(deps.db, id, `${act.name}:${wish}`)] as const,
  );
  const answer = (row: SubscriptionRow, isDone: boolean, isReplay: boolean): Acted => ({
    row,
    status: isDone && !isUnderWay(row) ? 200 : 202,
    headers: repeatHeaders(`/api/v1/subscriptions/${id}`, key, isReplay),
  });
  if (isOver(before) || (isRepeat && !isUnderWay(before))) return answer(before, true, true);
  if (!isRepeat) {
    if (isEnded(before.status)) throw new Problem('subscription_ended', { detail: `It is ${before.status}.` });
    await readBefore(subject, async () => act.judge?.(before));
  }
  const by = { actor: caller.actor, reason: 'requested by the merchant', key: wish };
  const known = knownSubscription(caller, before);
  const errand = actErrand({
    ...subject,
    send: (until, deadline) => act.send(known, by, until, deadline),
    find: () => findSubscriptionRow(deps.db, caller, id),
    isOver,
    isUnderWay,
    refusal: (refused) => detailedProblemOfRefusal(refused, 'change_refused'),
  });
  const row = await submitAndRead(deps, request, caller.settings.wait, errand);
  return answer(row, errand.isEnded() || isOver(row), isRepeat);
}

/** What tells a repeat: the same request under the same key. */
export function wishIdOf(key: string, { rawBody, query }: Pick<ActRequest, 'rawBody' | 'query'>): string {
  return updateIdOf('wish', key, hashOfBody([rawBody ?? null, query ?? null]));
}

/** The route's answer: the subscription as it is then. */
export function answerOf({ row, status, headers }: Acted): RouteAnswer {
  return { status, headers, data: toSubscriptionObject(row) };
}

/** The refusal of an act on a subscription while the database is away. */
export const subscriptionActRefusedInOutage = refusedInOutage((id, key) =>
  aboutSubscription(requireSubscriptionId(id), key),
);

/** The problems that every act on a subscription may end with. */
export const actProblems = [
  'not_found',
  'subscription_ended',
  'change_refused',
  'not_accepted',
  'acceptance_unknown',
] as const satisfies readonly ProblemCode[];
