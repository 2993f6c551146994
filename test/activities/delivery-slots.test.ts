import { describe, expect, test } from 'vitest';
import { DeliverySlots } from '../../activities/delivery-slots.ts';

const hourMs = 3_600_000;
const now = 1_000_000;

/** Slots of which a hanging receiver has taken all. */
function full(): DeliverySlots {
  const slots = new DeliverySlots();
  for (let each = 0; each < 4; each++) expect(slots.take('whe_1', now, () => 0).kind).toBe('taken');
  return slots;
}

function waitOf(slots: DeliverySlots, at = now, random = 0): number {
  const slot = slots.take('whe_1', at, () => random);
  if (slot.kind === 'taken') throw new Error('there was room');
  return slot.waitMs;
}

describe('whoever finds no slot', () => {
  test('comes back after a few seconds, not all at the same moment', () => {
    expect(waitOf(full())).toBe(2_500);
    expect(waitOf(full(), now, 1)).toBe(5_000);
  });

  test('comes back later the more there are, at the pace of a receiver that hangs, and within an hour', () => {
    const slots = full();
    const waits = Array.from({ length: 10_000 }, () => waitOf(slots, now, 1));
    expect(waits.slice(0, 3)).toEqual([5_000, 7_500, 10_000]);
    expect(Math.max(...waits)).toBe(hourMs);
    expect(waitOf(slots, now + hourMs), 'when the crowd has passed').toBe(2_500);
  });

  test('finds one when another is given back, and other receivers have their own', () => {
    const slots = new DeliverySlots();
    const taken = Array.from({ length: 4 }, () => slots.take('whe_1'));
    expect(slots.take('whe_2').kind).toBe('taken');
    expect(slots.take('whe_1').kind).toBe('full');
    const [first] = taken;
    if (first?.kind === 'taken') first.giveBack();
    expect(slots.take('whe_1').kind).toBe('taken');
    expect(slots.take('whe_1').kind).toBe('full');
  });
});
