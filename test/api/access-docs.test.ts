import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import {
  isPlatformPermission,
  keyPermissions,
  merchantRoles,
  permissions,
  platformRoles,
} from '../../api/permissions.ts';
import type { PaymentSubmission, Submitted } from '../../api/temporal/payment-client.ts';
import { recordTransition } from '../../prisma/transitions.ts';
import { aTransition, canceling } from '../prisma/steps.ts';
import { acceptAtOnce } from '../support/accept-at-once.ts';
import { apiUnderTest } from '../support/api-under-test.ts';

const root = join(import.meta.dirname, '../..');
const page = readFileSync(join(root, 'docs/access.md'), 'utf8');
const apiKeyPepper = randomBytes(32).toString('hex');

/** Ends each payment at once, so that nobody waits for its outcome. */
async function submit(payment: PaymentSubmission): Promise<Submitted> {
  const accepted = await acceptAtOnce(database, payment);
  const { merchantId } = payment;
  await recordTransition(database.db, aTransition(accepted, { ...canceling, merchantId }));
  return { kind: 'stored' };
}
const { database, api } = apiUnderTest({ payments: { submit }, apiKeyPepper });

describe('docs/access.md', () => {
  test.each([
    ['merchants', false, { ...merchantRoles, keys: keyPermissions }],
    ['the platform', true, platformRoles],
  ])(
    'says of %s what each role may do, as the code has it',
    (_whose, isPlatform, roles: Record<string, readonly string[]>) => {
      const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
      const names = Object.entries(permissions).filter(([name]) => isPlatformPermission(name) === isPlatform);
      const table = [
        row(['permission', 'allows to', ...Object.keys(roles).map((name) => `\`${name}\``)]),
        row(['---', '---', ...Object.keys(roles).map(() => ':-:')]),
        ...names.map(([name, meaning]) =>
          row([`\`${name}\``, meaning, ...Object.values(roles).map((role) => (role.includes(name) ? '✓' : ''))]),
        ),
      ];
      expect(page.split('\n')).toEqual(expect.arrayContaining(table));
      expect(page).toContain(table.join('\n'));
    },
  );

  test('has commands that lead from nothing to a payment, and to all that follows', async () => {
    const blocks = [...page.matchAll(/```sh\n([\s\S]*?)```/g)].map((match) => match[1] ?? '');
    const commands = blocks
      .join('\n')
      .replaceAll('curl -sS', 'curl -sS --fail-with-body --max-time 60')
      .replaceAll('http://127.0.0.1:3000', api.url);
    expect(commands.match(/curl/g)?.length).toBeGreaterThan(10);
    const env = { ...process.env, DATABASE_URL: database.url, API_KEY_PEPPER: apiKeyPepper };
    const { stdout } = await promisify(execFile)('bash', ['-c', `set -euo pipefail\n${commands}`], { cwd: root, env });
    const merchant = (await database.db.prisma.merchant.findMany()).find(({ name }) => name === 'Bookshop');
    expect(merchant).toMatchObject({ status: 'active' });
    expect(stdout).toContain('"customer_email":"payer@example.com"');
    expect(stdout).toContain('"status":"suspended"');
    expect(stdout, 'the first key').toContain('"status":"revoked"');
    expect(stdout, 'the customer').toContain('"status":"blanked"');
    expect(stdout, 'the settings').toContain('"expires_after":600');
    expect(stdout, 'who was invited').toContain('"role":"developer"');
    expect(stdout, 'who one is').toContain('"mode":"live","role":"owner"');
    expect(stdout, 'what one may').toContain('"permissions":{"merchant:write":true,"merchants:write":false}');
    expect(stdout, 'the token of a key').toMatch(/"active":true,"subject":"key_\w+"/);
    const sessions = await database.db.prisma.authSession.findMany({ orderBy: { createdAt: 'asc' } });
    expect(sessions.map(({ isTest, revokedReason }) => [isTest, revokedReason])).toEqual([
      [true, null],
      [false, 'revoked'],
      [true, null],
    ]);
    const payments = await database.db.prisma.payment.findMany({ where: { merchantId: merchant?.id ?? '' } });
    expect(payments).toMatchObject([{ isTest: true, customerEmail: null, customerName: null }]);
    const keys = await database.db.prisma.apiKey.findMany({ orderBy: { createdAt: 'asc' } });
    expect(keys.map(({ status }) => status)).toEqual(['revoked', 'active']);
  }, 60_000);
});
