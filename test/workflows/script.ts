import type { CaptureMethod } from '../../workflows/domain/movement.ts';
import type { ChargeOutcome } from '../../workflows/domain/outcome.ts';
import type { PaymentTerms } from '../../workflows/domain/terms.ts';
import type {
  Acceptance,
  AskAnswer,
  MovementStepAnswer,
  OpenedMovement,
  PaymentPorts,
  PaymentSnapshot,
  Reconciled,
  TransitionAnswer,
} from '../../workflows/ports.ts';
import type { FakeMovement } from './fake-movements.ts';
import type { FakePayment } from './fake-payment.ts';

/** What a port does in one call: answers, or throws a failure as activities do. */
export type Step<Answer, Subject = FakePayment> = (subject: Subject) => Answer | Promise<Answer>;

/** A call that the workflow made. */
export interface Call {
  readonly port: keyof PaymentPorts;
  readonly isLocal: boolean;
  readonly attempt: number;
  readonly at: number;
}

/** What a test decides about one payment's world. Each list is used up call by call; its last step is for all others. */
export interface Script {
  readonly charge?: readonly Step<ChargeOutcome>[];
  readonly ask?: readonly Step<AskAnswer>[];
  /** Of all captures, voids and refunds together; see `perKind`. */
  readonly move?: readonly Step<ChargeOutcome, FakeMovement>[];
  readonly askMove?: readonly Step<AskAnswer, FakeMovement>[];
  readonly reconcile?: readonly Step<Reconciled>[];
  /** Null: as the database does it. */
  readonly accept?: readonly (Step<Acceptance> | null)[];
  readonly record?: readonly (Step<TransitionAnswer> | null)[];
  readonly open?: readonly (Step<OpenedMovement> | null)[];
  readonly settle?: readonly (Step<MovementStepAnswer, FakeMovement> | null)[];
  /** The row as it is before the workflow starts; without it there is none. */
  readonly row?: Partial<PaymentSnapshot>;
  /** Which providers may charge it, in order; only EasyPay by default. */
  readonly candidates?: readonly string[];
  readonly captureMethod?: CaptureMethod;
  /** Windows in seconds may have a fraction here. */
  readonly terms?: Partial<PaymentTerms>;
  /** The two windows that most tests want, before `terms`. */
  readonly expiresInMs?: number;
  readonly askForMs?: number;
  /** Whether the provider pays back one capture at a time. */
  readonly refundsPerCapture?: boolean;
}

/** The step for a call that comes after so many others. */
export function stepOf<T>(steps: readonly T[] | undefined, count: number): T | undefined {
  return steps?.[Math.min(count, steps.length - 1)];
}

/** A step that stands still until the test opens the gate. */
export function gate<Answer, Subject = unknown>(
  step: Step<Answer, Subject>,
): {
  readonly step: Step<Answer, Subject>;
  readonly open: () => void;
  readonly reached: Promise<void>;
} {
  const opened = Promise.withResolvers<void>();
  const reached = Promise.withResolvers<void>();
  return {
    step: async (subject) => {
      reached.resolve();
      await opened.promise;
      return step(subject);
    },
    open: () => opened.resolve(),
    reached: reached.promise,
  };
}
