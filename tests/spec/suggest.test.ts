import fc from '../support/properties.js';
import { expect, test } from 'vitest';
import { editDistance, suggest } from '../../dsl/suggest.js';

test('a swap of neighbours is one edit', () => {
  expect([editDistance('dim', 'dmi'), editDistance('dim', 'dims'), editDistance('dim', ''), editDistance('repeat', 'repaet')]).toEqual([1, 1, 3, 1]);
});

test('the distance is symmetric and zero for equal words only', () => {
  fc.assert(fc.property(fc.string({ maxLength: 8 }), fc.string({ maxLength: 8 }), (a, b) => {
    expect(editDistance(a, b)).toBe(editDistance(b, a));
    expect(editDistance(a, b) === 0).toBe(a === b);
  }));
});

test('the closest come first, five at most, and nothing that is far', () => {
  expect(suggest('normm', ['norm', 'nord', 'form', 'attention'])).toEqual(['norm', 'form', 'nord']);
  expect(suggest('Norm', ['norm', 'form'])).toEqual(['norm', 'form']);
  expect(suggest('w1', ['w2', 'w3', 'w4', 'w5', 'w6', 'w7'])).toHaveLength(5);
  expect(suggest('x', ['attention', 'gate'])).toEqual([]);
});
