import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { type LogFile, openLogFile } from './log-file.ts';
import { HelpfulError, type Say } from './message.ts';
import type { ProgramRun, Readiness } from './readiness.ts';

/** How a program is run, watched and stopped. */
export type ChildSpec = {
  /** Short name for people, log file and pid list. */
  name: string;
  command: string;
  args: readonly string[];
  /** The whole environment: nothing is inherited. */
  env: NodeJS.ProcessEnv;
  /** Run as this user and group instead of one's own; for root only. */
  uid?: number;
  gid?: number;
  ready: Readiness;
  /** What asks the program to end; SIGTERM unless it means something else to it. */
  stopSignal?: 'SIGTERM' | 'SIGINT';
  /** How long the program may take to end before it is killed. */
  stopTimeoutMs: number;
  /** What the console shows of a line of its output; null = nothing. Its log file has all lines. */
  toConsole?: (line: string) => string | null;
};

/** What happens around a child. */
export type ChildSurroundings = {
  logPath: string;
  say: Say;
  /** Called at once after each start, before anything else can happen. */
  onSpawn?: (name: string, pid: number) => void;
};

const RESTART_DELAY_MIN_MS = 200;
const RESTART_DELAY_MAX_MS = 5000;
/** A child that lived this long starts again after the shortest delay. */
const HEALTHY_AFTER_MS = 30_000;
/** A child that dies this often before it was ever ready is given up. */
const FAILED_STARTS_MAX = 5;
const FIRST_READY_TIMEOUT_MS = 120_000;
const PROBE_PAUSE_MS = 100;
const LAST_LINES_MAX = 15;
const OUTPUT_REMEMBERED_LINES_MAX = 5000;
/** At most this many lines of one child reach the console per window; the log file has the rest. */
const CONSOLE_LINES_MAX = 5;
const CONSOLE_WINDOW_MS = 10_000;

type Run = ProgramRun & { process: ChildProcess; exited: Promise<string>; startedAt: number; ended: AbortController };

/** Starts the program and keeps it running, with growing delays, until it is stopped or given up. */
export function supervise(spec: ChildSpec, surroundings: ChildSurroundings): SupervisedChild {
  return new SupervisedChild(spec, surroundings);
}

/** A program that is started again whenever it dies. It lives in a process group of its own, out of Ctrl-C's reach. */
export class SupervisedChild {
  /**
   * Fulfilled when the program is ready for the first time. Rejected with a `HelpfulError` when it was given up,
   * or stopped before.
   */
  readonly ready: Promise<void>;
  readonly #spec: ChildSpec;
  readonly #surroundings: ChildSurroundings;
  readonly #log: LogFile;
  readonly #settled: PromiseWithResolvers<void> = Promise.withResolvers();
  readonly #stopping = new AbortController();
  readonly #finished: Promise<void>;
  readonly #lastLines: string[] = [];
  #run: Run | null = null;
  #wasReady = false;
  #consoleWindow = { startedAt: 0, lines: 0 };

  constructor(spec: ChildSpec, surroundings: ChildSurroundings) {
    this.#spec = spec;
    this.#surroundings = surroundings;
    this.#log = openLogFile(surroundings.logPath);
    this.ready = this.#settled.promise;
    // A caller may look at `ready` late; until then a rejection is nobody's fault.
    this.ready.catch(() => undefined);
    this.#finished = this.#keepRunning().finally(() => this.#log.close());
  }

  get name(): string {
    return this.#spec.name;
  }

  /** Of the running program; null between two runs. */
  get pid(): number | null {
    return this.#run?.process.pid ?? null;
  }

  /** Asks the program to end, kills it after its time-out, and returns when it is gone. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#run?.process.kill(this.#spec.stopSignal ?? 'SIGTERM');
    const isGone = await Promise.race([
      this.#finished.then(() => true),
      sleep(this.#spec.stopTimeoutMs, false, { ref: false }),
    ]);
    if (isGone) return;
    this.#surroundings.say(`${this.name} did not end within ${this.#spec.stopTimeoutMs / 1000} s and is killed`);
    this.kill();
    await this.#finished;
  }

  /** Kills the program at once. It is not started again. */
  kill(): void {
    this.#stopping.abort();
    if (this.#run !== null) killGroup(this.#run.process);
  }

  async #keepRunning(): Promise<void> {
    let delayMs = RESTART_DELAY_MIN_MS;
    let failedStarts = 0;
    while (!this.#stopping.signal.aborted) {
      const run = this.#start();
      void this.#announceReadiness(run);
      const ending = await run.exited;
      this.#run = null;
      if (this.#stopping.signal.aborted) break;

      const livedMs = performance.now() - run.startedAt;
      if (livedMs >= HEALTHY_AFTER_MS) delayMs = RESTART_DELAY_MIN_MS;
      failedStarts += 1;
      if (!this.#wasReady && failedStarts >= FAILED_STARTS_MAX) {
        this.#giveUp(`${this.name} ended ${failedStarts} times before it was ready (${ending})`);
        break;
      }
      this.#surroundings.say(`${this.name} ended (${ending}); starting it again in ${delayMs / 1000} s`);
      await sleep(delayMs, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
      delayMs = Math.min(delayMs * 2, RESTART_DELAY_MAX_MS);
    }
    this.#settled.reject(new HelpfulError(`${this.name} was stopped before it was ready`));
  }

  #start(): Run {
    const { command, args, env, uid, gid } = this.#spec;
    const child = spawn(command, args, {
      env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(uid === undefined ? {} : { uid }),
      ...(gid === undefined ? {} : { gid }),
    });
    if (child.pid !== undefined) this.#surroundings.onSpawn?.(this.name, child.pid);
    const printed: string[] = [];
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        if (printed.length < OUTPUT_REMEMBERED_LINES_MAX) printed.push(line);
        this.#take(line);
      });
    }
    const ended = new AbortController();
    const exited = endingOf(child).finally(() => {
      ended.abort();
      // What a wrapper script started would otherwise outlive it and hold the ports.
      killGroup(child);
    });
    const run: Run = {
      process: child,
      exited,
      ended,
      startedAt: performance.now(),
      hasPrinted: (text) => printed.some((line) => line.includes(text)),
    };
    this.#run = run;
    return run;
  }

  /** Ends when the run is ready or over; tells of the first readiness by `ready`, of later ones on the console. */
  async #announceReadiness(run: Run): Promise<void> {
    try {
      while (!run.ended.signal.aborted) {
        const isReady = await this.#spec.ready(run);
        if (run.ended.signal.aborted) return;
        const elapsedMs = performance.now() - run.startedAt;
        if (isReady) {
          this.#announce(elapsedMs, run.process.pid);
          return;
        }
        if (!this.#wasReady && elapsedMs > FIRST_READY_TIMEOUT_MS) {
          this.#giveUp(`${this.name} was not ready within ${FIRST_READY_TIMEOUT_MS / 1000} s`);
          return;
        }
        await sleep(PROBE_PAUSE_MS);
      }
    } catch (error) {
      if (this.#wasReady) {
        this.#surroundings.say(`${this.name}: ${error instanceof Error ? error.message : String(error)}`);
        return;
      }
      this.#settled.reject(error);
      this.kill();
    }
  }

  #announce(elapsedMs: number, pid: number | undefined): void {
    if (this.#wasReady) {
      this.#surroundings.say(`${this.name} is back (pid ${pid}) after ${(elapsedMs / 1000).toFixed(1)} s`);
    }
    this.#wasReady = true;
    this.#settled.resolve();
  }

  #giveUp(what: string): void {
    const lines = this.#lastLines.map((line) => `  ${line}`).join('\n');
    const where = `All of its output is in ${this.#surroundings.logPath}`;
    this.#settled.reject(new HelpfulError(`${what}. Its last lines:\n${lines || '  (none)'}\n${where}`));
    this.kill();
  }

  #take(line: string): void {
    this.#log.write(line);
    this.#lastLines.push(line);
    if (this.#lastLines.length > LAST_LINES_MAX) this.#lastLines.shift();
    if (this.#stopping.signal.aborted) return;
    const shown = this.#spec.toConsole?.(line) ?? null;
    if (shown !== null) this.#show(shown);
  }

  #show(line: string): void {
    const { name } = this.#spec;
    const now = performance.now();
    if (now - this.#consoleWindow.startedAt > CONSOLE_WINDOW_MS) this.#consoleWindow = { startedAt: now, lines: 0 };
    this.#consoleWindow.lines += 1;
    if (this.#consoleWindow.lines <= CONSOLE_LINES_MAX) this.#surroundings.say(`${name} | ${line}`);
    if (this.#consoleWindow.lines === CONSOLE_LINES_MAX) {
      this.#surroundings.say(`${name} | more in ${this.#surroundings.logPath}`);
    }
  }
}

/** Resolves with how the program ended, in words, after its last output was read (or it was never started). */
async function endingOf(child: ChildProcess): Promise<string> {
  const closed = new Promise((resolve) => child.once('close', resolve));
  const ending = await new Promise<string>((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(signal === null ? `exit code ${code}` : `signal ${signal}`));
  });
  // Not for long: a grandchild may hold the pipes open.
  await Promise.race([closed, sleep(200)]);
  return ending;
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // Nobody is left in the group.
  }
}
