import type { Client, UpdateDefinition } from '@temporalio/client';
import { updateIdOf } from '../../workflows/domain/ids.ts';
import {
  awaitSubscription,
  type CancelAct,
  type ChangeAct,
  cancelSubscription,
  changeSubscription,
  type PauseAct,
  pauseSubscription,
  type ResumeAct,
  resumeSubscription,
  retrySubscription,
  type SubscriptionAct,
  type SubscriptionActed,
  type SubscriptionWorkflowInput,
  subscriptionStartOptions,
  subscriptionWorkflowType,
} from '../../workflows/subscription-contract.ts';
import type { SubscriptionRequest } from '../../workflows/subscription-ports.ts';
import type { NotTaken } from './answers.ts';
import { openLine } from './line.ts';
import type { Submitted, Until } from './payment-client.ts';
import type { WorkflowStart } from './workflow-starts.ts';

/** A subscription, with what operators see of it in Temporal's lists; without a request its row must exist. */
export interface KnownSubscription extends SubscriptionWorkflowInput {
  /** "25.99 USD every month · order-17". */
  readonly summary: string;
}

/** A subscription to be started, or attached to where its workflow exists. */
export interface SubscriptionSubmission extends KnownSubscription {
  readonly request: SubscriptionRequest;
}

/**
 * How the API talks to the workflows of subscriptions. Each of these starts the workflow or goes to the open one; an act's key
 * tells a repeat. Deadlines are instants in ms.
 */
export interface SubscriptionClient {
  submit(subscription: SubscriptionSubmission, until: Until, deadline: number): Promise<Submitted>;
  /** Starts a new run where the last one closed and left the subscription unfinished; null unless it was refused. */
  resumeWorkflow(subscription: KnownSubscription, deadline: number): Promise<NotTaken | null>;
  pause(subscription: KnownSubscription, act: Keyed<PauseAct>, until: Until, deadline: number): Promise<Submitted>;
  resume(subscription: KnownSubscription, act: Keyed<ResumeAct>, until: Until, deadline: number): Promise<Submitted>;
  cancel(subscription: KnownSubscription, act: Keyed<CancelAct>, until: Until, deadline: number): Promise<Submitted>;
  change(subscription: KnownSubscription, act: Keyed<ChangeAct>, until: Until, deadline: number): Promise<Submitted>;
  retry(
    subscription: KnownSubscription,
    act: Keyed<SubscriptionAct>,
    until: Until,
    deadline: number,
  ): Promise<Submitted>;
}

/** Programs always name what they do. */
type Keyed<Act extends SubscriptionAct> = Act & { readonly key: string };

/** Wraps a Temporal client. */
export function createSubscriptionClient(client: Client): SubscriptionClient {
  const line = openLine(client);
  const acting =
    <Act extends SubscriptionAct>(update: UpdateDefinition<SubscriptionActed, [Act]>) =>
    (subscription: KnownSubscription, act: Keyed<Act>, until: Until, deadline: number) => {
      const updateId = updateIdOf(update.name, act.key, JSON.stringify(act));
      return line.act(subscriptionStart(subscription), { update, updateId, question: act }, until, deadline);
    };
  return {
    submit(subscription, until, deadline) {
      const { requestHash } = subscription.request;
      const message = {
        update: awaitSubscription,
        updateId: `${awaitSubscription.name}:${until}:${requestHash}`,
        question: { requestHash, until },
      };
      return line.ask(subscriptionStart(subscription), message, deadline);
    },
    resumeWorkflow: (subscription, deadline) => line.restart(subscriptionStart(subscription), deadline),
    pause: acting<PauseAct>(pauseSubscription),
    resume: acting<ResumeAct>(resumeSubscription),
    cancel: acting<CancelAct>(cancelSubscription),
    change: acting<ChangeAct>(changeSubscription),
    retry: acting<SubscriptionAct>(retrySubscription),
  };
}

/** How to start a subscription's workflow. */
function subscriptionStart({ summary, ...input }: KnownSubscription): WorkflowStart {
  const { subscriptionId, merchantId } = input;
  const options = subscriptionStartOptions({ subscriptionId, merchantId, summary });
  return { type: subscriptionWorkflowType, options: { ...options, args: [input] } };
}
