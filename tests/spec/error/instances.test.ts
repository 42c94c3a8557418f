import { describe, expect, test } from 'vitest';
import { codesOf } from '../../support/error-spec.js';

describe('instances, parameters, states', () => {
  test.each<readonly [string, string, string?]>([
    ['E0401', 'x = x + rms(x, eps: 1e-6)'],
    ['E0402', 'x += rms(x, eps: 1e-6)\n  x += rms(x, eps: 1e-6)'],
    ['E0402', 'a = n = rms(x, eps: 1e-6)\n  b = n = rms(x, eps: 1e-6)'],
    ['E0403', 'y = silent(x)', 'layer silent(x: [.., d]) -> [.., d] { y = x }'],
    ['E0404', 'y = one(x)', 'layer one(x: [.., d]) -> ([.., d], [.., d]) { return x }'],
    ['E0405', 'y = p = open(x)', 'layer open(x: [.., d]) -> [.., d] { param w : [.., d]  return w * x }'],
    ['E0406', 'y = p = odd(x)', 'layer odd(x: [.., d]) -> [.., d] { param w : [d] init true  return w * x }'],
    ['E0407', 'y = m = routed(x)', `layer keeps(x: [.., d]) -> [.., d] { state s : append [d] = x  return x }
layer routed(x: [.., d]) -> [.., d] {
  dim experts = 4
  param g : [experts, d]
  s = g @ x
  ids = top(2, of: s, over: experts)
  return route(x, ids, s[experts: ids]) over experts as e { experts[e] = keeps(x) }
}`],
    ['E0408', 'y = k = keeps(x)', 'layer keeps(x: [.., d]) -> [.., d] { dim e = 2  state s : append [e] = x  return x }'],
    ['E0409', 'y = z = has(x)', 'layer has(x: [.., d]) -> [.., d] { context 5  return x }'],
    ['E0410', 'at bf16 { y = x }'],
  ])('%s: %s', (code, body, items) => {
    expect(codesOf(body, items)).toContain(code);
  });

  test('one template may be called in every iteration, under one label', () => {
    expect(codesOf('repeat layers[3] as i { x += n = rms(x, eps: 1e-6) }')).toEqual([]);
  });

  test('a call without parameters needs no label', () => {
    expect(codesOf('x = twice(x)\n  x = twice(twice(x))', 'layer twice(x: [.., d]) -> [.., d] { return 2 * x }')).toEqual([]);
  });
});
