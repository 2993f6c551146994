import { Redis, type Result } from 'ioredis';
import type { Logger } from './logger.ts';

/** How many requests somebody may make in a window of time. A window begins with the first request that it counts. */
export interface Budget {
  /** What is counted, for whom: the same name is the same count. An id or a hash, never a secret or an address. */
  readonly name: string;
  /** What callers know it by: the same word for all of them. There are few. */
  readonly policy: string;
  readonly limit: number;
  readonly windowSeconds: number;
}

/** How a budget stands after a request. */
export interface Standing {
  readonly budget: Budget;
  /** It was used up before this request, which must be refused. */
  readonly isExceeded: boolean;
  readonly remaining: number;
  /** Seconds until the window ends, at least one. */
  readonly resetSeconds: number;
}

/** Counts requests. */
export interface RateLimits {
  /**
   * Takes one request from each budget, or from none: where one of them, or of those that are only `watched`, is used up, the
   * request is refused and no other budget pays for it. Exact, also among processes that share a Redis: of a limit L, L
   * requests get through in a window. Says how the budget stands that has the least left; null: there is none. Never throws.
   */
  spend(budgets: readonly Budget[], watched?: readonly Budget[]): Promise<Standing | null>;
  close(): Promise<void>;
}

/**
 * Counts in Redis where its URL is given, for all processes together and in one round trip per call; else in this process. While
 * Redis is away the counts of this process hold: limits go on, each process for itself, and nobody waits.
 */
export function createRateLimits({
  redisUrl,
  logger,
}: {
  readonly redisUrl: string | null;
  readonly logger: Logger;
}): RateLimits {
  const local = countHere();
  const shared = redisUrl === null ? null : countInRedis(redisUrl, logger);
  return {
    async spend(budgets, watched = []) {
      const all = [...budgets, ...watched];
      const counts = (await shared?.take(all, budgets.length)) ?? local.take(all, budgets.length);
      return tightest(all, counts, budgets.length);
    },
    async close() {
      shared?.close();
    },
  };
}

/** A count after a request, and how long it is kept. */
interface Count {
  readonly used: number;
  readonly leftMs: number;
}

/** What came of a request: whether it was refused, and the counts of all budgets in their order. */
interface Taken {
  readonly isRefused: boolean;
  readonly counts: readonly Count[];
}

/** Of the budgets that paid, or else of those that refused; of several the one that lasts longest: then is when to try again. */
function tightest(budgets: readonly Budget[], { isRefused, counts }: Taken, paying: number): Standing | null {
  const standings = budgets.map((budget, index): Standing => {
    const { used, leftMs } = counts[index] ?? { used: 0, leftMs: 0 };
    return {
      budget,
      isExceeded: isRefused && used >= budget.limit,
      remaining: Math.max(0, budget.limit - used),
      resetSeconds: Math.max(1, Math.ceil(leftMs / 1_000)),
    };
  });
  const told = isRefused ? standings.filter(({ isExceeded }) => isExceeded) : standings.slice(0, paying);
  const [first] = told.toSorted(
    (one, other) => one.remaining - other.remaining || other.resetSeconds - one.resetSeconds,
  );
  return first ?? null;
}

/** In one policy more counts than this are no callers but somebody who changes addresses: the older half is forgotten. */
const countsMax = 100_000;

/** A window that has begun. */
interface Window {
  used: number;
  readonly endsAt: number;
}

/** Windows that began one after another, and when the last of them ends. */
interface Generation {
  readonly windows: Map<string, Window>;
  endsAt: number;
}

/**
 * The windows of one policy, in two generations: the earlier one goes as a whole when all of it has ended, or when the later
 * one is full. So nobody looks for what to forget, and what has ended goes before what has not.
 */
function windowsOfPolicy() {
  const none = (): Generation => ({ windows: new Map(), endsAt: 0 });
  let [earlier, later] = [none(), none()];
  return {
    find(name: string, now: number): Window | null {
      const window = later.windows.get(name) ?? earlier.windows.get(name);
      return window === undefined || window.endsAt <= now ? null : window;
    },
    begin({ name, windowSeconds }: Budget, now: number): Window {
      if (earlier.endsAt <= now || later.windows.size >= countsMax / 2) [earlier, later] = [later, none()];
      const window = { used: 0, endsAt: now + windowSeconds * 1_000 };
      later.windows.set(name, window);
      later.endsAt = Math.max(later.endsAt, window.endsAt);
      return window;
    },
  };
}

/** Counts in this process. A policy has room of its own: who floods one of addresses empties none of keys. */
function countHere() {
  const policies = new Map<string, ReturnType<typeof windowsOfPolicy>>();
  const windowsOf = (policy: string) => {
    const known = policies.get(policy);
    if (known !== undefined) return known;
    const windows = windowsOfPolicy();
    policies.set(policy, windows);
    return windows;
  };
  const current = ({ policy, name }: Budget, now: number) => windowsOf(policy).find(name, now);

  function add(budget: Budget, now: number): Count {
    const window = current(budget, now) ?? windowsOf(budget.policy).begin(budget, now);
    window.used += 1;
    return { used: window.used, leftMs: window.endsAt - now };
  }

  function look(budget: Budget, now: number): Count {
    const window = current(budget, now);
    return { used: window?.used ?? 0, leftMs: window === null ? budget.windowSeconds * 1_000 : window.endsAt - now };
  }

  return {
    /** Takes from the first `paying` of the budgets; the others are only looked at. */
    take(budgets: readonly Budget[], paying: number): Taken {
      const now = Math.floor(performance.now());
      const isRefused = budgets.some((budget) => (current(budget, now)?.used ?? 0) >= budget.limit);
      const counts = budgets.map((budget, index) => (isRefused || index >= paying ? look : add)(budget, now));
      return { isRefused, counts };
    },
  };
}

/**
 * Does in Redis what `countHere` does, as one step that nothing comes between. KEYS: the counts. ARGV: how many of them pay,
 * then limit and window in ms of each. Answers whether it refused, then count and ms left of each.
 */
const takeScript = `
local answer = {0}
for i, key in ipairs(KEYS) do
  if tonumber(redis.call('GET', key) or '0') >= tonumber(ARGV[2 * i]) then answer[1] = 1 end
end
for i, key in ipairs(KEYS) do
  local window = tonumber(ARGV[2 * i + 1])
  if answer[1] == 0 and i <= tonumber(ARGV[1]) then
    redis.call('SET', key, 0, 'PX', window, 'NX')
    redis.call('INCR', key)
  end
  local left = redis.call('PTTL', key)
  answer[#answer + 1] = tonumber(redis.call('GET', key) or '0')
  answer[#answer + 1] = left < 0 and window or left
end
return answer`;

declare module 'ioredis' {
  interface RedisCommander<Context> {
    /** `takeScript`, loaded once. */
    takeRequest(keysCount: number, ...keysAndArguments: (string | number)[]): Result<number[], Context>;
  }
}

const keyPrefix = 'payments:limit:';
/** Longer than this no request waits for Redis. */
const answerWithinMs = 200;
const connectTimeoutMs = 1_000;
const lookAgainEveryMs = 250;
const reconnectAfterMsMax = 1_000;

/** Asks this budget whether Redis counts again. */
const trial: Budget = { name: 'trial', policy: 'trial', limit: 1_000_000, windowSeconds: 1 };

function connect(redisUrl: string): Redis {
  return new Redis(redisUrl, {
    keyPrefix,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false, // a request that was counted here meanwhile
    maxRetriesPerRequest: 0,
    connectTimeout: connectTimeoutMs,
    retryStrategy: (times) => Math.min(times * 100, reconnectAfterMsMax),
    scripts: { takeRequest: { lua: takeScript } },
  });
}

/** Throws when Redis does not answer in time, or refuses. */
async function ask(redis: Redis, budgets: readonly Budget[], paying: number): Promise<Taken> {
  const bounds = budgets.flatMap(({ limit, windowSeconds }) => [limit, windowSeconds * 1_000]);
  const names = budgets.map(({ name }) => name);
  const [refused, ...numbers] = await inTime(redis.takeRequest(names.length, ...names, paying, ...bounds));
  const counts = budgets.map((_budget, index) => ({
    used: numbers[2 * index] ?? 0,
    leftMs: numbers[2 * index + 1] ?? 0,
  }));
  return { isRefused: refused === 1, counts };
}

function countInRedis(redisUrl: string, logger: Logger) {
  const redis = connect(redisUrl);
  let state: 'starting' | 'there' | 'away' | 'closed' = 'starting';
  let again: NodeJS.Timeout | null = null;

  /** From now on nothing is asked of Redis but whether it is back. */
  function lost(err: unknown): void {
    if (state === 'away' || state === 'closed') return;
    state = 'away';
    logger.warn({ err }, 'Redis is away: each process counts requests for itself');
    again = setTimeout(() => void lookAgain(), lookAgainEveryMs);
  }

  async function lookAgain(): Promise<void> {
    try {
      await ask(redis, [trial], 1);
      if (state === 'away') logger.info('Redis is back: processes share the counts of requests');
      if (state !== 'closed') state = 'there';
    } catch {
      if (state !== 'closed') again = setTimeout(() => void lookAgain(), lookAgainEveryMs);
    }
  }

  redis.on('error', lost);
  redis.on('close', () => lost(new Error('the connection to Redis ended')));
  redis.once('ready', () => {
    if (state === 'starting') state = 'there';
  });
  const started = new Promise<void>((resolve) => {
    redis.once('ready', resolve).once('error', () => resolve());
    setTimeout(resolve, answerWithinMs).unref();
  });

  return {
    /** Null: Redis is away. */
    async take(budgets: readonly Budget[], paying: number): Promise<Taken | null> {
      if (state === 'starting') await started;
      if (state !== 'there') return null;
      try {
        return await ask(redis, budgets, paying);
      } catch (error) {
        lost(error);
        return null;
      }
    },
    close(): void {
      state = 'closed';
      if (again !== null) clearTimeout(again);
      redis.disconnect();
    },
  };
}

/** Gives up an answer that is late. A process that was itself too busy to listen first reads what has come meanwhile. */
async function inTime<Answer>(answer: Promise<Answer>): Promise<Answer> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    const giveUp = () => reject(new Error('Redis did not answer in time'));
    timer = setTimeout(() => setImmediate(() => setImmediate(giveUp)), answerWithinMs);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}
