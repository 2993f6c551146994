import { expect, test } from 'vitest';
import { Shelf } from '../../simulators/shelf.ts';

test('a full shelf drops the oldest, tells how many, and never gives a number twice', () => {
  const shelf = new Shelf<{ name: string }>(3);
  for (const name of ['a', 'b', 'c', 'd', 'e']) shelf.put({ name });
  expect(shelf.after(0)).toMatchObject([
    { seq: 3, name: 'c' },
    { seq: 4, name: 'd' },
    { seq: 5, name: 'e' },
  ]);
  expect(shelf.after(4)).toMatchObject([{ name: 'e' }]);
  expect(shelf.dropped).toBe(2);
  shelf.clear();
  expect(shelf.dropped).toBe(0);
  shelf.put({ name: 'f' });
  expect(shelf.after(0)).toMatchObject([{ seq: 6, name: 'f' }]);
});
