import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import type { ChildSpec } from '../../workers/dev/supervisor.ts';
import { until } from './until.ts';

/** One program of a test's world, which the test starts, kills, pauses and resumes by itself: nothing restarts it. */
export interface TestProcess {
  readonly pid: number;
  readonly isRunning: boolean;
  start(): Promise<void>;
  /** `kill -9`; ends when the process is gone. */
  kill(): Promise<void>;
  /** As a supervisor stops it; ends when the process is gone. */
  stop(): Promise<void>;
  pause(): void;
  resume(): void;
  /** What it printed since the world began. */
  output(): string;
}

const running = new Set<ChildProcess>();
/** A test that ends badly must not leave its programs behind. */
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Describes a program; `start` runs it and waits until it is ready. */
export function testProcess(spec: ChildSpec, logPath: string): TestProcess {
  let child: ChildProcess | null = null;
  let exited: Promise<void> = Promise.resolve();

  const signal = (name: NodeJS.Signals) => {
    if (child?.pid === undefined) throw new Error(`${spec.name} does not run`);
    child.kill(name);
  };
  const output = () => readFileSync(logPath, 'utf8');

  return {
    get pid() {
      if (child?.pid === undefined) throw new Error(`${spec.name} does not run`);
      return child.pid;
    },
    get isRunning() {
      return child !== null;
    },
    async start() {
      if (child !== null) throw new Error(`${spec.name} runs already`);
      const log = openSync(logPath, 'a');
      const from = output().length;
      const started = spawn(spec.command, spec.args, {
        env: spec.env,
        stdio: ['ignore', log, log],
        ...(spec.uid === undefined ? {} : { uid: spec.uid }),
        ...(spec.gid === undefined ? {} : { gid: spec.gid }),
      });
      closeSync(log);
      child = started;
      running.add(started);
      exited = new Promise((resolve) => {
        started.once('exit', () => {
          child = null;
          running.delete(started);
          resolve();
        });
      });
      const run = { hasPrinted: (text: string) => output().slice(from).includes(text) };
      await until(`${spec.name} is ready`, async () => {
        if (child === null) throw new Error(`${spec.name} ended at its start:\n${output().slice(from).slice(-2000)}`);
        return spec.ready(run);
      });
    },
    async kill() {
      signal('SIGKILL');
      await exited;
    },
    async stop() {
      signal(spec.stopSignal ?? 'SIGTERM');
      await exited;
    },
    pause: () => signal('SIGSTOP'),
    resume: () => signal('SIGCONT'),
    output,
  };
}
