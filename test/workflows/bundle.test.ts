import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { workflowBundlePath } from '../../workers/workflow-bundle.ts';

test('the workflows bundle without anything of Node, without zod, without a calendar, and small', async () => {
  const code = await readFile(await workflowBundlePath(), 'utf8');
  const modules = [...code.matchAll(/!\*\*\* (\.\/[^ ]+) \*\*\*!/g)].map((match) => match[1] ?? '');
  expect(modules).toContain('./workflows/payment.ts');
  expect(
    modules.filter((name) => /node_modules\/(zod|pg|undici|@prisma|express|temporal-polyfill)\//.test(name)),
  ).toEqual([]);
  expect(
    modules.filter((name) => /^\.\/(activities|prisma|api|workers|workflows\/domain\/billing)\//.test(name)),
  ).toEqual([]);
  expect(code).not.toMatch(/require\("node:|external "node:/);
  expect(code.length).toBeLessThan(3_000_000);
});
