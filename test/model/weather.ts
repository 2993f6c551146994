import { setTimeout as pause } from 'node:timers/promises';
import type { FaultRule } from '../support/bank.ts';
import type { World } from '../support/world.ts';
import type { Tally } from './tally.ts';

const moving = ['charge', 'capture', 'void', 'refund'] as const;

/** The faults of a storm, each with the operations that it strikes. Those that make us wait in vain are short or rare. */
const faults: readonly (Pick<FaultRule, 'fault' | 'delay_ms'> & { readonly on: readonly FaultRule['operation'][] })[] =
  [
    { fault: '429', on: [...moving, 'lookup'], delay_ms: 1_000 },
    { fault: '500_before', on: [...moving, 'lookup'] },
    { fault: '500_after', on: moving },
    { fault: 'lost_after', on: moving },
    { fault: 'late_commit', on: moving, delay_ms: 1_500 },
    { fault: 'cut_json', on: [...moving, 'lookup'] },
    { fault: 'slow', on: [...moving, 'lookup'], delay_ms: 800 },
    { fault: 'wrong_amount', on: moving },
  ];

/** What every run must have seen. */
export const faultNames: readonly string[] = faults.map(({ fault }) => fault);

const probability = 0.05;
/** What has not struck yet strikes sooner. */
const lackingProbability = 0.3;
const stormMs = 3_000;
const calmMs = 1_000;

/** Storms and calms of one run. */
export interface Weather {
  /** Ends it; the provider is healthy afterwards. */
  stop(): Promise<void>;
}

/** Begins to change the weather at EasyPay; counts every fault that struck. */
export function makeWeather(world: World, seed: number, tally: Tally): Weather {
  const stopping = new AbortController();
  const ended = changeWeather(world, seed, tally, stopping.signal);
  ended.catch(() => undefined); // told by `stop`
  return {
    async stop() {
      stopping.abort();
      await ended;
    },
  };
}

async function changeWeather(world: World, seed: number, tally: Tally, stopping: AbortSignal): Promise<void> {
  for (let number = 0; !stopping.aborted; number++) {
    await world.bank.inject(rulesOf(tally), (seed + number) | 0);
    await wait(stormMs, stopping);
    await world.bank.heal();
    // What was decided in the storm strikes in the calm, and is counted before the next storm begins.
    await pause(calmMs);
    for (const [fault, times] of Object.entries(await world.bank.injected())) tally.count(`fault ${fault}`, times);
  }
}

function rulesOf(tally: Tally): FaultRule[] {
  return faults.flatMap(({ on, ...fault }) => {
    const isLacking = tally.of(`fault ${fault.fault}`) === 0;
    return on.map((operation) => ({ ...fault, operation, probability: isLacking ? lackingProbability : probability }));
  });
}

async function wait(ms: number, stopping: AbortSignal): Promise<void> {
  await pause(ms, undefined, { signal: stopping }).catch(() => undefined);
}
