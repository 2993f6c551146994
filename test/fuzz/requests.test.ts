import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { easypaySignature } from '../support/easypay-event.ts';
import { curlOf } from './curl.ts';
import { operationsOf } from './document.ts';
import { validDrafts, wireRequestOf } from './draft.ts';
import { withEventBody } from './event.ts';
import type { Ground } from './ground.ts';
import { mutationsOf } from './mutations.ts';
import { createValidators } from './schemas.ts';

const operations = operationsOf(JSON.parse(readFileSync(new URL('../../openapi.json', import.meta.url), 'utf8'))).map(
  withEventBody,
);
const valuesIn = (path: string, value: string) =>
  Object.fromEntries([...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => [name, value]));
const ground: Ground = {
  apiUrl: 'http://127.0.0.1:1',
  keys: {
    mine: 'key_mine',
    live: 'key_live',
    other: 'key_other',
    powerless: 'key_powerless',
    operator: 'key_operator',
  },
  eventSecret: 'secret',
  hints: {},
  hintsOf: () => ({}),
  valuesOf: (path) => ({
    mine: [valuesIn(path, 'pay_mine')],
    live: [valuesIn(path, 'pay_live')],
    others: [valuesIn(path, 'pay_other')],
  }),
  cursors: new Map(operations.map(({ id }) => [id, ['cursor']])),
  otherCursors: new Map(),
};
const validatorOf = createValidators('json');

describe.each(operations)('requests for $id', (operation) => {
  test('fit the document as long as nothing is spoiled', () => {
    const fits = fc.property(validDrafts(operation, ground), ({ body, pathParameters }) => {
      if (operation.body !== null) expect(validatorOf(operation.body)(body)).toEqual([]);
      for (const name of Object.keys(pathParameters)) expect(pathParameters[name]).toBe('pay_mine');
    });
    fc.assert(fits, { numRuns: 50 });
  });

  test('are spoiled in every way that fits, the same for the same seed and moment', () => {
    vi.useFakeTimers({ toFake: ['Date'] }); // events are signed with the time
    onTestFinished(() => void vi.useRealTimers());
    const mutations = mutationsOf(operation, ground);
    expect(mutations.length).toBeGreaterThan(10);
    for (const mutation of mutations) {
      const requests = validDrafts(operation, ground)
        .chain((draft) => mutation.change(draft, operation, ground))
        .map((draft) => wireRequestOf(draft, operation, ground));
      const draw = () => fc.sample(requests, { seed: 5, numRuns: 10 });
      const drawn = draw();
      expect(draw()).toEqual(drawn);
      for (const request of drawn) {
        const line = curlOf(request, ground);
        expect(line).toMatch(/^curl [\x20-\x7e]*$/);
        for (const key of Object.values(ground.keys)) expect(line).not.toContain(key);
      }
    }
  });
});

test('bytes that prove themselves are sent with the signature of EasyPay over them', () => {
  const receiving = operations.find(({ takesBytes }) => takesBytes);
  if (receiving === undefined) throw new Error('no operation takes bytes');
  for (const draft of fc.sample(validDrafts(receiving, ground), 10)) {
    const { headers, body } = wireRequestOf(draft, receiving, ground);
    const sent = new Map(headers).get('easypay-signature') ?? '';
    const at = Number(/^t=(\d+),/.exec(sent)?.[1]);
    expect(sent).toBe(easypaySignature(ground.eventSecret, body?.toString() ?? '', at));
  }
});

test('a line for the shell shows what was sent, without the key', () => {
  const request = {
    method: 'POST',
    target: "/api/v1/payments?x='",
    headers: [
      ['authorization', 'Bearer key_mine'],
      ['content-type', ''],
      ['content-length', '7'],
    ],
    body: Buffer.from('{"é":0}'),
  } as const;
  expect(curlOf(request, ground)).toBe(
    `curl -sS -i --path-as-is -X POST -H 'Host:' -H 'authorization: Bearer '"$API_KEY" -H 'content-type;' -H 'content-length: 7'` +
      ` --data-binary $'{"\\xc3\\xa9":0}' "$API_URL"'/api/v1/payments?x='\\'''`,
  );
});
