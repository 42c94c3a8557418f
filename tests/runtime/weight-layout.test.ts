import fc from '../support/properties.js';
import { describe, expect, it } from 'vitest';
import { applyLayout, LayoutError, parseLayout, plainWindow, type SizedAxis, type Window } from '../../compiler/model/weight-layout.js';

const axes = (text: string): SizedAxis[] => text.split(' ').map((a) => ({ name: a.split('=')[0], size: Number(a.split('=')[1]) }));
const apply = (pattern: string, ...targets: string[]): Window[] => applyLayout(parseLayout(pattern), targets.map(axes));

/** Stored positions of a window, row-major in the target's axes. */
function positions(window: Window): number[] {
  let out = [window.offset];
  for (const axis of window.axes) out = out.flatMap((p) => Array.from({ length: axis.size }, (_, i) => p + i * axis.stride));
  return out;
}

describe('layout patterns', () => {
  it('joins heads and their size', () => {
    expect(apply('(heads size) rank', 'heads=2 size=3 q=4')).toEqual([
      { shape: [6, 4], offset: 0, axes: [{ name: 'heads', size: 2, stride: 12 }, { name: 'size', size: 3, stride: 4 }, { name: 'q', size: 4, stride: 1 }] },
    ]);
  });
  it('splits two parameters within each head', () => {
    const [k, v] = apply('(heads (nope | value)) rank', 'h=2 nope=3 r=4', 'h=2 value=5 r=4');
    expect(k).toEqual({ shape: [16, 4], offset: 0, axes: [{ name: 'h', size: 2, stride: 32 }, { name: 'nope', size: 3, stride: 4 }, { name: 'r', size: 4, stride: 1 }] });
    expect(v.offset).toBe(12);
    expect(v.axes[0].stride).toBe(32);
  });
  it('interleaves by a number', () => {
    const [q, k, v] = apply('(heads 3 size) d', 'heads=2 size=4 d=5', 'heads=2 size=4 d=5', 'heads=2 size=4 d=5');
    expect([q.offset, k.offset, v.offset]).toEqual([0, 20, 40]);
    expect(q.axes.map((a) => a.stride)).toEqual([60, 5, 1]);
  });
  it('transposes', () => {
    expect(apply('in out -> out in', 'out=3 in=2')).toEqual([{ shape: [2, 3], offset: 0, axes: [{ name: 'out', size: 3, stride: 1 }, { name: 'in', size: 2, stride: 3 }] }]);
  });
  it('drops an axis of extent 1, and takes parts of unlike rank', () => {
    expect(apply('channels 1 taps', 'channels=3 taps=4')[0]).toEqual({ shape: [3, 1, 4], offset: 0, axes: [{ name: 'channels', size: 3, stride: 4 }, { name: 'taps', size: 4, stride: 1 }] });
    const [q, k] = apply('(kv (group | 1 | 1) size) d', 'kv=2 group=3 size=4 d=5', 'kv=2 size=4 d=5', 'kv=2 size=4 d=5');
    expect(q.shape).toEqual([40, 5]);
    expect(k.offset).toBe(60);
  });

  it.each([
    ['(a b', [`a=2 b=3`], `a '(' is not closed`],
    ['a | b', [`a=2 b=3`], `'|' stands outside parentheses`],
    ['(a | b) c', [`a=2 c=3`], `'|' separates 2 parts, but the rule has 1 parameter`],
    ['(a 3) c', [`a=2 c=3`], 'the number 3 must be 1 or the number of parameters, 1'],
    ['a b', [`a=2 b=3 c=4`], 'it gives 2 axes (a, b) to a parameter that has 3 (a, b, c)'],
    ['(a (x | y)) b', [`a=2 x=3 b=4`, `a=3 y=3 b=4`], `'a' is 2 for one parameter and 3 (a) for another`],
    ['a a', [`a=2 b=3`], 'it uses a name twice'],
    ['a b -> a c', [`a=2 b=3`], `the names after '->' are not those before it`],
    ['', [`a=2`], 'it names no axis'],
    ['a ? b', [`a=2 b=3`], `'?' is neither a name`],
  ])('"%s" is rejected', (pattern, targets, why) => {
    expect(() => apply(pattern, ...targets)).toThrow(LayoutError);
    expect(() => apply(pattern, ...targets)).toThrow(why);
  });

  it('is invertible: every stored element belongs to exactly one parameter element', () => {
    const size = fc.integer({ min: 1, max: 4 });
    fc.assert(fc.property(size, size, size, size, size, (a, b, c, d, e) => {
      const cases: Window[][] = [
        apply('(a (b | c)) d', `a=${a} b=${b} d=${d}`, `a=${a} c=${c} d=${d}`),
        apply('(a 2 b) c', `a=${a} b=${b} c=${c}`, `a=${a} b=${b} c=${c}`),
        apply('(k (x | x | r y)) d', `k=${a} x=${b} d=${d}`, `k=${a} x=${b} d=${d}`, `k=${a} r=${c} y=${e} d=${d}`),
        apply('a (b c) 1 -> c a b', `c=${c} a=${a} b=${b}`),
        [plainWindow(axes(`a=${a} b=${b} c=${c}`))],
      ];
      for (const windows of cases) {
        const total = windows[0].shape.reduce((x, y) => x * y, 1);
        expect(windows.flatMap(positions).sort((x, y) => x - y)).toEqual(Array.from({ length: total }, (_, i) => i));
      }
    }), { numRuns: 60 });
  });
});
