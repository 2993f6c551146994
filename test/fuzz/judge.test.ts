import { describe, expect, test } from 'vitest';
import { testCards } from './body-mutations.ts';
import { operationsOf } from './document.ts';
import type { WireAnswer, WireRequest } from './exchange.ts';
import { createJudge } from './judge.ts';

const problem = {
  'application/problem+json': {
    schema: {
      type: 'object',
      properties: {
        type: { type: 'string' },
        status: { type: 'integer' },
        code: { type: 'string' },
        request_id: { type: 'string' },
        detail: { type: 'string' },
      },
      required: ['type', 'status', 'code', 'request_id'],
    },
  },
};
const refusals = {
  400: { description: '`invalid_header`: no', content: problem },
  401: { description: '`unauthorized`: no', content: problem },
  422: { description: '`validation_failed`: no', content: problem },
};
const thing = { $ref: '#/components/schemas/Thing' };
const operations = operationsOf({
  components: {
    schemas: {
      Thing: {
        type: 'object',
        properties: { id: { type: 'string' }, at: { type: ['string', 'null'], format: 'date-time' } },
        required: ['id', 'at'],
      },
    },
  },
  paths: {
    '/things': {
      get: {
        operationId: 'listThings',
        security: [{ apiKey: [] }, { accessToken: [] }],
        parameters: [{ in: 'query', name: 'limit', required: false, schema: { type: 'integer', maximum: 100 } }],
        responses: { 200: { description: 'fine', content: { 'application/json': { schema: thing } } }, ...refusals },
      },
      post: {
        operationId: 'createThing',
        requestBody: {
          content: {
            'application/json': {
              schema: {
                type: 'object',
                properties: { name: { type: 'string', maxLength: 3 } },
                required: ['name'],
                additionalProperties: false,
              },
            },
          },
        },
        responses: { 201: { description: 'made', content: { 'application/json': { schema: thing } } }, ...refusals },
      },
    },
    '/audit': {
      get: {
        operationId: 'listAudit',
        security: [{ operatorKey: [] }, { accessToken: [] }],
        responses: { 200: { description: 'fine', content: { 'application/json': { schema: thing } } }, ...refusals },
      },
    },
    '/page': {
      get: {
        operationId: 'getPage',
        responses: {
          200: { description: 'a page', content: { 'text/html': { schema: { type: 'string' } } } },
          303: { description: 'elsewhere', content: { 'text/html': { schema: { type: 'string' } } } },
        },
      },
    },
    '/things/{id}': {
      get: {
        operationId: 'getThing',
        responses: { 200: { description: 'fine', content: { 'application/json': { schema: thing } } }, ...refusals },
      },
    },
  },
});

const keys = { mine: 'key_mine', live: 'key_live', other: 'key_other', powerless: 'key_powerless', operator: 'key_op' };
const others = [{ id: 'thing_of_another' }];
const judge = createJudge(operations, { keys, valuesOf: () => ({ mine: [], live: [], others }) });

const good = { id: 'thing_1', at: '2026-11-21T12:00:00Z' };
const refusal = { type: 'urn:x:validation_failed', status: 422, code: 'validation_failed', request_id: 'req_1' };

interface Case {
  readonly request?: Partial<WireRequest>;
  readonly answer?: Omit<Partial<WireAnswer>, 'headers'> & { headers?: Record<string, string>; body?: unknown };
  readonly answers?: readonly number[];
}

function judged({ request, answer = {}, answers }: Case): string[] {
  const { headers = {}, body = good, status = 200, ...rest } = answer;
  const type = status < 400 ? 'application/json; charset=utf-8' : 'application/problem+json';
  return judge({
    mutation: { name: 'x', ...(answers && { answers }) },
    request: { method: 'GET', target: '/things', headers: [], body: null, ...request },
    answer: {
      status,
      headers: new Headers({ 'content-type': type, 'x-request-id': 'req_1', ...headers }),
      text: JSON.stringify(body),
      timeMs: 5,
      ...rest,
    },
  });
}

const refused = (changes: object = {}) => ({ status: 422, body: { ...refusal, ...changes } });
const ofStatus = (status: number, code = 'not_found', headers: Record<string, string> = {}) => ({
  status,
  headers,
  body: { ...refusal, type: `urn:x:${code}`, status, code },
});
const aPage = (status = 200, location?: string) => ({
  status,
  headers: { 'content-type': 'text/html; charset=utf-8', ...(location === undefined ? {} : { location }) },
  text: '<!doctype html>',
});
const post = (body: string) => ({ method: 'POST', body: Buffer.from(body) });

describe('the judge of answers', () => {
  test.each<[string, Case]>([
    ['a documented success', {}],
    ['a documented refusal', { answer: refused() }],
    ['a success with a slash at the end', { request: { target: '/things/?limit=5' } }],
    ['a body that was allowed', { request: post('{"name":"abc"}'), answer: { status: 201 } }],
    ['a page', { request: { target: '/page' }, answer: aPage() }],
    ['a way to somewhere else', { request: { target: '/page' }, answer: aPage(303, 'https://shop.test/thanks') }],
    [
      "another merchant's id for an operator",
      { request: { target: '/audit' }, answer: { body: { ...good, id: 'thing_of_another' } } },
    ],
    ['HEAD without a body', { request: { method: 'HEAD' }, answer: { text: '' } }],
    ['404 where there is nothing', { request: { target: '/nothing' }, answer: ofStatus(404) }],
    ['404 for a URL that is none', { request: { target: 'http://[/things' }, answer: ofStatus(404) }],
    ['a success for a whole URL', { request: { target: 'http://api.test/things' } }],
    [
      '405 with the methods that there are',
      { request: { method: 'PUT' }, answer: ofStatus(405, 'method_not_allowed', { allow: 'POST, GET' }) },
    ],
    [
      'what is no HTTP, without an id',
      {
        answer: {
          status: 400,
          headers: { 'x-request-id': '' },
          body: { type: 'urn:x:invalid_header', status: 400, code: 'invalid_header', request_id: 'none' },
        },
      },
    ],
  ])('accepts %s', (_name, one) => {
    expect(judged(one)).toEqual([]);
  });

  test.each<[string, Case, RegExp]>([
    ['500', { answer: ofStatus(500, 'internal_error') }, /answered 500, and nothing is down/],
    ['503', { answer: ofStatus(503, 'unavailable') }, /answered 503/],
    ['a status that is not documented', { answer: { status: 202 } }, /answered 202, which is not documented/],
    ['a status that this damage may not have', { answers: [401] }, /answered 200, expected 401/],
    ['a success where there is nothing', { request: { target: '/nothing' } }, /nothing at this path/],
    ['a success of a method that is not there', { request: { method: 'PUT' } }, /no such method/],
    [
      '405 that names other methods',
      { request: { method: 'PUT' }, answer: ofStatus(405, 'method_not_allowed', { allow: 'GET' }) },
      /allows "GET"/,
    ],
    ['another media type', { answer: { headers: { 'content-type': 'text/html' } } }, /sent "text\/html"/],
    ['a problem as plain JSON', { answer: { ...refused(), headers: { 'content-type': 'application/json' } } }, /sent/],
    ['a body that is no JSON', { answer: { text: '{' } }, /not JSON/],
    ['a missing member', { answer: { body: { id: 'x' } } }, /must have required property 'at'/],
    ['a wrong format', { answer: { body: { ...good, at: 'noon' } } }, /must match format/],
    ['a member that nobody documented', { answer: { body: { ...good, card_token: 'x' } } }, /additional properties/],
    ['a body for HEAD', { request: { method: 'HEAD' } }, /HEAD with a body/],
    ['a problem of another status', { answer: refused({ status: 400 }) }, /says 400 in an answer with 422/],
    ['a type that does not name the code', { answer: refused({ type: 'about:blank' }) }, /does not name the code/],
    [
      'a code that is not documented there',
      { answer: refused({ code: 'x', type: 'urn:x' }) },
      /not documented for 422/,
    ],
    ['another request id', { answer: refused({ request_id: 'req_2' }) }, /is not X-Request-Id/],
    ['no request id', { answer: { headers: { 'x-request-id': '' } } }, /no X-Request-Id/],
    ['401 without a challenge', { answer: ofStatus(401, 'unauthorized') }, /WWW-Authenticate/],
    ['a way to nowhere', { request: { target: '/page' }, answer: aPage(303) }, /303 to nowhere/],
    ['a page where none is documented', { answer: aPage() }, /sent "text\/html"/],
    ['a slow answer', { answer: { timeMs: 5_001 } }, /took 5001 ms/],
    ['a card number', { answer: { body: { ...good, id: `card ${testCards[0]}` } } }, /repeats a card number/],
    ['a key', { answer: { body: { ...good, id: keys.mine } } }, /or a key/],
    ["another merchant's id", { answer: { body: { ...good, id: 'thing_of_another' } } }, /of another merchant/],
    ['a stack', { answer: refused({ detail: 'x\n    at serve (/srv/api/app.ts:5:1)' }) }, /internals/],
    ['SQL', { answer: refused({ detail: 'SELECT id FROM payments' }) }, /internals/],
    ['a body that was not allowed', { request: post('{"name":"abcd"}'), answer: { status: 201 } }, /forbids: \/name/],
    ['a body that nobody can read', { request: post('{'), answer: { status: 201 } }, /document forbids/],
    ['a parameter that is not allowed', { request: { target: '/things?limit=101' } }, /forbids: \?limit/],
    ['a parameter that is not known', { request: { target: '/things?x=1' } }, /\?x is not known/],
  ])('sees %s', (_name, one, complaint) => {
    expect(judged(one).join('\n')).toMatch(complaint);
  });
});
