import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { HelpfulError, type Say } from './message.ts';
import { dataPaths, describeProcess, type KnownProcess, recordChildren } from './state.ts';
import { type ChildSpec, type SupervisedChild, supervise } from './supervisor.ts';

/** Users of a program end before it does. */
const STOP_ORDER = ['api', 'worker', 'codec', 'simulators', 'temporal', 'postgres'];
const PREPARATION_STOP_TIMEOUT_MS = 5000;

/** All programs of one `npm start`. */
export type Fleet = {
  /** Starts a program and resolves when it is ready; rejects when it is given up or the fleet stops. */
  start: (spec: ChildSpec) => Promise<void>;
  /**
   * Does something that the start needs besides programs. `stop` aborts it by the signal and gives it a moment to
   * clean up after itself.
   */
  prepare: <Result>(work: (signal: AbortSignal) => Promise<Result>) => Promise<Result>;
  /** Of the newest run of each program. */
  pids: () => Record<string, number>;
  /** Called whenever a program got a new pid. */
  onPidsChanged: (listener: () => void) => void;
  /** Ends the programs one after another; nothing can be started any more. */
  stop: () => Promise<void>;
  /** Kills them all at once. */
  kill: () => void;
};

/** An empty fleet. It keeps the record of its processes in the data folder up to date. */
export function createFleet(dataDir: string, say: Say): Fleet {
  const children: SupervisedChild[] = [];
  const known: Record<string, KnownProcess> = {};
  const listeners: (() => void)[] = [];
  const stopping = new AbortController();
  const preparations: Promise<unknown>[] = [];

  const onSpawn = (name: string, pid: number) => {
    known[name] = describeProcess(pid);
    recordChildren(dataDir, known);
    for (const listener of listeners) listener();
  };

  return {
    async start(spec) {
      if (stopping.signal.aborted) throw new HelpfulError(`${spec.name} was not started: everything is stopping`);
      const logPath = join(dataPaths(dataDir).logs, `${spec.name}.log`);
      const child = supervise(spec, { logPath, say, onSpawn });
      children.push(child);
      await child.ready;
    },
    prepare(work) {
      const preparation = work(stopping.signal);
      preparations.push(preparation);
      return preparation;
    },
    pids: () => Object.fromEntries(Object.entries(known).map(([name, { pid }]) => [name, pid])),
    onPidsChanged: (listener) => listeners.push(listener),
    async stop() {
      stopping.abort();
      await Promise.race([Promise.allSettled(preparations), sleep(PREPARATION_STOP_TIMEOUT_MS, null, { ref: false })]);
      const inOrder = children.toSorted((one, other) => STOP_ORDER.indexOf(one.name) - STOP_ORDER.indexOf(other.name));
      for (const child of inOrder) await child.stop();
    },
    kill() {
      stopping.abort();
      for (const child of children) child.kill();
    },
  };
}
