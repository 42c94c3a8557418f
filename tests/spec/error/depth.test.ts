import { describe, expect, it } from 'vitest';
import { errorsOf, modelWith } from '../../support/error-spec.js';

const expert = 'layer expert(x: [.., d], width: dim) -> [.., d] {\n  param up : [width, d]\n  param down : [d, width]\n  return down @ (up @ x)\n}\n';

/** A layer that routes by the first of its scores, with these arms. */
const routed = (arms: string): string => `${expert}layer routed(x: [.., d], places: dim) -> [.., d] {
  param score : [places, d]
  dim active = 1
  ids = top(active, of: score @ x, over: places)
  return route(x, ids, 1) over places as e { ${arms} }
}
`;
const use = 'x += mix = routed(x, places: 4)';

describe('arms, histories, shared instances, whole numbers and heads', () => {
  it.each([
    ['E0420', 'shared f = 3', ''],
    ['E0421', use, routed('experts[e] = inner(x)').replace('layer routed', 'layer inner(x: [.., d]) -> [.., d] {\n  shared f = expert(width: 2)\n  return f(x)\n}\nlayer routed')],
    ['E0422', 'shared f = expert(width: 2)\n  x += a = f(x)\n  dim other = 3\n  y = wide = linear(x, other)\n  z = b = f(y)', expert],
    ['E0423', 'shared f[2] = expert(width: 8)\n  repeat pass[2] as i { x += use = f[i](x) }\n  quantize f[1].up to int4(group: 8, along: in)', expert],
    ['E0541', use, routed('ids < 2 => experts[e] = expert(x, width: 2)  _ => x')],
    ['E0542', use, routed('e < 3 => a[e] = expert(x, width: 2)  e < 2 => b[e] = expert(x, width: 2)  _ => x')],
    ['E0542', use, routed('e < 3 => experts[e] = expert(x, width: 2)')],
    ['E0543', 'past = [x, x]\n  dim depth = 3\n  y = stack(past, axis: depth)', ''],
    ['E0544', 'y = tokens * 4096 mod 7', ''],
    ['E0545', 'x += f = inner(x)', 'layer inner(x: [.., d]) -> [.., d] {\n  head more[1] as j { logits = x }\n  return x\n}\n'],
    ['E0546', 'head more[1] as j { y = x }', ''],
  ])('%s: %s', (code, body, items) => {
    expect([...new Set(errorsOf(modelWith(body, items), { taps: true }).diagnostics.map((d) => d.code))]).toEqual([code]);
  });

  it('says how to write what it refuses', () => {
    expect(errorsOf(modelWith('y = tokens * 4096 mod 7')).rendered).toContain('mulmod(a, b, modulus: m)');
    expect(errorsOf(modelWith(use, routed('e < 3 => experts[e] = expert(x, width: 2)'))).rendered).toContain('the last one is `_`');
  });
});
