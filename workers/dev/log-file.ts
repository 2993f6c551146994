import { closeSync, mkdirSync, openSync, renameSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

const BYTES_MAX = 50 * 1024 * 1024;

/** A file that lines are appended to. */
export type LogFile = { write: (line: string) => void; close: () => void };

/**
 * Opens a log file for appending and makes its folder. A full one (50 MB) becomes `<path>.1`, in place of the one
 * before, so that a machine left running does not fill its disk.
 */
export function openLogFile(path: string, bytesMax = BYTES_MAX): LogFile {
  mkdirSync(dirname(path), { recursive: true });
  let file = openSync(path, 'a', 0o600);
  let bytes = statSync(path).size;
  return {
    write(line) {
      if (bytes >= bytesMax) {
        closeSync(file);
        renameSync(path, `${path}.1`);
        file = openSync(path, 'a', 0o600);
        bytes = 0;
      }
      bytes += writeSync(file, `${line}\n`);
    },
    close: () => closeSync(file),
  };
}
