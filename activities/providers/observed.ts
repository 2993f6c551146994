import type { MovementKind } from '../../workflows/domain/movement.ts';
import type { ChargeOutcome, FaultKind } from '../../workflows/domain/outcome.ts';
import type { Providers } from './index.ts';
import { type MovementRequest, type Provider, type ProviderCall, ProviderFault } from './provider.ts';

/** One finished call to a provider. */
export interface ProviderCallReport {
  readonly provider: string;
  readonly operation: 'prepare' | 'charge' | MovementKind | 'lookup';
  /** `error`: neither an outcome nor a fault, so a mistake of ours. */
  readonly result: ChargeOutcome['kind'] | 'prepared' | 'not_found' | FaultKind | 'error';
  readonly durationMs: number;
  readonly paymentId: string;
  /** The key that the provider knows the attempt by. */
  readonly attemptId: string;
  readonly correlationId: string;
  /** Of the last answer that came back; null without one. */
  readonly httpStatus: number | null;
  /** What was thrown; null when there was an outcome. */
  readonly error: unknown;
}

/** Told of every call when it has ended; it must not throw. */
export type OnProviderCall = (report: ProviderCallReport) => void;

/** The same providers, each call of which is reported when it ends, whatever comes of it. */
export function observedProviders(providers: Providers, onCall: OnProviderCall): Providers {
  return new Map([...providers].map(([name, provider]) => [name, observed(provider, onCall)]));
}

function observed(provider: Provider, onCall: OnProviderCall): Provider {
  const watch = watchCallsOf(provider.name, onCall);
  const kindOf = (outcome: ChargeOutcome) => outcome.kind;
  const kindIfFound = (found: ChargeOutcome | null) => found?.kind ?? 'not_found';
  return {
    name: provider.name,
    capabilities: provider.capabilities,
    idempotency: provider.idempotency,
    processingHorizonMs: provider.processingHorizonMs,
    refundsPer: provider.refundsPer,
    ...(provider.prepare && { prepare: watch('prepare', provider.prepare.bind(provider), () => 'prepared') }),
    charge: watch('charge', provider.charge.bind(provider), kindOf),
    lookUpCharge: watch('lookup', provider.lookUpCharge.bind(provider), kindIfFound),
    move: (request: MovementRequest, call) => watch(request.kind, provider.move.bind(provider), kindOf)(request, call),
    lookUpMovement: watch('lookup', provider.lookUpMovement.bind(provider), kindIfFound),
    close: () => provider.close(),
  };
}

interface Keyed {
  readonly reference: string;
  readonly idempotencyKey: string;
  /** Where the reference is another object's. */
  readonly paymentId?: string;
}

type Result = ProviderCallReport['result'];

function watchCallsOf(provider: string, onCall: OnProviderCall) {
  return <Request extends Keyed, Answer>(
    operation: ProviderCallReport['operation'],
    send: (request: Request, call: ProviderCall) => Promise<Answer>,
    resultOf: (answer: Answer) => Result,
  ) =>
    async (request: Request, call: ProviderCall): Promise<Answer> => {
      const startedAt = performance.now();
      let httpStatus: number | null = null;
      const report = (result: Result, error: unknown) => {
        const { reference, paymentId = reference, idempotencyKey: attemptId } = request;
        const durationMs = Math.round(performance.now() - startedAt);
        const { correlationId } = call;
        onCall({ provider, operation, result, durationMs, paymentId, attemptId, correlationId, httpStatus, error });
      };
      const noteStatus = (status: number | null) => {
        httpStatus = status;
      };
      const answer = await send(request, { ...call, noteStatus }).catch((error: unknown) => {
        report(error instanceof ProviderFault ? error.kind : 'error', error);
        throw error;
      });
      report(resultOf(answer), null);
      return answer;
    };
}
