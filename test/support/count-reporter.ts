import type { Reporter, TestModule } from 'vitest/node';

/**
 * Closes a run with one plain line that any program can read, and lets no skipped test pass in silence: where `CI` is
 * set, a skip fails the run.
 */
export default class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const count = { passed: 0, failed: 0, skipped: 0, pending: 0 };
    for (const module of modules) {
      for (const test of module.children.allTests()) count[test.result().state] += 1;
    }
    const skipped = count.skipped + count.pending;
    if (skipped > 0) process.stdout.write(`\n${skipped} test(s) were skipped: what they promise was not shown.\n`);
    process.stdout.write(`\n${count.passed} passed, ${count.failed} failed, ${skipped} skipped\n`);
    if (skipped > 0 && process.env['CI'] !== undefined) process.exitCode = 1;
  }
}
