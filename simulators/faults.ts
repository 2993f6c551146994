import { z } from 'zod';
import { seededRandom } from './random.ts';

const faultNameSchema = z.enum([
  'refuse',
  '429',
  '503',
  '500_before',
  'reset',
  'never',
  'late_commit',
  '500_after',
  'lost_after',
  'wrong_amount',
  'cut_json',
  'slow',
]);
/** The name of a fault that can be injected. */
export type FaultName = z.infer<typeof faultNameSchema>;

interface FaultNature {
  /** Where the fault strikes: at the port, before the commit, at the commit, or at the answer after it. */
  readonly stage: 'port' | 'before' | 'commit' | 'answer';
  /** Whether it means anything for a call that only reads. */
  readonly lookup: boolean;
}

const natures: Readonly<Record<FaultName, FaultNature>> = {
  refuse: { stage: 'port', lookup: true },
  '429': { stage: 'before', lookup: true },
  '503': { stage: 'before', lookup: true },
  '500_before': { stage: 'before', lookup: true },
  reset: { stage: 'before', lookup: true },
  never: { stage: 'before', lookup: true },
  late_commit: { stage: 'commit', lookup: false },
  '500_after': { stage: 'answer', lookup: false },
  lost_after: { stage: 'answer', lookup: false },
  wrong_amount: { stage: 'answer', lookup: false },
  cut_json: { stage: 'answer', lookup: true },
  slow: { stage: 'answer', lookup: true },
};

/** What a call asks of a provider. */
export type Operation = 'charge' | 'lookup';

/** How far a call can still get, which limits the faults that can strike it: `commits` may still move money,
 * `replays` answers from what is stored, `conflicts` is about to be refused, `looks_up` is a look-up. */
export type CallClass = 'commits' | 'replays' | 'conflicts' | 'looks_up';

const delayMsMax = 600_000;

const ruleSchema = z
  .strictObject({
    operation: z.enum(['charge', 'lookup', '*']).default('*'),
    probability: z.number().min(0).max(1).default(1),
    times: z.int().positive().optional(),
    fault: faultNameSchema,
    delay_ms: z.int().min(0).max(delayMsMax).optional(),
  })
  .refine((rule) => rule.operation !== 'lookup' || natures[rule.fault].lookup, {
    path: ['fault'],
    message: 'makes no sense for a look-up, which commits nothing',
  });

/** The body of `PUT /faults/{provider}`. */
export const faultPlanSchema = z.strictObject({ seed: z.int().default(1), rules: z.array(ruleSchema).max(100) });
/** A seed and the rules it drives, first match first. */
export type FaultPlan = z.infer<typeof faultPlanSchema>;
type Rule = FaultPlan['rules'][number];

/** A fault that a rule chose for a call. `happened` is called when it really struck, and counts it. */
export interface Injection {
  readonly fault: FaultName;
  readonly delayMs: number | undefined;
  readonly happened: () => void;
}

/** What `GET /faults/{provider}` shows. Counts run from the last PUT on, also after a DELETE. */
export interface FaultReport {
  readonly seed: number;
  readonly rules: readonly (Rule & { readonly injected: number })[];
  readonly injected: Readonly<Partial<Record<FaultName, number>>>;
  readonly served: Readonly<Record<Operation, number>>;
}

interface LiveRule {
  readonly rule: Rule;
  // Each rule rolls its own dice, so that its decisions do not depend on calls that other rules look at.
  readonly roll: () => number;
  fired: number;
  injected: number;
}

interface Counts {
  readonly injected: Partial<Record<FaultName, number>>;
  readonly served: Record<Operation, number>;
}

const noCounts = (): Counts => ({ injected: {}, served: { charge: 0, lookup: 0 } });

/** The faults of one provider, in memory only: they end with the process. */
export class Faults {
  private seed = 0;
  private live: LiveRule[] = [];
  private counts = noCounts();

  /** Puts new rules in the place of the old and counts anew. */
  replace(plan: FaultPlan): void {
    this.seed = plan.seed;
    this.counts = noCounts();
    this.live = plan.rules.map((rule, index) => ({
      rule,
      roll: seededRandom(plan.seed + Math.imul(index, 0x9e3779b9)),
      fired: 0,
      injected: 0,
    }));
  }

  /** Removes the rules and keeps the counts. */
  heal(): void {
    this.live = [];
  }

  /** Whether a rule wants the port closed. */
  get closesPort(): boolean {
    return this.live.some((one) => one.rule.fault === 'refuse');
  }

  /** Counts that the port was closed, for the rules that want it. */
  portClosed(): void {
    for (const one of this.live) if (one.rule.fault === 'refuse') countInjection(one, this.counts);
  }

  /** Rolls the dice for one call: the first rule in order that fits it and fires wins. */
  decide(operation: Operation, callClass: CallClass): Injection | undefined {
    for (const one of this.live) {
      if (!fits(one, operation, callClass)) continue;
      if (one.roll() >= one.rule.probability) continue;
      one.fired += 1;
      const counts = this.counts;
      const { fault, delay_ms: delayMs } = one.rule;
      return { fault, delayMs, happened: () => countInjection(one, counts) };
    }
    return undefined;
  }

  /** Counts an answer that was given without a fault. */
  served(operation: Operation): void {
    this.counts.served[operation] += 1;
  }

  /** The rules that stand and what was really injected. */
  report(): FaultReport {
    const rules = this.live.map((one) => ({ ...one.rule, injected: one.injected }));
    return { seed: this.seed, rules, injected: { ...this.counts.injected }, served: { ...this.counts.served } };
  }
}

function countInjection(one: LiveRule, counts: Counts): void {
  one.injected += 1;
  counts.injected[one.rule.fault] = (counts.injected[one.rule.fault] ?? 0) + 1;
}

const canStrike: Readonly<Record<CallClass, (nature: FaultNature) => boolean>> = {
  commits: ({ stage }) => stage !== 'port',
  replays: ({ stage }) => stage === 'before' || stage === 'answer',
  conflicts: ({ stage }) => stage === 'before',
  looks_up: ({ stage, lookup }) => stage !== 'port' && lookup,
};

function fits({ rule, fired }: LiveRule, operation: Operation, callClass: CallClass): boolean {
  if (rule.operation !== '*' && rule.operation !== operation) return false;
  if (rule.times !== undefined && fired >= rule.times) return false;
  return canStrike[callClass](natures[rule.fault]);
}
