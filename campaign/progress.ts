const tellEveryMs = 5_000;

/** Prints a line. */
export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Says every few seconds how far a run is, how fast it goes and what it found so far. */
export function createProgress(planned: number): (done: number, findings: number) => void {
  const started = performance.now();
  let toldAt = started;
  return (done, findings) => {
    const now = performance.now();
    if (now - toldAt < tellEveryMs && done < planned) return;
    toldAt = now;
    const rate = done / ((now - started) / 1_000);
    say(`${done} of ${planned}, ${rate.toFixed(0)}/s, ${findings} finding(s)`);
  };
}
