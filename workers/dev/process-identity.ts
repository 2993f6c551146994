import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/**
 * A text that stays the same while the process `pid` lives and that no later process with the same pid has:
 * when it was started. Null when there is no such process, or only its remains (a zombie).
 */
export function processIdentity(pid: number): string | null {
  try {
    return process.platform === 'linux' ? identityFromProc(pid) : identityFromPs(pid);
  } catch {
    return null;
  }
}

function identityFromProc(pid: number): string | null {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // proc(5): the second field, the name in parentheses, may hold blanks; state is field 3, start time field 22.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state] = fields;
  const startedTicks = fields[19];
  if (state === 'Z' || state === 'X' || startedTicks === undefined) return null;
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  return `${boot} ${startedTicks}`;
}

function identityFromPs(pid: number): string | null {
  const line = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' },
    stdio: ['ignore', 'pipe', 'ignore'],
  }).trim();
  const [state = '', ...started] = line.split(/\s+/);
  return line === '' || state.startsWith('Z') ? null : started.join(' ');
}
