import fc from 'fast-check';
import { testCards } from './body-mutations.ts';
import type { Operation, Parameter } from './document.ts';
import type { Ground, PathValues } from './ground.ts';
import type { Mutation } from './mutation.ts';

const inQuery = ({ parameters }: Operation): Parameter[] => parameters.filter((one) => one.in === 'query');
const inPath = ({ parameters }: Operation): Parameter[] => parameters.filter((one) => one.in === 'path');
const hasCursor = (operation: Operation) => inQuery(operation).some(({ name }) => name === 'cursor');
const always = () => true;

const oddTexts = [
  ['', ' ', '0', '-1', '101', '1e2', '1.5', '٣', '9'.repeat(21), 'null', 'true', 'TRUE', ',', 'captured,'],
  ['\0', '\ud800', 'a\r\nb', '%', "' OR 1=1--", 'x'.repeat(101), 'x'.repeat(5_000), testCards[0]],
  ['2026-01-31', '2026-02-30T00:00:00Z', '0000-01-01T00:00:00Z', '2026-01-31T23:59:59+99:00', '2026-01-31T24:00:00Z'],
  ['+275760-09-13T00:00:00Z', '2026-01-31T23:59:60Z', '2026-01-31T00:00:00.000000001Z', '9999-12-31T23:59:59-14:00'],
].flat();

const oddValues = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...oddTexts) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary' }) },
);

/** A mutation of the path's parameters: `find` says which values to take. */
function ofPath(
  name: string,
  find: (operation: Operation, ground: Ground) => readonly PathValues[],
  answers: number[],
): Mutation {
  return {
    name,
    fits: (operation, ground) => inPath(operation).length > 0 && find(operation, ground).length > 0,
    change: (draft, operation, ground) =>
      fc
        .constantFrom(...find(operation, ground))
        .map((values) => ({ ...draft, pathParameters: { ...draft.pathParameters, ...values } })),
    answers,
  };
}

const strangeIds = [
  [
    '42',
    '0',
    '-1',
    ' ',
    '.',
    '..',
    '../..',
    'a/b',
    '%2e%2e',
    '\0',
    '\n',
    'é',
    '🙂',
    '\ud800',
    "' OR 1=1--",
    '{id}',
    ':id',
  ],
  [
    '*',
    'null',
    'undefined',
    'constructor',
    '__proto__',
    'pay_',
    'PAY_',
    'x'.repeat(200),
    'x'.repeat(8_000),
    'a?b',
    'a#b',
  ],
  [testCards[0]],
].flat();

/** A mutation of the target as a whole. */
function ofTarget(
  name: string,
  targets: (path: string, operation: Operation, ground: Ground) => readonly string[],
): Mutation {
  return {
    name,
    fits: always,
    change: (draft, operation, ground) => {
      const path = operation.path.replaceAll(
        /\{(\w+)\}/g,
        (_all, parameter: string) => draft.pathParameters[parameter] ?? 'x',
      );
      return fc.constantFrom(...targets(path, operation, ground)).map((target) => ({ ...draft, target }));
    },
  };
}

/** What can be wrong with a request's line: method, path and query. */
export const addressMutations: readonly Mutation[] = [
  {
    name: 'another method',
    fits: always,
    change: (draft) =>
      fc
        .constantFrom('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND', 'PURGE', 'QUERY')
        .map((method) => ({ ...draft, method })),
  },
  {
    name: 'an unknown parameter',
    fits: always,
    change: (draft) =>
      fc
        .tuple(
          fc.constantFrom('x', '', 'expand', '__proto__', 'constructor', 'limit[]', 'Limit', 'a'.repeat(3_000), '\0'),
          oddValues,
        )
        .map(([name, value]) => ({ ...draft, query: [...draft.query, [name, value] as const] })),
    answers: [422],
  },
  {
    name: 'a parameter twice',
    fits: (operation) => inQuery(operation).length > 0,
    change: (draft, operation) =>
      fc
        .tuple(fc.constantFrom(...inQuery(operation)), oddValues)
        .map(([{ name }, value]) => ({ ...draft, query: [[name, value] as const, [name, value] as const] })),
    answers: [422],
  },
  {
    name: 'odd values of parameters',
    fits: (operation) => inQuery(operation).length > 0,
    weight: (operation) => Math.ceil(inQuery(operation).length / 3),
    change: (draft, operation) =>
      fc
        .array(fc.tuple(fc.constantFrom(...inQuery(operation)), oddValues), { minLength: 1, maxLength: 3 })
        .map((odd) => ({
          ...draft,
          query: [...new Map(odd.map(([{ name }, value]) => [name, value]))],
        })),
  },
  {
    name: 'a cursor that is none',
    fits: hasCursor,
    change: (draft, operation, ground) =>
      badCursors(operation, ground).map((cursor) => ({ ...draft, query: [['cursor', cursor] as const] })),
    answers: [422],
  },
  ofTarget('a query that nobody can read', (path) =>
    [
      '?',
      '?&&&',
      '?=',
      '?==',
      '?%ZZ=1',
      '?a[]=1&a[b]=2',
      '?a=1;b=2',
      '?%00',
      '?\u00e9',
      '?limit',
      '?&limit=5&',
      '??limit=5',
      '?a&a&a',
    ].map((query) => `${path}${query}`),
  ),
  ofPath("another merchant's id", (operation, ground) => ground.valuesOf(operation.path).others, [404, 422]),
  ofPath('an id of the other mode', (operation, ground) => ground.valuesOf(operation.path).live, [404, 422]),
  ofPath("nobody's id", (operation, ground) => nearly(ground.valuesOf(operation.path).mine), [404, 422]),
  ofPath('an id that is none', strangeValues, [400, 404, 422]),
  ofTarget('a path trick', (path, _operation, { apiUrl }) =>
    [
      [`${path}/`, `${path}//`, `/${path}`, path.toUpperCase(), `${path}/..`, `${path}/.`, `/.${path}`, `${path}/x`],
      [
        `${path};x=1`,
        `${path}%2f`,
        `${path}%00`,
        `${path}.json`,
        `${path}%20`,
        `${path}\\`,
        `${path}#x`,
        `${path}\u00e9`,
      ],
      [
        path.replace('/api/v1', '/api/v2'),
        path.replace(/\w(?=\w*$)/, '%$&'),
        path.replaceAll('/', '%2f'),
        path.slice(1),
      ],
      [`${apiUrl}${path}`, `http://[${path}`, '*', `${path}/../../../etc/passwd`, `${path}/${'a/'.repeat(1_000)}`],
      [path.replaceAll(/[a-z]/g, (letter) => `%${letter.charCodeAt(0).toString(16)}`)],
    ].flat(),
  ),
];

/** The same with one value at a time that has the right shape and belongs to nobody. */
function nearly(mine: readonly PathValues[]): PathValues[] {
  return mine.flatMap((values) =>
    Object.entries(values).map(([name, value]) => ({
      ...values,
      [name]: value.replace(/.$/, (last) => (last === '0' ? '1' : '0')),
    })),
  );
}

/** One value at a time that is none. */
function strangeValues(operation: Operation): PathValues[] {
  return inPath(operation).flatMap(({ name }) => strangeIds.map((id) => ({ [name]: id })));
}

function badCursors(operation: Operation, ground: Ground): fc.Arbitrary<string> {
  const mine = ground.cursors.get(operation.id) ?? [];
  const strange = [...(ground.otherCursors.get(operation.id) ?? []), ...cursorsOfOthers(operation, ground)];
  const made = ['null', '1', '{}', '{"v":1}', '{"v":1,"of":"x","at":[]}', '[]', '"x"'].map((json) =>
    Buffer.from(json).toString('base64url'),
  );
  const spoiled = mine.map((cursor) => cursor.replace(/[a-zA-Z]/g, (letter) => (letter === 'A' ? 'B' : 'A')));
  return fc.oneof(
    fc.constantFrom('', 'x', '0', '%', '\0', 'x'.repeat(1_001), ...made, ...spoiled, ...strange),
    fc.base64String({ minLength: 1 }),
  );
}

function cursorsOfOthers(operation: Operation, ground: Ground): string[] {
  return [...ground.cursors].flatMap(([id, cursors]) => (id === operation.id ? [] : [...cursors]));
}
