import { describe, expect, test } from 'vitest';
import { codesOf, errorsOf, modelWith } from '../../support/error-spec.js';

describe('names and values', () => {
  test.each<readonly [string, string, string?]>([
    ['E0201', 'y = hiden'],
    ['E0202', 'const a = true + 1'],
    ['E0202', 'y = x * (x < 1)'],
    ['E0202', 'y = x and x'],
    ['E0202', 'y = x ? 1 : 2'],
    ['E0203', 'const a = 1 / 0'],
    ['E0204', 'y = if hidden then 1 else 2'],
    ['E0205', 'const a = match 3 { 1 => 2  2 => 3 }'],
    ['E0206', 'y = hidden(x)'],
    ['E0207', 'y = again(x)', 'fn again(x) = again(x)'],
    ['E0208', 'y = exp(x, x)'],
    ['E0209', 'y = n = rms(x, epsilon: 1e-6)'],
    ['E0210', 'y = double(a: 1, a: 2)', 'fn double(a, b = 1) = a + b'],
    ['E0211', 'y = n = rms(x)'],
    ['E0212', 'def norm = rms(eps: true)'],
    ['E0213', 'def norm = rms(eps: none)'],
    ['E0214', 'y = turn(x, left2)', 'layer turn(x: [.., d], way: enum { left, right }) -> [.., d] { return x }'],
    ['E0215', 'y = n = rms(3, eps: 1e-6)'],
    ['E0216', 'y = x * iota(8)'],
    ['E0217', 'const a = iota(3) + iota(4)'],
    ['E0218', 'const a = x'],
    ['E0219', 'const a : [hidden] = 3'],
    ['E0220', 'const a : [hidden] = iota(3)'],
    ['E0221', 'table t[4] = [1, 2, 3]'],
    ['E0222', 'const a = [1, 2][true]'],
    ['E0223', 'const a = [1, 2][2]'],
    ['E0225', '(a, b) = x'],
    ['E0226', 'y += x'],
    ['E0227', 'y[e] = x'],
    ['E0228', 'require hidden mod 3 == 0, "hidden must divide by 3"'],
    ['E0229', 'y = (x + x).weight'],
    ['E0230', 'y = embed.tabel[tokens]'],
    ['E0231', 'y = embed.table.weight'],
    ['E0232', 'y = n = inner(x)\n  z = n.a', 'layer inner(x: [.., d]) -> [.., d] { y = a = rms(x, eps: 1e-6)\n return y }'],
    ['E0209', 'state kv : append [hidden] = x\n  y = attend(x, over: kv as (c), k: c, v: c, score: s, scale: 2)'],
    ['E0233', 'y = max(x)'],
    ['E0214', 'y = f = chosen(x, kind: full)', 'layer chosen(x: [.., d], kind: enum { full, half }) -> [.., d] { return if kind == ful then x else 2 * x }'],
    ['E0234', 'y = f = chosen(x, kind: wide, wide: 3)', 'layer chosen(x: [.., d], kind: enum { wide, tall }, wide: int) -> [.., d] { return if kind == wide then x else 2 * x }'],
  ])('%s: %s', (code, body, items) => {
    expect(codesOf(body, items)).toContain(code);
  });

  test.each<readonly [string, string, string?]>([
    ['a list', 'const c = iota(1000000000)'],
    ['a list that doubles', 'const c = f30([1, 2])', Array.from({ length: 30 }, (_, i) => `fn f${i + 1}(x) = f${i}([x | x])`).concat('fn f0(x) = x').join('\n')],
    ['a table', 'table t[1000000000] = cycle([1, 2])'],
    ['calls that double', 'const c = f30(1)', Array.from({ length: 30 }, (_, i) => `fn f${i + 1}(x) = f${i}(x) + f${i}(x)`).concat('fn f0(x) = x').join('\n')],
    ['a repeat', 'repeat layers[1000000] as i { x += n = rms(x, eps: 1e-6) }'],
  ])('E0235, once and at once: %s', (_, body, items) => {
    const started = process.cpuUsage();
    expect(codesOf(body, items)).toEqual(['E0235']);
    const { user, system } = process.cpuUsage(started);
    expect((user + system) / 1e6).toBeLessThan(5);
  });

  test.each([
    ['y = gelu(x)', '`gelu` is in the standard library: use std.activations.{gelu}'],
    ['y = transpose(x)', 'axes have names and no order, so there is nothing to transpose'],
    ['y = matmul(embed.table, x)', 'write W @ x, or dot(a, b, over: axis)'],
    ['state kv : append [hidden] = x\n  y = attend(x, over: kv as (c), k: c, v: c, score: s, scale: 2)', 'the scale is part of the score: score: s * scale'],
    ['state kv : append [hidden] = x\n  y = attend(x, over: kv as (c), k: c, v: c, score: s, normalize: none)', 'attend is a softmax; for sums without one'],
    ['const exp = 3\n  y = exp(x)', 'what is called `exp` here hides the function of that name'],
  ])('what to write instead: %s', (body, note) => {
    expect(errorsOf(modelWith(body)).rendered).toContain(note);
  });

  test('a misspelt name is answered with the near ones', () => {
    const { rendered } = errorsOf(modelWith('y = hiden'));
    expect(rendered).toContain('did you mean `hidden`?');
    expect(rendered).toMatch(/--> test\.firn:\d+:7/);
  });

  test('an error ends its statement only: the others are told in the same run', () => {
    expect(codesOf('a = nothing\n  b = never\n  c = a + b')).toEqual(['E0201', 'E0201']);
  });

  test('an error in a layer is told once, however often the layer is called', () => {
    const items = 'layer bad(x: [.., d]) -> [.., d] { return x + missing }';
    expect(codesOf('a = bad(x)\n  b = bad(x)', items)).toEqual(['E0201']);
  });
});
