import { beforeEach } from 'vitest';
import { apiUnderTest, merchantPerTest } from './api-under-test.ts';
import { mockSubscriptions, playMocks, playSubscriptions } from './played-subscriptions.ts';

/**
 * An API whose subscriptions are played, for all tests of the file that calls this at its top, with a new merchant before
 * each test. A test may play a mock of `workflows` otherwise, and count its calls: the next test has it as it was.
 */
export function subscriptionsUnderTest() {
  const workflows = mockSubscriptions();
  const { database, api } = apiUnderTest({ subscriptions: workflows });
  const merchant = merchantPerTest(api);
  const played = playSubscriptions(database);
  beforeEach(() => playMocks(workflows, played));
  return { database, api, merchant, workflows, played };
}
