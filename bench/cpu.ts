import { existsSync, readdirSync, readFileSync } from 'node:fs';

/** The processes behind each name. */
export type Watched = Readonly<Record<string, readonly number[]>>;

/** Processor time used up to a moment, in milliseconds. */
export interface CpuReading {
  readonly atMs: number;
  readonly namedMs: ReadonlyMap<string, number>;
  /** All that the machine has worked, for whomever, or was kept from working. */
  readonly machineMs: number;
}

/** What a name used during a round. */
export interface CpuShare {
  readonly name: string;
  readonly msPerRequest: number;
  /** Of one core: 1.1 is a core and a tenth of another one. */
  readonly cores: number;
}

/** Linux counts in hundredths of a second (USER_HZ) on every platform that Node runs on. */
const tickMs = 10;

/** The load driver's own name, and that of everything which is no part of the benchmark. */
export const driver = 'load';
export const strangers = 'others';

/**
 * What the watched processes used until now (user and system time), with their children, living and ended. The process that
 * asks counts alone, as `load`: all others are its children. Null where there is no `/proc`.
 */
export function readCpu(watched: Watched): CpuReading | null {
  if (!existsSync('/proc/stat')) return null;
  const table = readProcessTable();
  const named = Object.entries(watched).map(([name, pids]) => [name, sum(pids.map((pid) => ticksOfTree(table, pid)))]);
  const own = table.get(process.pid)?.ownTicks ?? 0;
  return {
    atMs: performance.now(),
    namedMs: new Map([...named, [driver, own]].map(([name, ticks]) => [String(name), Number(ticks) * tickMs])),
    machineMs: machineTicks() * tickMs,
  };
}

/** What was used between two readings, per request; the rest of the machine's work last, as `others`. */
export function cpuBetween(before: CpuReading, after: CpuReading, requests: number): CpuShare[] {
  const elapsedMs = after.atMs - before.atMs;
  const share = (name: string, usedMs: number) => ({
    name,
    msPerRequest: usedMs / requests,
    cores: usedMs / elapsedMs,
  });
  const used = [...after.namedMs].map(([name, ms]) => ({ name, ms: ms - (before.namedMs.get(name) ?? 0) }));
  const othersMs = after.machineMs - before.machineMs - sum(used.map(({ ms }) => ms));
  return [...used.map(({ name, ms }) => share(name, ms)), share(strangers, Math.max(0, othersMs))];
}

interface ProcessTimes {
  readonly parent: number;
  readonly ownTicks: number;
  /** Of children that have ended. */
  readonly endedTicks: number;
}

function readProcessTable(): Map<number, ProcessTimes> {
  const table = new Map<number, ProcessTimes>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const times = readTimes(name);
    if (times !== null) table.set(Number(name), times);
  }
  return table;
}

/** `proc_pid_stat(5)`: the program's name stands in brackets and may hold spaces, so fields count from behind it. */
function readTimes(pid: string): ProcessTimes | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const [utime = 0, stime = 0, cutime = 0, cstime = 0] = fields.slice(11, 15).map(Number);
    return { parent: Number(fields[1]), ownTicks: utime + stime, endedTicks: cutime + cstime };
  } catch {
    return null; // ended meanwhile
  }
}

function ticksOfTree(table: ReadonlyMap<number, ProcessTimes>, pid: number): number {
  const times = table.get(pid);
  if (times === undefined) return 0;
  const children = [...table].filter(([, { parent }]) => parent === pid).map(([child]) => child);
  return times.ownTicks + times.endedTicks + sum(children.map((child) => ticksOfTree(table, child)));
}

/** `proc_stat(5)`: what programs worked, and what other virtual machines took (steal). Interrupts are nobody's. */
function machineTicks(): number {
  const [line = ''] = readFileSync('/proc/stat', 'utf8').split('\n');
  const [user = 0, nice = 0, system = 0, , , , , steal = 0] = line.split(/\s+/).slice(1).map(Number);
  return user + nice + system + steal;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
