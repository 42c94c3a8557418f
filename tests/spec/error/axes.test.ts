import { describe, expect, test } from 'vitest';
import { codesOf, errorsOf, modelWith } from '../../support/error-spec.js';

const twoParams = 'layer two(x: [.., d], n: dim) -> [.., n] { param a : [n, d]  param b : [d, n]  return a @ b @ a @ x }';

describe('extents and axes', () => {
  test.each<readonly [string, string, string?]>([
    ['E0301', 'const a = tokens_of(x)', 'layer tokens_of(x: [t, d]) -> [t, d] { dim n = 2 * t  return x }'],
    ['E0301', 'y = mean(x, over: tokens)'],
    ['E0302', 'dim part = hidden / 3'],
    ['E0303', 'dim part = hidden - 8'],
    ['E0304', 'dim part = true'],
    ['E0305', 'y = b = two(x, 3)', 'layer two(x: [.., d], n: dim) -> [.., n] { param a : [d, n]  return a @ x }'],
    ['E0306', 'y = position[tokens: 0] @ x'],
    ['E0307', 'y = sum(x, over: vocab)'],
    ['E0308', 'y = x + (h = linear(x, 3))'],
    ['E0309', 'y = [x | position[tokens: 0]]'],
    ['E0310', 'y = [x | position]'],
    ['E0311', '[a | b] = x'],
    ['E0312', 'y = broadcast(x, axis: hidden)'],
    ['E0313', 'y = rename(x, from: hidden, to: vocab)'],
    ['E0314', 'y = top(9, of: x, over: hidden)'],
    ['E0315', 'y = slice(x, axis: hidden, start: 4, to: hidden)'],
    ['E0316', 'y = x[hidden: 8]'],
    ['E0317', 'y = x[last 9]'],
    ['E0318', 'y = x[hidden: x]'],
    ['E0319', 'y = a = two(x, x2: x, n: 3)', 'layer two(x: [.., d], x2: [.., n], n: dim) -> [.., d] { return x }'],
    ['E0320', 'y = pair(sum(x, over: hidden))', 'layer pair(x: [a, b]) -> [a, b] { return x }'],
    ['E0321', 'y = single(x)', 'layer single(x: [a]) -> [a] { return x }'],
    ['E0322', 'y = drop(x)', 'layer drop(x: [.., d]) -> [.., d] { return sum(x, over: d) }'],
    ['E0323', 'y = embed2 = embedding(x, vocab, hidden)'],
  ])('%s: %s', (code, body, items) => {
    expect(codesOf(body, items)).toContain(code);
  });

  test('the same layer with fitting axes is accepted', () => {
    expect(codesOf('y = b = two(x, 3)', twoParams)).toEqual([]);
  });

  test('a mismatch in @ tells both chains down to literals, and what would fit', () => {
    const items = `layer low(x: [.., d], rank: dim) -> [.., d] {
  dim half = rank / 2
  param a : [half, d]
  param b : [d, rank]
  return b @ (a @ x)
}`;
    const { rendered } = errorsOf(modelWith('y = l = low(x, rank: 6)', items));
    expect(rendered).toMatchInlineSnapshot(`
      "error[E0305]: \`@\` sums over rank, which the right side does not have
        --> test.firn:6:10
         |
       3 |   dim half = rank / 2
         |   ------------------- half = 3, from rank = 6
      ...
       6 |   return b @ (a @ x)
         |          ^^^^^^^^^^^ has tokens, half = 3
         |          ends in rank = 6
      ...
      12 |   y = l = low(x, rank: 6)
         |                        - rank = 6"
    `);
  });

  test.each([
    ['y = (a = wide(x, 3)) + (b = wide(x, 3))', 'these are two axes called n: every layer that is given a number makes one of its own'],
    ['dim m = 3\n  y = (a = wide(x, m)) + (b = wide(x, 3))', 'axes of one size are still different axes'],
  ])('axes that look alike: %s', (body, note) => {
    expect(errorsOf(modelWith(body, 'layer wide(x: [.., d], n: dim) -> [.., n] { param w : [n, d]  return w @ x }')).rendered).toContain(note);
  });

  test('a fraction names what it was made of', () => {
    const { rendered } = errorsOf(modelWith('dim heads = 3\n  dim size = hidden / heads'));
    expect(rendered).toMatchInlineSnapshot(`
      "error[E0302]: \`size\` must be a whole number, this is 8/3
       --> test.firn:8:14
        |
      5 |   dim hidden = 8
        |   -------------- hidden = 8
      6 |   x = embed = embedding(tokens, vocab, hidden)
      7 |   dim heads = 3
        |   ------------- heads = 3
      8 |   dim size = hidden / heads
        |              ^^^^^^^^^^^^^^
        = note: \`/\` is exact; write floor(..) or \`//\` where rounding down is meant"
    `);
  });
});
