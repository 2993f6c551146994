import { until } from '../support/until.ts';
import type { World } from '../support/world.ts';
import { merchantCalls } from '../years/merchant-calls.ts';
import { finished, type Path } from './steps.ts';

/** The ways of a test clock that is advanced. */
export const clockPaths: Readonly<Record<string, Path>> = {
  'clock-advanced': async (world) => {
    const { clockId, advance } = await aClock(world);
    await advance();
    return finished(world, clockId);
  },
  'clock-kept-waiting-then-asked': async (world) => {
    const { clockId, calls, advance } = await aClock(world);
    await world.bank.park({ operation: 'charge', point: 'before_commit' });
    const advancing = advance();
    advancing.catch(() => undefined); // shows where it is awaited
    await until('it rests after two turns', async () => {
      const history = world.temporal.workflow.getHandle(clockId).fetchHistory();
      const { events } = await history.catch(() => ({ events: [] })); // it may not have begun
      return events?.some(({ timerStartedEventAttributes: timer }) => timer != null);
    });
    await world.bank.release();
    await calls.send('POST', `/api/v1/test-clocks/${clockId}/settle`, {});
    await advancing;
    return finished(world, clockId);
  },
};

/** A clock with a monthly subscription, two days before its second period. */
async function aClock(world: World) {
  const calls = merchantCalls(world.apiUrl, (await world.createMerchant()).testKey);
  const make = async (path: string, body: unknown) => (await calls.send<{ id: string }>('POST', path, body)).id;
  const clockId = await make('/api/v1/test-clocks', { frozen_time: '2027-01-31T09:00:00Z' });
  const plan = { name: 'Tea', amount: '12.00', currency: 'EUR', interval: { unit: 'month' } };
  await make('/api/v1/subscriptions', {
    plan_id: await make('/api/v1/plans', plan),
    customer_id: await make('/api/v1/customers', { test_clock_id: clockId }),
    payment_method: { type: 'credit_card', card_token: 'tok_visa_4242' },
  });
  const advance = () => calls.send('POST', `/api/v1/test-clocks/${clockId}/advance`, { to: '2027-03-02T09:00:00Z' });
  return { clockId, calls, advance };
}
