import { readFile, writeFile } from 'node:fs/promises';
import { openApiDocument } from '../api/openapi.ts';
import { routes } from '../api/routes/index.ts';

/** Writes `openapi.json`, the checked-in document of the API; with `--check` only says whether it is up to date. */
const path = new URL('../openapi.json', import.meta.url);
const text = `${JSON.stringify(openApiDocument(routes), null, 2)}\n`;

if (!process.argv.includes('--check')) {
  await writeFile(path, text);
} else if ((await readFile(path, 'utf8').catch(() => '')) !== text) {
  process.stderr.write(
    'openapi.json is not what the routes declare. Run `node workers/write-openapi.ts` and commit it.\n',
  );
  process.exitCode = 1;
}
