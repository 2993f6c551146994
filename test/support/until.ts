import { setTimeout as pause } from 'node:timers/promises';

/** Asks again and again until the answer is truthy, and returns it. Throws, naming what was awaited, after a minute. */
export async function until<T>(
  what: string,
  ask: () => T | Promise<T>,
  limits: { readonly withinMs?: number; readonly everyMs?: number } = {},
): Promise<NonNullable<T>> {
  const { withinMs = 60_000, everyMs = 50 } = limits;
  const deadline = Date.now() + withinMs;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > deadline) throw new Error(`waited ${withinMs} ms in vain until ${what}`);
    await pause(everyMs);
  }
}
