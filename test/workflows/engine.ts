import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  Client,
  Connection,
  type UpdateDefinition,
  WithStartWorkflowOperation,
  type WorkflowHandle,
} from '@temporalio/client';
import proto from '@temporalio/proto';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { withHeartbeats } from '../../activities/heartbeats.ts';
import type { PaymentSubmission } from '../../api/payment-client.ts';
import { failureConverterPath } from '../../runtime/temporal.ts';
import { findTemporalProgram, temporalProcess } from '../../workers/dev/temporal-server.ts';
import { workflowBundlePath } from '../../workers/workflow-bundle.ts';
import {
  type AwaitedPayment,
  awaitAccepted,
  awaitOutcome,
  type PaymentWorkflowInput,
  type PaymentWorkflowResult,
  paymentStartOptions,
  paymentTaskQueue,
  paymentWorkflowType,
  searchAttributes,
} from '../../workflows/contract.ts';
import type { PaymentPorts, PaymentRequest, PaymentSnapshot } from '../../workflows/ports.ts';
import { aPaymentRequest } from '../support/payment-request.ts';
import { testProcess } from '../support/test-process.ts';
import { until } from '../support/until.ts';
import { freePorts } from '../support/world.ts';
import { FakePayment, rowOf, type Script } from './fake-payment.ts';

const { EventType } = proto.temporal.api.enums.v1;
const host = '127.0.0.1';

/** Personal data and secrets of every payment here: none of it may show where operators look. */
export const secrets = {
  name: 'Ada Lovelace',
  email: 'ada@example.com',
  cardToken: 'tok_secret_1',
  description: 'a gift',
};

/** A payment under test: its fake world and its workflow. */
export interface PaymentUnderTest {
  readonly fake: FakePayment;
  readonly handle: WorkflowHandle;
  readonly requestHash: string;
  /** What the API submits for it. */
  readonly input: PaymentSubmission;
  /** As the API does it: starts or attaches, and waits. */
  awaitOutcome(requestHash?: string): Promise<AwaitedPayment>;
  awaitAccepted(requestHash?: string): Promise<AwaitedPayment>;
  /** Starts it with an update of another kind in its first task. */
  startWithUpdate<Ret, Args extends [unknown]>(update: UpdateDefinition<Ret, Args>, args: Args): Promise<Ret>;
  /** Starts it without waiting. */
  start(): Promise<void>;
  /** As the sweep does it: with the payment id alone. */
  redrive(): Promise<void>;
  result(): Promise<PaymentWorkflowResult>;
  /** Waits for an event of this type and answers the history's event types, in order, without their prefix. */
  history(): Promise<string[]>;
  historyWith(type: string): Promise<string[]>;
  /** Waits until an activity waits for its next try after this kind of failure. */
  isBackingOff(faultType: string): Promise<void>;
}

/** A Temporal server and a worker with the real bundle, whose ports are fakes: one per payment. */
export interface Engine {
  readonly client: Client;
  aPayment(script?: Script): PaymentUnderTest;
  close(): Promise<void>;
}

/** Starts both on free ports; close it in `afterAll`. */
export async function startEngine(): Promise<Engine> {
  const folder = mkdtempSync(join(tmpdir(), 'workflows-'));
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('TEMPORAL_')));
  const source = await findTemporalProgram({ dataDir: folder, env, say: () => undefined });
  if (source.kind !== 'program') throw new Error('tests start their own Temporal server');
  const [port = 0] = await freePorts(1);
  const dbFilename = join(folder, 'temporal.db');
  const spec = await temporalProcess(source.path, { ip: host, port, uiPort: null, dbFilename, searchAttributes });
  const server = testProcess(spec, join(folder, 'temporal.log'));
  const [codePath] = await Promise.all([workflowBundlePath(), server.start()]);

  Runtime.install({ logger: new DefaultLogger('ERROR', () => undefined), shutdownSignals: [] });
  const address = `${host}:${port}`;
  const dataConverter = { failureConverterPath };
  const workerConnection = await NativeConnection.connect({ address });
  const connection = await Connection.connect({ address });
  const client = new Client({ connection, dataConverter });
  const fakes = new Map<string, FakePayment>();
  const worker = await Worker.create({
    connection: workerConnection,
    dataConverter,
    taskQueue: paymentTaskQueue,
    workflowBundle: { codePath },
    activities: portsOf(fakes),
    shutdownForceTime: '5 seconds', // a workflow that runs in circles must not keep its test from failing
  });
  const running = worker.run();
  running.catch(() => undefined); // shows in the tests, which then wait in vain
  return {
    client,
    aPayment: (script = {}) => paymentUnderTest(client, fakes, script),
    async close() {
      worker.shutdown();
      await running.catch(() => undefined);
      await Promise.allSettled([connection.close(), workerConnection.close()]);
      await server.kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function portsOf(fakes: ReadonlyMap<string, FakePayment>): PaymentPorts {
  const of = (paymentId: string) => {
    const fake = fakes.get(paymentId);
    if (fake === undefined) throw new Error(`there is no fake for ${paymentId}`);
    return fake;
  };
  return {
    acceptPayment: (input) => of(input.paymentId).acceptPayment(input),
    chargePayment: (input) => withHeartbeats(() => of(input.paymentId).chargePayment(input)),
    askProvider: (input) => withHeartbeats(() => of(input.paymentId).askProvider(input)),
    recordTransition: (input) => of(input.paymentId).recordTransition(input),
  };
}

function paymentUnderTest(client: Client, fakes: Map<string, FakePayment>, script: Script): PaymentUnderTest {
  const paymentId = `pay_${randomUUID()}`;
  const { request, snapshot } = requestOf(paymentId);
  const { merchantId, isTest } = snapshot;
  const input: PaymentSubmission = { paymentId, merchantId, isTest, request };
  const fake = new FakePayment(snapshot, script);
  fakes.set(paymentId, fake);
  const handle = client.workflow.getHandle(paymentId);
  const options = paymentStartOptions({
    paymentId,
    merchantId,
    currency: 'USD',
    summary: `25.99 USD · ${request.externalId}`,
  });

  function startWithUpdate<Ret, Args extends [unknown]>(
    update: UpdateDefinition<Ret, Args>,
    args: Args,
    requestHash = request.requestHash,
  ): Promise<Ret> {
    const given: PaymentWorkflowInput = { ...input, request: { ...request, requestHash } };
    const startWorkflowOperation = new WithStartWorkflowOperation(paymentWorkflowType, {
      ...options,
      args: [given],
      workflowIdConflictPolicy: 'USE_EXISTING',
    });
    return client.workflow.executeUpdateWithStart(update, { args, startWorkflowOperation });
  }
  async function start(given: PaymentWorkflowInput): Promise<void> {
    await client.workflow.start(paymentWorkflowType, { ...options, args: [given] });
  }
  async function history(): Promise<string[]> {
    const { events } = await handle.fetchHistory();
    return (events ?? []).map(({ eventType }) => EventType[eventType ?? 0]?.replace('EVENT_TYPE_', '') ?? '');
  }
  return {
    fake,
    handle,
    requestHash: request.requestHash,
    input,
    awaitOutcome: (hash = request.requestHash) => startWithUpdate(awaitOutcome, [{ requestHash: hash }], hash),
    awaitAccepted: (hash = request.requestHash) => startWithUpdate(awaitAccepted, [{ requestHash: hash }], hash),
    startWithUpdate: (update, args) => startWithUpdate(update, args),
    start: () => start(input),
    redrive: () => start({ paymentId, merchantId, isTest }),
    result: () => handle.result(),
    history,
    historyWith: (type) =>
      until(`there is a ${type}`, async () => {
        const types = await history();
        return types.includes(type) ? types : null;
      }),
    async isBackingOff(faultType) {
      await until(`an activity waits after ${faultType}`, async () => {
        const { raw } = await handle.describe();
        return raw.pendingActivities?.some(
          ({ lastFailure, scheduledTime }) => lastFailure?.applicationFailureInfo?.type === faultType && scheduledTime,
        );
      });
    },
  };
}

function requestOf(paymentId: string): { request: PaymentRequest; snapshot: PaymentSnapshot } {
  const request = aPaymentRequest({
    requestHash: `hash of ${paymentId}`,
    externalId: 'order-17',
    cardToken: secrets.cardToken,
    customerId: 'customer-1',
    customerEmail: secrets.email,
    customerName: secrets.name,
    description: secrets.description,
  });
  const now = new Date().toISOString();
  const snapshot = rowOf({ paymentId, merchantId: 'mer_1', isTest: true, request, now });
  return { request, snapshot };
}
