import { describe, expect, test } from 'vitest';
import { codesOf } from '../../support/error-spec.js';

const attention = (options: string, state = 'append', query = 'x'): string => `layer attention(x: [.., d]) -> [.., d] {
  state kv : ${state} [d] = x
  return attend(${query}, over: kv as (c), ${options})
}`;
const routed = (body: string, weights = 's[experts: ids]', ids = 'ids', input = 'x'): string => `layer expert(x: [.., d]) -> [.., d] { param w : [d]  return w * x }
layer routed(x: [.., d]) -> [.., d] {
  dim experts = 4
  param g : [experts, d]
  s = g @ x
  ids = top(2, of: s, over: experts)
  return route(${input}, ${ids}, ${weights}) over experts as e { ${body} }
}`;
const scanned = (body: string, head = 'scan (x) carry s : [d] f32 = 0'): string => `layer scanned(x: [.., d]) -> [.., d] {
  return ${head} ${body}
}`;
const selected = (options: string): string => `layer selected(x: [.., d]) -> [.., d] {
  dim picks = 3
  state kv : append [d] = x
  p = select(picks, ${options})
  return attend(x, over: kv[p] as (c), k: c, v: c, score: s)
}`;
const used = 'y = m = ';

describe('attend, route, scan, repeat', () => {
  test.each<readonly [string, string, string?]>([
    ['E0501', 'y = m[e] = rms(x, eps: 1e-6)'],
    ['E0502', `${used}outer_route(x)`, `${routed('experts[e] = expert(x)')}
layer outer_route(x: [.., d]) -> [.., d] {
  dim many = 4
  param g : [many, d]
  s = g @ x
  ids = top(2, of: s, over: many)
  return route(x, ids, s[many: ids]) over many as e { many[e] = routed(x) }
}`],
    ['E0503', `${used}routed(x)`, routed('experts[e] = expert(x)', 's')],
    ['E0504', `${used}routed(x)`, routed('experts[e] = expert(x)', 'position', 'position')],
    ['E0318', `${used}routed(x)`, routed('experts[e] = expert(x)', 's[experts: ids]', 's')],
    ['E0505', `${used}attention(x)`, 'layer attention(x: [.., d]) -> [.., d] { return attend(x, over: x as (c), k: c, v: c, score: s) }'],
    ['E0506', `${used}attention(x)`, attention('k: c, v: c, score: s', 'append', 'sum(x, over: d)')],
    ['E0507', `${used}attention(x)`, attention('k: x, v: c, score: s')],
    ['E0508', `${used}attention(x)`, attention('k: c, v: c, score: s < 1')],
    ['E0508', `${used}attention(x)`, attention('k: c, v: c, score: s, mask: key.position')],
    ['E0509', `${used}attention(x)`, attention('k: c, v: c, score: s * query.sequence')],
    ['E0510', `${used}attention(x)`, attention('k: c, v: c, score: s * "a"')],
    ['E0511', `${used}attention(x)`, attention('k: c, v: c, score: s, mask: key.position <= query.position', 'window 4')],
    ['E0211', `${used}attention(x)`, attention('k: c, v: c')],
    ['E0209', `${used}attention(x)`, attention('k: c, v: c, score: s, sharp: 2')],
    ['E0512', 'emit x'],
    ['E0513', `${used}scanned(x)`, scanned('{ repeat r[2] as i { s = s + x }  emit s }')],
    ['E0514', `${used}scanned(x)`, scanned('{ y = scan (x) carry t : [d] f32 = 0 { emit t }  emit s }')],
    ['E0515', `${used}scanned(x)`, scanned('{ emit s }', 'scan (w) carry s : [d] f32 = 0').replace('return', 'param w : [d]\n  return')],
    ['E0516', `${used}scanned(x)`, scanned('{ emit s }', 'scan (x) carry s : [d] f32 = x')],
    ['E0517', `${used}scanned(x)`, scanned('{ s = sum(s, over: d)  emit x }')],
    ['E0518', `${used}scanned(x)`, scanned('{ s = s + x }')],
    ['E0519', `${used}scanned(x)`, scanned('{ s = s + x  emit s } chunk 4 as (i, j, k) { emit x }')],
    ['E0520', `${used}scanned(x)`, scanned('{ s = s + x  emit s } chunk 4 as (i, j) { emit sum(x, over: i) }')],
    ['E0526', '(y, kv) = m = handed(x)', 'layer handed(x: [.., d]) -> ([.., d], state) { return (x, x) }'],
    ['E0527', '(y, kv) = m = handed(x)', `layer handed(x: [.., d]) -> ([.., d], state) {
  state tail : last 2 [d] = x
  return (x, tail)
}`],
    ['E0528', `${used}attention(x)`, attention('k: c, v: c, score: s', 'every 5')],
    ['E0529', `${used}attention(x)`, attention('k: c, v: c, score: s').replace('over: kv', 'over: kv[x]')],
    ['E0530', `${used}selected(x)`, selected('over: kv as c, by: sum(x, over: d)')],
    ['E0532', `${used}selected(x)`, selected('over: kv as c, by: cast(sum(top(2, of: x * c, over: d), over: d), to: f32)').replace('over: d), over: d)', 'over: d), over: two)').replace('top(2', 'top(two').replace('dim picks', 'dim two = 2\n  dim picks').replace('x * c', 'outer(x, c)')],
    ['E0531', `${used}selected(x)`, selected('over: [kv as c, kv as e], by: dot(x, c, over: d)')],
    ['E0209', `${used}selected(x)`, selected('over: kv as c, by: dot(x, c, over: d), sharp: 2')],
    ['E0211', `${used}selected(x)`, selected('over: kv as c')],
  ])('%s: %s', (code, body, items) => {
    expect(codesOf(body, items)).toContain(code);
  });

  test('the pieces that these cases break are sound', () => {
    expect(codesOf(`${used}selected(x)`, selected('over: kv as c, by: dot(x, c, over: d)'))).toEqual([]);
    expect(codesOf(`${used}attention(x)`, attention('k: c, v: c, score: s', 'every 4'))).toEqual([]);
    expect(codesOf(`${used}attention(x)`, attention('k: c, v: c, score: s'))).toEqual([]);
    expect(codesOf(`${used}attention(x)`, attention('k: c, v: c, score: s, mask: causal and query.position - key.position < 4', 'window 4'))).toEqual([]);
    expect(codesOf(`${used}routed(x)`, routed('experts[e] = expert(x)'))).toEqual([]);
    expect(codesOf(`${used}scanned(x)`, scanned('{ s = s + x  emit s } chunk 4 as (i, j) {\n t = cumulate(x, over: i)\n emit s + t\n s = s + sum(x, over: i)\n }'))).toEqual([]);
  });
});
