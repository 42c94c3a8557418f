import { describe, expect, it } from 'vitest';
import { axisNames, printType } from '../../compiler/ir/axes.js';
import { GraphBuilder } from '../../compiler/ir/build.js';
import { symbol } from '../../compiler/ir/dim.js';
import { arg, call } from '../../compiler/ir/expr.js';
import type { Axis, StateDecl, TensorType } from '../../compiler/ir/graph.js';

const tokens: Axis = { name: 'tokens', size: symbol('tokens') };
const slots: Axis = { name: 'slots', size: symbol('slots') };
const axis = (name: string, size: number): Axis => ({ name, size });
const f32 = (...axes: Axis[]): TensorType => ({ dtype: 'f32', axes });
const i32 = (...axes: Axis[]): TensorType => ({ dtype: 'i32', axes });
const builder = (): GraphBuilder => new GraphBuilder('test', { params: [], states: [] });

describe('result types', () => {
  it('elementwise takes the first operand\'s axes, then new ones', () => {
    const b = builder();
    const y = b.map('add', b.input('w', f32(axis('d', 3))), b.input('x', f32(tokens, axis('d', 3))));
    expect(printType(y.type)).toBe('[d: 3, tokens] f32');
  });

  it('contract with select keeps the ids\' axes and drops the selected one', () => {
    const b = builder();
    const x = b.input('x', f32(tokens, axis('d', 8)));
    const w = b.input('w', f32(axis('experts', 5), axis('width', 4), axis('d', 8)));
    const ids = b.input('ids', i32(tokens, axis('active', 2)));
    expect(printType(b.contractSelected(x, w, ['d'], 'experts', ids).type)).toBe('[tokens, active: 2, width: 4] f32');
  });

  it('gather replaces the axis by those of the ids and matches common ones', () => {
    const b = builder();
    const ids = b.input('ids', i32(tokens, axis('active', 2)));
    expect(printType(b.gather(b.input('s', f32(tokens, axis('experts', 5))), ids, 'experts').type)).toBe('[tokens, active: 2] f32');
    const rows = b.input('rows', i32(axis('outputs', 3)));
    expect(printType(b.gather(b.input('x', f32(tokens, axis('d', 8))), rows, 'tokens').type)).toBe('[outputs: 3, d: 8] f32');
  });

  it('attend: axes of the scores without keys, then the value\'s own', () => {
    const b = builder();
    const q = b.input('q', f32(tokens, axis('heads', 2), axis('size', 4)));
    const k = b.input('k', f32(slots, axis('heads', 2), axis('size', 4)));
    const v = b.input('v', f32(slots, axis('heads', 2), axis('value', 3)));
    const [position, sequence] = [b.input('position', i32(tokens)), b.input('sequence', i32(tokens))];
    const blocks = b.input('blocks', i32(axis('sequences', 1), axis('blocks', 4)));
    const { out, maximum } = b.attend(
      { over: ['size'], score: arg(0), mask: call('less_equal', arg(2), arg(1)), causal: true, block: 16, exports: true },
      { q, position, sequence, blocks, sources: [{ k, v, keys: 'slots' }] },
    );
    expect(printType(out.type)).toBe('[tokens, heads: 2, value: 3] f32');
    expect(printType(maximum!.type)).toBe('[heads: 2] f32');
  });

  it('repeat stacks on a leading axis named by its label', () => {
    const b = builder();
    const body = new GraphBuilder('layers', b.context);
    const inside = body.input('x', f32(tokens));
    const next = body.map('add', inside, inside);
    const [x, all] = b.repeat({ label: 'layers', count: 4, body: body.finish([{ name: 'x', value: next }, { name: 'all', value: inside }]) }, [b.input('x', f32(tokens))]);
    expect(axisNames(x.type.axes)).toEqual(['tokens']);
    expect(printType(all.type)).toBe('[layers: 4, tokens] f32');
  });

  it('state_write gives the state\'s type', () => {
    const state: StateDecl = { paths: ['kv'], policy: 'append', type: f32(slots, axis('entry', 6)), initial: 0 };
    const b = new GraphBuilder('test', { params: [], states: [state] });
    const written = b.stateWrite(0, b.state(0), b.input('slot', i32(tokens)), b.input('x', f32(tokens, axis('entry', 6))));
    expect(printType(written.type)).toBe('[slots, entry: 6] f32');
    expect(() => b.stateWrite(0, b.state(0), b.input('slot', i32(tokens)), b.input('y', f32(tokens, axis('entry', 5))))).toThrow('state_write: entry [tokens, entry: 5] f32 does not fit');
  });
});

describe('operands that do not fit', () => {
  it('names the op and the axis', () => {
    const b = builder();
    const x = b.input('x', f32(tokens, axis('d', 8)));
    expect(() => b.map('add', x, b.input('y', f32(axis('d', 4))))).toThrow("map add: axis 'd' has size 8 in one operand and 4 in another");
    expect(() => b.contract(x, b.input('w', f32(axis('out', 4))), ['e'])).toThrow("contract: no operand has the axis 'e'");
    expect(() => b.map('add', x, b.scalar(1, 'i32'))).toThrow('map add: operands of dtypes f32 and i32');
    expect(() => b.slice(x, 'd', { start: 6, size: 3 })).toThrow("slice: elements 6 to 8 of axis 'd' of size 8");
    expect(() => builder().map('exp', x)).toThrow("map: an operand does not belong to graph 'test'");
  });
});

it('builds ten thousand nodes in milliseconds', () => {
  const b = builder();
  let x = b.input('x', f32(tokens, axis('d', 8)));
  const start = performance.now();
  for (let i = 0; i < 10_000; i++) x = b.map('add', x, x);
  expect(b.finish([{ name: 'x', value: x }]).nodes).toHaveLength(10_000);
  expect(performance.now() - start).toBeLessThan(1000);
});
