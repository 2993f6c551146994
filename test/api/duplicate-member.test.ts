import fc from 'fast-check';
import { expect, test } from 'vitest';
import { findDuplicateMember } from '../../api/duplicate-member.ts';

test.each([
  ['{"a":1,"a":2}', '/a'],
  ['{"a":1,"a":1}', '/a'],
  ['{"a":1,"b":{"c":1,"c":2}}', '/b/c'],
  ['[1,{"a":1},{"b":1,"b":2}]', '/2/b'],
  ['{"x":[[0],[{"a":{},"a":[]}]]}', '/x/1/0/a'],
  ['{"a":"}","b":"{\\"a\\":1","a":2}', '/a'],
  ['{"a":"\\\\","a":2}', '/a'],
  ['{"\\u0061":1,"a":2}', '/a'],
  ['{"a/b~c":1,"a/b~c":2}', '/a~1b~0c'],
  ['{"":1,"":2}', '/'],
  ['{"__proto__":1,"__proto__":2}', '/__proto__'],
  ['{ "a" : 1 ,\n "a" : 2 }', '/a'],
  ['{"a":{"x":1},"b":{"x":1},"c":["x","x"],"x":"a"}', null],
  ['{"a":":","b":"a"}', null],
  ['"a"', null],
  ['null', null],
  ['[]', null],
])('in %s the second member of a name is at %s', (json, pointer) => {
  expect(findDuplicateMember(json)).toBe(pointer);
});

// A failing property prints its seed and its smallest counterexample.
test('what JSON.stringify wrote has none, and a member repeated in it is found', () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue(), { minKeys: 1 }),
      fc.nat(),
      (value, pick) => {
        const json = JSON.stringify(value);
        expect(findDuplicateMember(json)).toBeNull();
        const names = Object.keys(value);
        const name = JSON.stringify(names[pick % names.length]);
        expect(findDuplicateMember(`${json.slice(0, -1)},${name}:0}`)).not.toBeNull();
      },
    ),
  );
});
