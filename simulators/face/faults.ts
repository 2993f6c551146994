import { z } from 'zod';
import { HttpError } from '../http.ts';
import { seededRandom } from '../random.ts';

/** Where each fault strikes: at the port, before the commit, at the commit, or at the answer after it. */
const moments = {
  refuse: 'port',
  '429': 'before',
  '503': 'before',
  '500_before': 'before',
  '410': 'before',
  redirect: 'before',
  reset: 'before',
  never: 'before',
  late_commit: 'commit',
  '500_after': 'answer',
  lost_after: 'answer',
  wrong_amount: 'answer',
  cut_json: 'answer',
  slow: 'answer',
} as const;

const faultNameSchema = z.literal(Object.keys(moments) as (keyof typeof moments)[]);
/** The name of a fault that can be injected. */
export type FaultName = keyof typeof moments;

/** What can strike a call over HTTP that only reads. */
export const readFaults: readonly FaultName[] = [
  'refuse',
  '429',
  '503',
  '500_before',
  'reset',
  'never',
  'cut_json',
  'slow',
];
/** What can strike a call over HTTP that commits something. */
export const commitFaults: readonly FaultName[] = [...readFaults, 'late_commit', '500_after', 'lost_after'];
/** What can strike a call over HTTP that moves money. */
export const chargeFaults: readonly FaultName[] = [...commitFaults, 'wrong_amount'];

/** The operations of a face, each with the faults that can strike it. */
export type Operations = Readonly<Record<string, readonly FaultName[]>>;

/** How far a call can still get, which limits the faults that can strike it: `commits` may still commit, `reads`
 * answers from what is stored, `conflicts` is about to be refused, `connects` has said nothing yet and waits for a
 * greeting. */
export type CallClass = 'commits' | 'reads' | 'conflicts' | 'connects';

const delayMsMax = 600_000;

const ruleSchema = z.strictObject({
  operation: z.string().min(1).default('*'),
  probability: z.number().min(0).max(1).default(1),
  times: z.int().positive().optional(),
  fault: faultNameSchema,
  delay_ms: z.int().min(0).max(delayMsMax).optional(),
});

/** The body of `PUT /faults/{face}`. */
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

/** What `GET /faults/{face}` shows. Counts run from the last PUT on, also after a DELETE. */
export interface FaultReport {
  readonly seed: number;
  readonly rules: readonly (Rule & { readonly injected: number })[];
  readonly injected: Readonly<Partial<Record<FaultName, number>>>;
  /** By operation: the answers that were given without a fault. */
  readonly served: Readonly<Record<string, number>>;
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
  readonly served: Record<string, number>;
}

/** The faults of one face, in memory only: they end with the process. */
export class Faults {
  private readonly operations: Operations;
  private seed = 0;
  private live: LiveRule[] = [];
  private counts: Counts;

  constructor(operations: Operations) {
    this.operations = operations;
    this.counts = this.noCounts();
  }

  /** Puts new rules in the place of the old and counts anew. Throws a 422 that names the rule, and changes nothing,
   * when the face has no such operation or nothing that the fault could strike. */
  replace(plan: FaultPlan): void {
    for (const [index, rule] of plan.rules.entries()) this.check(rule, index);
    this.seed = plan.seed;
    this.counts = this.noCounts();
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
  decide(operation: string, callClass: CallClass): Injection | undefined {
    for (const one of this.live) {
      if (!this.fits(one, operation, callClass)) continue;
      if (one.roll() >= one.rule.probability) continue;
      one.fired += 1;
      const counts = this.counts;
      const { fault, delay_ms: delayMs } = one.rule;
      return { fault, delayMs, happened: () => countInjection(one, counts) };
    }
    return undefined;
  }

  /** Counts an answer that was given without a fault. */
  served(operation: string): void {
    this.counts.served[operation] = (this.counts.served[operation] ?? 0) + 1;
  }

  /** The rules that stand and what was really injected. */
  report(): FaultReport {
    const rules = this.live.map((one) => ({ ...one.rule, injected: one.injected }));
    return { seed: this.seed, rules, injected: { ...this.counts.injected }, served: { ...this.counts.served } };
  }

  private check({ operation, fault }: Rule, index: number): void {
    if (operation !== '*') requireOperation(this.operations, operation, `rules.${index}.operation`);
    const meant = operation === '*' ? Object.keys(this.operations) : [operation];
    const possible = new Set(meant.flatMap((name) => this.operations[name] ?? []));
    if (possible.has(fault)) return;
    const message = `${fault} strikes no ${operation === '*' ? 'call here' : operation}; possible: ${[...possible].join(', ')}`;
    throw new HttpError(422, 'fault_not_possible', message, `rules.${index}.fault`);
  }

  private fits({ rule, fired }: LiveRule, operation: string, callClass: CallClass): boolean {
    if (rule.operation !== '*' && rule.operation !== operation) return false;
    if (rule.times !== undefined && fired >= rule.times) return false;
    return canStrike[callClass](rule.fault) && (this.operations[operation]?.includes(rule.fault) ?? false);
  }

  private noCounts(): Counts {
    return { injected: {}, served: Object.fromEntries(Object.keys(this.operations).map((name) => [name, 0])) };
  }
}

/** Throws a 422 with the names that would do when the face has no such operation. */
export function requireOperation(operations: Operations, operation: string, field: string): void {
  if (Object.hasOwn(operations, operation)) return;
  const names = Object.keys(operations).join(', ');
  throw new HttpError(422, 'unknown_operation', `No operation "${operation}" here; there are: ${names}`, field);
}

const canStrike: Readonly<Record<CallClass, (fault: FaultName) => boolean>> = {
  commits: (fault) => moments[fault] !== 'port',
  reads: (fault) => moments[fault] === 'before' || moments[fault] === 'answer',
  conflicts: (fault) => moments[fault] === 'before',
  connects: (fault) => fault === 'never',
};

function countInjection(one: LiveRule, counts: Counts): void {
  one.injected += 1;
  counts.injected[one.rule.fault] = (counts.injected[one.rule.fault] ?? 0) + 1;
}
