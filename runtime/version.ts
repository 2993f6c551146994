import { readFileSync } from 'node:fs';
import { z } from 'zod';

const file = readFileSync(new URL('../package.json', import.meta.url), 'utf8');

/** What runs here, as `package.json` says. */
export const product = z.object({ name: z.string(), version: z.string() }).parse(JSON.parse(file));
