import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Problem, type ProblemCode, problemCatalogue } from '../../api/errors.ts';
import { answerProblems } from '../../api/middleware/answer-problems.ts';
import { createLogger } from '../../runtime/logger.ts';

const codes = Object.keys(problemCatalogue) as ProblemCode[];
const isUnauthorized = (code: ProblemCode) => problemCatalogue[code].status === 401;

const app = express();
for (const code of codes) app.get(`/${code}`, (_request, _response, next) => next(new Problem(code)));
app.get('/own', (_request, _response, next) =>
  next(new Problem('event_refused', { headers: { 'WWW-Authenticate': 'Signature' } })),
);
app.use(answerProblems(createLogger('api', 'silent')));
const server = createServer(app);
beforeAll(() => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)));
afterAll(() => void server.close());

async function challengeOf(path: string): Promise<string | null> {
  const { port } = server.address() as AddressInfo;
  const { headers } = await fetch(`http://127.0.0.1:${port}/${path}`);
  return headers.get('www-authenticate');
}

const ended = new Set<ProblemCode>(['token_expired', 'token_revoked', 'api_key_expired', 'api_key_revoked']);

test.each(codes.filter(isUnauthorized))('%s says how to prove who calls', async (code) => {
  expect(await challengeOf(code)).toBe(ended.has(code) ? 'Bearer error="invalid_token"' : 'Bearer');
});

test.each(codes.filter((code) => !isUnauthorized(code)))('%s challenges nobody', async (code) => {
  expect(await challengeOf(code)).toBeNull();
});

test('a problem with a challenge of its own keeps it', async () => {
  expect(await challengeOf('own')).toBe('Signature');
});
