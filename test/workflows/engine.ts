import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { withHeartbeats } from '../../activities/heartbeats.ts';
import { failureConverterPath } from '../../runtime/temporal.ts';
import { findTemporalProgram, temporalProcess } from '../../workers/dev/temporal-server.ts';
import { workflowBundlePath } from '../../workers/workflow-bundle.ts';
import { backgroundTaskQueue, paymentTaskQueue, searchAttributes } from '../../workflows/contract.ts';
import type { MovementRequest, PaymentPorts } from '../../workflows/ports.ts';
import { testProcess } from '../support/test-process.ts';
import { freePorts } from '../support/world.ts';
import type { FakePayment } from './fake-payment.ts';
import { type FakeSubscription, type SubscriptionScript, subscriptionPortsOf } from './fake-subscription.ts';
import { type PaymentUnderTest, paymentUnderTest } from './payment-under-test.ts';
import { type RefundUnderTest, refundUnderTest } from './refund-under-test.ts';
import type { Script } from './script.ts';
import { type SubscriptionUnderTest, subscriptionUnderTest } from './subscription-under-test.ts';

const host = '127.0.0.1';

/** A Temporal server and a worker with the real bundle, whose ports are fakes: one per payment and subscription. */
export interface Engine {
  readonly client: Client;
  aPayment(script?: Script): PaymentUnderTest;
  /** A refund of a payment, of all that is left unless the request says otherwise. */
  aRefund(payment: FakePayment, request?: Partial<MovementRequest>): RefundUnderTest;
  aSubscription(script?: SubscriptionScript): SubscriptionUnderTest;
  close(): Promise<void>;
}

/** Starts both on free ports; `others` are ports of other workflows. Close it in `afterAll`. */
export async function startEngine(others: object = {}): Promise<Engine> {
  const folder = mkdtempSync(join(tmpdir(), 'workflows-'));
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('TEMPORAL_')));
  const source = await findTemporalProgram({ dataDir: folder, env, say: () => undefined });
  if (source.kind !== 'program') throw new Error('tests start their own Temporal server');
  const [port = 0] = await freePorts(1);
  const dbFilename = join(folder, 'temporal.db');
  const spec = await temporalProcess(source.path, { ip: host, port, uiPort: null, dbFilename, searchAttributes });
  const server = testProcess(spec, join(folder, 'temporal.log'));
  const codePath = await workflowBundlePath(); // before there is a server that nobody would stop
  await server.start();

  Runtime.install({ logger: new DefaultLogger('ERROR', () => undefined), shutdownSignals: [] });
  const address = `${host}:${port}`;
  const dataConverter = { failureConverterPath };
  const workerConnection = await NativeConnection.connect({ address });
  const connection = await Connection.connect({ address });
  const client = new Client({ connection, dataConverter });
  const fakes = new Map<string, FakePayment>();
  const subscriptions = new Map<string, FakeSubscription>();
  const activities = { ...portsOf(fakes), ...subscriptionPortsOf(subscriptions), ...others };
  const worker = await Worker.create({
    connection: workerConnection,
    dataConverter,
    taskQueue: paymentTaskQueue,
    workflowBundle: { codePath },
    activities,
    shutdownForceTime: '5 seconds', // a workflow that runs in circles must not keep its test from failing
  });
  const background = await Worker.create({
    connection: workerConnection,
    dataConverter,
    taskQueue: backgroundTaskQueue,
    activities,
    shutdownForceTime: '5 seconds',
  });
  const workers = [worker, background];
  const running = Promise.all(workers.map((one) => one.run()));
  running.catch(() => undefined); // shows in the tests, which then wait in vain
  return {
    client,
    aPayment: (script = {}) => {
      const payment = paymentUnderTest(client, script);
      fakes.set(payment.fake.id, payment.fake);
      return payment;
    },
    aRefund: (payment, request = {}) => refundUnderTest(client, payment, request),
    aSubscription: (script = {}) => {
      const subscription = subscriptionUnderTest(client, script, (payment) => fakes.set(payment.id, payment));
      subscriptions.set(subscription.fake.id, subscription.fake);
      return subscription;
    },
    async close() {
      for (const one of workers) one.shutdown();
      await running.catch(() => undefined);
      await Promise.allSettled([connection.close(), workerConnection.close()]);
      await server.kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function portsOf(fakes: ReadonlyMap<string, FakePayment>): PaymentPorts {
  const of = ({ paymentId }: { readonly paymentId: string }) => {
    const fake = fakes.get(paymentId);
    if (fake === undefined) throw new Error(`there is no fake for ${paymentId}`);
    return fake;
  };
  return {
    acceptPayment: (input) => of(input).acceptPayment(input),
    chargePayment: (input) => withHeartbeats(() => of(input).chargePayment(input)),
    askProvider: (input) => withHeartbeats(() => of(input).askProvider(input)),
    recordTransition: (input) => of(input).recordTransition(input),
    openMovement: (input) => of(input).movements.openMovement(input),
    sendMovement: (input) => withHeartbeats(() => of(input).movements.sendMovement(input)),
    askMovement: (input) => withHeartbeats(() => of(input).movements.askMovement(input)),
    settleMovement: (input) => of(input).movements.settleMovement(input),
    reconcile: (input) => withHeartbeats(() => of(input).reconcile(input)),
  };
}
