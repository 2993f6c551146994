import type { Batch } from './batch-calls.ts';

/** Where progress is shown: a terminal gets a bar that moves, anything else a line now and then. */
export interface Screen {
  readonly isTTY: boolean;
  readonly columns: number;
  write(text: string): void;
}

const barLength = 30;
const lineEveryMs = 5_000;

/** Shows how far a batch is, whenever it is told; `end` leaves the last word standing. */
export function createBatchProgress(screen: Screen, now: () => number = () => performance.now()) {
  const startedAt = now();
  let first: number | null = null;
  let saidAt = Number.NEGATIVE_INFINITY;
  return {
    show(batch: Batch): void {
      const done = batch.rows.total - batch.rows.staged;
      first ??= done;
      const seconds = (now() - startedAt) / 1_000;
      const text = lineOf(batch, done, seconds > 1 ? (done - first) / seconds : 0);
      if (screen.isTTY)
        screen.write(`\r\u001b[K${`${barOf(done, batch.rows.total)} ${text}`.slice(0, screen.columns - 1)}`);
      else if (now() - saidAt >= lineEveryMs) {
        screen.write(`${text}\n`);
        saidAt = now();
      }
    },
    end(): void {
      if (screen.isTTY) screen.write('\n');
    },
  };
}

function barOf(done: number, total: number): string {
  const filled = total === 0 ? barLength : Math.floor((done / total) * barLength);
  return `[${'#'.repeat(filled)}${'.'.repeat(barLength - filled)}]`;
}

function lineOf({ status, rows }: Batch, done: number, rate: number): string {
  const percent = rows.total === 0 ? 100 : Math.floor((done / rows.total) * 100);
  const others = (['existing', 'refused', 'canceled'] as const).filter((state) => rows[state] > 0);
  const shown = others.map((state) => `, ${rows[state]} ${state}`).join('');
  return `${percent} % · ${done} of ${rows.total}${shown} · ${rate.toFixed(0)}/s · ${status}`;
}
