import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hashOfBody } from '../../api/request-hash.ts';

const hashOfText = (json: string) => hashOfBody(JSON.parse(json));

describe('the hash of a body', () => {
  test('is SHA-256 in hexadecimal, and never changes: stored ones must be known again', () => {
    expect(hashOfText('{"b":1,"a":{"d":[1,2],"c":null}}')).toBe(
      '041841b488c2c0db2414925a20ed62f7bba49881bc1bfa5bb9f663304d94a936',
    );
  });

  test('is the same whatever the order of members, at any depth, and the white space', () => {
    const first = hashOfText('{"a":"1","b":{"c":[{"d":1,"e":2}],"f":null},"10":1,"9":2}');
    const second = hashOfText('{ "9": 2, "b": { "f": null,\n "c": [ {"e":2, "d":1} ] }, "10": 1, "a": "\\u0031" }');
    expect(second).toBe(first);
  });

  test.each([
    ['a value', '{"a":"1"}', '{"a":"2"}'],
    ['a type', '{"a":"1"}', '{"a":1}'],
    ['a name', '{"a":"1"}', '{"b":"1"}'],
    ['the order of elements', '{"a":[1,2]}', '{"a":[2,1]}'],
    ['null and absent', '{"a":null}', '{}'],
    ['an empty object and an empty array', '{"a":{}}', '{"a":[]}'],
    ['where a boundary lies', '{"a":{"b":"c"}}', '{"a":"{\\"b\\":\\"c\\"}"}'],
    ['case', '{"a":"x"}', '{"a":"X"}'],
    ['composed and decomposed letters', '{"a":"\u00e9"}', '{"a":"e\u0301"}'],
    ['a default that is spelled out', '{"amount":"1"}', '{"amount":"1","purpose":"purchase"}'],
  ])('differs with %s', (_what, one, other) => {
    expect(hashOfText(one)).not.toBe(hashOfText(other));
  });

  // A failing property prints its seed and its smallest counterexample.
  test('is equal for two bodies exactly when they are equal', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (one, other) => {
        const reversed = JSON.parse(JSON.stringify(one), (_key, value: unknown) =>
          typeof value === 'object' && value !== null && !Array.isArray(value)
            ? Object.fromEntries(Object.entries(value).toReversed())
            : value,
        ) as unknown;
        expect(hashOfBody(reversed)).toBe(hashOfText(JSON.stringify(one)));
        const isEqual = hashOfText(JSON.stringify(one)) === hashOfText(JSON.stringify(other));
        expect(isEqual).toBe(isSame(JSON.parse(JSON.stringify(one)), JSON.parse(JSON.stringify(other))));
      }),
    );
  });
});

/** Equality of JSON values, said in another way than by writing them. */
function isSame(one: unknown, other: unknown): boolean {
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return one === other;
  if (Array.isArray(one) !== Array.isArray(other)) return false;
  const entries = Object.entries(one);
  const others = new Map(Object.entries(other));
  return (
    entries.length === others.size && entries.every(([key, value]) => others.has(key) && isSame(value, others.get(key)))
  );
}
