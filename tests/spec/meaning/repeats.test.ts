import { describe, expect, test } from 'vitest';
import { findRuns } from '../../../compiler/check/factor.js';
import type { Graph, Module, Node } from '../../../compiler/ir/graph.js';
import { interpret } from '../../../compiler/ir/interpret-graph.js';
import { verifyModule } from '../../../compiler/ir/verify-graph.js';
import { moduleOf } from '../../support/elaborate-text.js';
import { launchInputs, seededParams } from '../../support/interpret-text.js';

function model(body: string, items = ''): Module {
  const module = moduleOf(`use std.{embedding, linear, rms}
${items}
model M {
  dim vocab = 11
  dim hidden = 6
  x = embed = embedding(tokens, vocab, hidden)
  ${body}
  logits = head = linear(x, vocab)
}`, { taps: true });
  expect(verifyModule(module)).toEqual([]);
  return module;
}

function repeats(graph: Graph): readonly Extract<Node, { op: 'repeat' }>[] {
  return graph.nodes.filter((n) => n.op === 'repeat');
}

function logits(module: Module): readonly number[] {
  const { inputs, dims } = launchInputs([3, 1, 4, 1, 5], 0);
  return [...interpret(module, { params: seededParams(module), inputs, dims, exact: true }).outputs.logits.data];
}

const scaled = 'layer scaled(x: [.., d], by: real) -> [.., d] { param w : [d]  return by * w * x }';
const wider = 'layer wide(x: [.., d], width: int) -> [.., d] { dim inner = width  param up : [inner, d]  param down : [d, inner]  return down @ (up @ x) }';

describe('findRuns covers iterations with the fewest bodies', () => {
  test.each<readonly [string, readonly number[], string]>([
    ['one dense layer, then equal ones', [0, 1, 1, 1, 1], '0+1x1 1+1x4'],
    ['alternating', [0, 1, 0, 1, 0, 1], '0+2x3'],
    ['three to one', [0, 0, 0, 1, 0, 0, 0, 1], '0+4x2'],
    ['a period with a tail', [0, 1, 0, 1, 0], '0+2x2 4+1x1'],
    ['nothing repeats', [0, 1, 2], '0+1x1 1+1x1 2+1x1'],
  ])('%s', (_, kinds, expected) => {
    expect(findRuns(kinds).map((r) => `${r.start}+${r.period}x${r.times}`).join(' ')).toBe(expected);
  });
});

describe('repeats', () => {
  test('a table of numbers is one body with numbers per iteration', () => {
    const module = model('table by[4] = [0.5, 2, 1.5, 0.25]\n  repeat layers[4] as i { x += s = scaled(x, by: by[i]) }', scaled);
    expect(repeats(module.graph).map((r) => r.count)).toEqual([4]);
    const constant = repeats(module.graph)[0].body.nodes.find((n) => n.op === 'const');
    expect(constant?.op === 'const' && constant.perIteration).toEqual([[0.5], [2], [1.5], [0.25]]);
    const unrolled = model([0.5, 2, 1.5, 0.25].map((by, i) => `repeat one${i}[1] as i { x += s = scaled(x, by: ${by}) }`).join('\n  '), scaled);
    const renamed = { ...unrolled, params: unrolled.params.map((p) => ({ ...p, paths: p.paths.map((s) => s.replace(/one(\d)\[0\]/, 'layers[$1]')) })) };
    expect(logits(module)).toEqual(logits(renamed));
  });

  test('a cycle of kinds is one body of one period', () => {
    const body = `table kind[6] = cycle([narrow, narrow, broad])
  repeat layers[6] as i {
    export before = x
    x += f = wide(x, width: match kind[i] { narrow => 2  broad => 5 })
  }`;
    const module = model(body, wider);
    expect(repeats(module.graph).map((r) => r.count)).toEqual([2]);
    expect(module.params.filter((p) => p.paths[0].includes('up')).map((p) => p.paths.join(' '))).toEqual([
      'layers[0].f.up layers[3].f.up', 'layers[1].f.up layers[4].f.up', 'layers[2].f.up layers[5].f.up',
    ]);
    expect(module.taps.map((t) => t.names)).toEqual([0, 1, 2].map((i) => [`layers[${i}].before`, `layers[${i + 3}].before`]));
  });

  test('a value that the first iteration makes is carried by the others', () => {
    const module = model(`repeat layers[4] as i carry (x, first = none) {
    first = if i == 0 then x else first
    x += s = scaled(x + first, by: 1)
  }`, scaled);
    expect(repeats(module.graph).map((r) => [r.count, r.carries])).toEqual([[3, 2]]);
  });

  test('repeats nest; paths name both indices', () => {
    const module = model('repeat outer[2] as i { repeat inner[3] as j { x += s = scaled(x, by: 1 + i + 0.5 * j) } }', scaled);
    const [outer] = repeats(module.graph);
    expect([outer.count, repeats(outer.body)[0].count]).toEqual([2, 3]);
    expect(module.params.find((p) => p.paths.length === 6)?.paths).toEqual([0, 1].flatMap((i) => [0, 1, 2].map((j) => `outer[${i}].inner[${j}].s.w`)));
    const constant = repeats(outer.body)[0].body.nodes.find((n) => n.op === 'const');
    expect(constant?.op === 'const' && constant.perIteration?.flat()).toEqual([1, 1.5, 2, 2, 2.5, 3]);
    const flat = model('table by[6] = [1, 1.5, 2, 2, 2.5, 3]\n  repeat flat[6] as i { x += s = scaled(x, by: by[i]) }', scaled);
    const renamed = { ...flat, params: flat.params.map((p) => ({ ...p, paths: p.paths.map((s) => s.replace(/flat\[(\d)\]/, (_, n) => `outer[${Math.floor(n / 3)}].inner[${n % 3}]`)) })) };
    expect(logits(module)).toEqual(logits(renamed));
  });

  test('a repeat without parameters is rolled too', () => {
    const module = model('repeat steps[5] as i { x = x * 0.5 + 1 }');
    expect(repeats(module.graph).map((r) => r.count)).toEqual([5]);
  });

  test('a tied head reads the embedding, also from inside a repeat', () => {
    const module = model('repeat layers[2] as i { x += embed.table[tokens] }\n  y = embed.table @ x');
    expect(module.params.map((p) => p.paths[0])).toEqual(['embed.table', 'head.weight']);
  });
});
