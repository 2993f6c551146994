import { describe, expect, test } from 'vitest';
import { scrub } from '../../runtime/scrub.ts';

const long = 100_000;

describe('a long text', () => {
  test.each([
    ['word characters', 'a'],
    ['dots and words', 'a.'],
    ['addresses without an end', 'a@'],
    ['a domain without an end', `x@${'a.'.repeat(long / 2)}`],
    ['digits', '4'],
    ['digits in groups', '4242 '],
    ['addresses of hosts', '://a'],
    ['schemes', 'Bearer '],
    ['tokens', 'tok_'],
    ['beginnings of JWTs', 'eyJ-'],
    ['dots of a JWT', 'eyJabcdefgh.'],
    ['spaces', ' '],
  ])('of %s is scrubbed in no time, ten times', (_, unit) => {
    const text = unit.repeat(Math.ceil(long / unit.length));
    const startedAt = performance.now();
    for (let times = 0; times < 10; times++) scrub(text);
    expect(performance.now() - startedAt).toBeLessThan(1_000);
  });

  test('is cut to a few kilobytes, and says that it was', () => {
    const clean = scrub('word '.repeat(long / 5));
    expect(clean.length).toBeLessThan(5_000);
    expect(clean).toMatch(/^word word .*…$/);
    expect(scrub('word '.repeat(100))).toBe('word '.repeat(100));
  });

  test.each(['ada.lovelace@example.com', '4242 4242 4242 4242', 'smtp://mailer:hunter2@mail.example.com'])(
    'shows no part of %s, wherever it is cut',
    (secret) => {
      for (const cut of [4_096, 16_384]) {
        for (let before = 0; before < secret.length + 12; before += 3) {
          const clean = scrub(`${' '.repeat(cut - before)}${secret}${' '.repeat(20_000)}`);
          expect(clean).not.toMatch(/ada|4242|hunter2/);
        }
      }
    },
  );
});

test.each([
  ['a key', `po_test_${'0'.repeat(16)}_${'1'.repeat(38)}`],
  ['a refresh token', `por_${'1'.repeat(58)}`],
  ['a secret to sign with', `pos_${'1'.repeat(52)}`],
  ['an invitation', `poi_${'1'.repeat(32)}`],
  ['an access token', `eyJhbGciOiJFZERTQSJ9.${'1'.repeat(60)}.${'1'.repeat(86)}`],
  ['an access token without its signature', `eyJhbGciOiJFZERTQSJ9.${'1'.repeat(60)}`],
])('%s is removed, wherever it stands, and the rest stays', (_name, secret) => {
  for (const text of [`before ${secret} behind`, `before "${secret}" behind`, `before (${secret}): behind`]) {
    expect(scrub(text)).not.toContain('111111');
    expect(scrub(text)).toMatch(/^before .?.?\[removed\].* behind$/);
  }
});
