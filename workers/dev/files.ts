import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';

/** Writes the value as JSON so that a reader sees the old file or the new one, never a part. Mode 0600. */
export function writeJsonAtomically(path: string, value: unknown): void {
  const unfinished = `${path}.${process.pid}.tmp`;
  writeFileSync(unfinished, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 });
  try {
    renameSync(unfinished, path);
  } catch (error) {
    rmSync(unfinished, { force: true });
    throw error;
  }
}

/** The text of a file, or null when there is none; throws for any other reason. */
export function readTextIfPresent(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}
