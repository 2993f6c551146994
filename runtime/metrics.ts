import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { MovementKind, MovementState } from '../workflows/domain/movement.ts';
import type { ChargeOutcome, FaultKind } from '../workflows/domain/outcome.ts';
import type { PaymentStatus } from '../workflows/domain/payment-status.ts';

/** What Prometheus reads. */
export interface MetricsPage {
  readonly contentType: string;
  text(): Promise<string>;
}

/** What a pool of database connections says of itself; `pg.Pool` does. */
interface PoolState {
  readonly totalCount: number;
  readonly idleCount: number;
  readonly waitingCount: number;
}

/** What the API counts. Labels come from closed lists: no merchant, no payer, no id. */
export interface ApiMetrics extends MetricsPage {
  requestBegan(): void;
  requestEnded(request: {
    readonly operation: string;
    readonly method: string;
    readonly statusClass: string;
    readonly durationMs: number;
  }): void;
  /** So many calls will never stand in the log of calls. */
  callsNotLogged(count: number): void;
}

/** What came of one call to a provider. `error`: neither an outcome nor a fault, so a mistake of ours. */
type ProviderCallResult = ChargeOutcome['kind'] | 'prepared' | 'not_found' | FaultKind | 'error';

/** What the worker counts. Each line is one event; the rows are the place for exact numbers. */
export interface WorkerMetrics extends MetricsPage {
  /** A payment reached a status in which nothing more is tried by itself. */
  paymentEnded(payment: {
    readonly status: PaymentStatus;
    readonly provider: string | null;
    readonly currency: string;
  }): void;
  providerCalled(call: {
    readonly provider: string;
    readonly operation: 'prepare' | 'charge' | MovementKind | 'lookup';
    readonly result: ProviderCallResult;
    readonly durationMs: number;
  }): void;
  /** A payment left this provider for the next one: `fault`: nothing happened there; `declined`: another may approve. */
  failedOver(left: { readonly provider: string; readonly reason: 'fault' | 'declined' }): void;
  paymentDelayed(): void;
  /** A capture, void or refund came to an end, or to where a person must decide. */
  movementEnded(movement: {
    readonly kind: MovementKind;
    readonly state: MovementState;
    readonly provider: string;
  }): void;
  /** One try to tell a receiver of an event. */
  deliveryTried(delivery: {
    readonly channel: 'webhook' | 'email';
    readonly result: 'delivered' | 'gone' | 'refused' | 'again' | 'skipped';
  }): void;
  alertOpened(alert: { readonly kind: string }): void;
}

/** Fine around the promise of 200 ms; a request may wait for its outcome for a minute. */
const requestBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2.5, 5, 10, 30, 60];
/** Up to a call's longest time-out. */
const callBuckets = [0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2, 4, 8, 10];

/** The metrics of an API process; one per process. */
export function createApiMetrics(pool: PoolState): ApiMetrics {
  const registry = createRegistry(pool);
  const registers = [registry];
  const inFlight = new Gauge({
    name: 'payments_api_requests_in_flight',
    help: 'Requests that are being answered.',
    registers,
  });
  const requests = new Histogram({
    name: 'payments_api_request_duration_seconds',
    help: 'Requests by operation, method and class of status, and how long they took.',
    labelNames: ['operation', 'method', 'status'],
    buckets: requestBuckets,
    registers,
  });
  const notLogged = new Counter({
    name: 'payments_api_calls_not_logged_total',
    help: 'Calls that are missing in the log of calls: too many waited for the database, or it refused them.',
    registers,
  });
  return {
    ...pageOf(registry),
    callsNotLogged: (count) => notLogged.inc(count),
    requestBegan: () => inFlight.inc(),
    requestEnded({ operation, method, statusClass, durationMs }) {
      inFlight.dec();
      requests.observe({ operation, method, status: statusClass }, durationMs / 1000);
    },
  };
}

/** The metrics of a worker process; one per process. */
export function createWorkerMetrics(pool: PoolState): WorkerMetrics {
  const registry = createRegistry(pool);
  const counter = <Label extends string>(name: string, help: string, labelNames: readonly Label[] = []) =>
    new Counter({ name, help, labelNames, registers: [registry] });
  const ended = counter(
    'payments_ended_total',
    'Payments that reached a status in which nothing more is tried by itself.',
    ['status', 'provider', 'currency'],
  );
  const failovers = counter('payments_failovers_total', 'Payments that left a provider for the next one.', [
    'provider',
    'reason',
  ]);
  const delayed = counter(
    'payments_delayed_total',
    'Payments of which payer and merchant were told that they take longer.',
  );
  const movements = counter(
    'payments_movements_total',
    'Captures, voids and refunds that came to an end, or to where a person must decide.',
    ['kind', 'state', 'provider'],
  );
  const deliveries = counter('payments_delivery_tries_total', 'Tries to tell a receiver of an event.', [
    'channel',
    'result',
  ]);
  const alerts = counter('payments_alerts_opened_total', 'Alerts written for an operator.', ['kind']);
  const calls = new Histogram({
    name: 'payments_provider_call_duration_seconds',
    help: 'Calls to providers by operation and by outcome or kind of fault, and how long they took.',
    labelNames: ['provider', 'operation', 'result'],
    buckets: callBuckets,
    registers: [registry],
  });
  return {
    ...pageOf(registry),
    paymentEnded: ({ status, provider, currency }) => ended.inc({ status, provider: provider ?? 'none', currency }),
    providerCalled({ provider, operation, result, durationMs }) {
      calls.observe({ provider, operation, result }, durationMs / 1000);
    },
    failedOver: (left) => failovers.inc(left),
    paymentDelayed: () => delayed.inc(),
    movementEnded: (movement) => movements.inc(movement),
    deliveryTried: (delivery) => deliveries.inc(delivery),
    alertOpened: (alert) => alerts.inc(alert),
  };
}

/** A registry with what every process has: Node's and the process's own metrics, and the database pool's. */
function createRegistry(pool: PoolState): Registry {
  const register = new Registry();
  collectDefaultMetrics({ register });
  const connections = new Gauge({
    name: 'payments_database_connections',
    help: 'Connections to the database by state; their sum is the pool.',
    labelNames: ['state'],
    registers: [],
    collect() {
      this.set({ state: 'busy' }, pool.totalCount - pool.idleCount);
      this.set({ state: 'idle' }, pool.idleCount);
    },
  });
  const waiting = new Gauge({
    name: 'payments_database_waiting',
    help: 'Statements that wait for a connection to the database.',
    registers: [],
    collect() {
      this.set(pool.waitingCount);
    },
  });
  register.registerMetric(connections);
  register.registerMetric(waiting);
  return register;
}

function pageOf(registry: Registry): MetricsPage {
  return { contentType: registry.contentType, text: () => registry.metrics() };
}
