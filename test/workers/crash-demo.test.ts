import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { writeDevFile } from '../../workers/dev/state.ts';
import { until } from '../support/until.ts';

const program = join(import.meta.dirname, '../../workers/crash-demo.ts');

let dataDir: string;
let server: Server;
let onAttemptsAsked = () => {};
const children: ChildProcess[] = [];
beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'demo-'));
  server = createServer((request, response) => {
    if (request.url?.endsWith('/attempts')) onAttemptsAsked();
    response.end(JSON.stringify(installationSays(request.url ?? '')));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  server.closeAllConnections();
  server.close();
  rmSync(dataDir, { recursive: true });
});

/** An installation whose charge is on its way and will be captured with one movement. */
function installationSays(path: string): object {
  if (path.includes('/bank/movements')) return { movements: [{ kind: 'charge' }] };
  if (path.endsWith('/attempts')) return { data: [{ state: 'sent' }] };
  return { data: { id: 'pay_1', status: 'captured', amount: '25.99' } };
}

function publish(worker: number | undefined): void {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a TCP server has a port');
  const url = `http://127.0.0.1:${address.port}`;
  const addresses = { api: url, docs: url, temporal_ui: null, temporal_address: '', simulators: url };
  const secrets = {
    database_url: '',
    migration_database_url: '',
    merchant_id: 'mer_1',
    api_key: 'k',
    operator_key: 'o',
  };
  writeDevFile(dataDir, { ...addresses, ...secrets, pids: worker === undefined ? {} : { worker } });
}

/** A process that stands for a worker. */
async function aProcess(): Promise<{ process: ChildProcess; pid: number }> {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)']);
  children.push(child);
  await once(child, 'spawn');
  if (child.pid === undefined) throw new Error('a process that was spawned has a pid');
  return { process: child, pid: child.pid };
}

test('kills the worker that runs when the charge is on its way, and goes on when another one runs', async () => {
  const [before, running] = [await aProcess(), await aProcess()];
  publish(before.pid);
  onAttemptsAsked = () => publish(running.pid);
  const demo = spawn(process.execPath, [program], { env: { ...process.env, DATA_DIR: dataDir } });
  children.push(demo);
  let said = '';
  for (const stream of [demo.stdout, demo.stderr]) stream.on('data', (part) => (said += String(part)));
  const goesOn = (withinMs?: number) =>
    until('it goes on', () => said.includes('a new worker is there'), withinMs === undefined ? {} : { withinMs });

  await until('a worker is dead', () => running.process.signalCode ?? before.process.signalCode);
  expect([before.process.signalCode, running.process.signalCode]).toEqual([null, 'SIGKILL']);

  publish(undefined);
  await expect(goesOn(500), 'without a worker').rejects.toThrow('in vain');
  before.process.kill('SIGKILL');
  await once(before.process, 'exit');
  publish(before.pid);
  await expect(goesOn(500), 'with one that is dead').rejects.toThrow('in vain');
  publish(process.pid);
  await goesOn();
  const [code] = demo.exitCode === null ? await once(demo, 'exit') : [demo.exitCode];
  expect([code, said]).toEqual([0, expect.stringContaining('charged once.')]);
});
