import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../compiler/ir/build.js';
import { moduleCost } from '../../compiler/ir/cost.js';
import { arg, call } from '../../compiler/ir/expr.js';
import type { Graph, Module, Node } from '../../compiler/ir/graph.js';
import { printGraph, printModule } from '../../compiler/ir/print-graph.js';
import { verifyModule } from '../../compiler/ir/verify-graph.js';
import { axis, dynamic, f32, i32, moduleOf, paramDecl, tokens } from '../numeric/fixtures.js';

function repeated(): Module {
  const params = [paramDecl(['layers[0].w', 'layers[1].w'], axis('out', 4), axis('d', 4))];
  const b = new GraphBuilder('model', { params, states: [] });
  const body = new GraphBuilder('layers', b.context);
  const x = body.input('x', f32(tokens, axis('d', 4)));
  const y = body.rename(body.contract(body.param(0), x, ['d']), 'out', 'd');
  const graph = body.finish([{ name: 'x', value: body.map('add', x, body.map('tanh', y)) }, { name: 'all', value: x }]);
  const [last, all] = b.repeat({ label: 'layers', count: 2, body: graph }, [b.input('x', f32(tokens, axis('d', 4)))]);
  return { ...moduleOf(b.finish([{ name: 'last', value: last }, { name: 'all', value: all }]), params), taps: [{ output: 'all', names: ['hidden.0', 'hidden.1'] }] };
}

describe('printModule', () => {
  it('is one node per line, bodies indented', () => {
    expect(printModule(repeated())).toMatchInlineSnapshot(`
      "param 0 layers[0].w .. layers[1].w (2) : [out: 4, d: 4] f32 as f32 init normal(1)
      graph model(x = %0 : [tokens, d: 4] f32) {
        %1 : [tokens, d: 4] f32, %2 : [layers: 2, tokens, d: 4] f32 = repeat layers count=2 carries=1(%0)
          graph layers(x = %0 : [tokens, d: 4] f32) {
            %1 : [out: 4, d: 4] f32 = param 0()
            %2 : [out: 4, tokens] f32 = contract over=[d](%1, %0)
            %3 : [d: 4, tokens] f32 = rename out -> d(%2)
            %4 : [d: 4, tokens] f32 = map tanh(%3)
            %5 : [tokens, d: 4] f32 = map add(%0, %4)
            return x = %5, all = %0
          }
        return last = %1, all = %2
      }
      tap all -> hidden.0, hidden.1
      "
    `);
  });
});

/** The module with node `at` of its graph changed. */
function changed(module: Module, at: number, change: (node: Node) => Node): Module {
  const nodes = module.graph.nodes.map((n, i) => (i === at ? change(n) : n));
  return { ...module, graph: { ...module.graph, nodes } };
}

describe('verifyModule', () => {
  const good = repeated();
  const problems = (module: Module): string => verifyModule(module).join('\n');

  it('accepts what the builder makes', () => {
    expect(verifyModule(good)).toEqual([]);
  });

  it('names the broken law', () => {
    const body = (good.graph.nodes[0] as Extract<Node, { op: 'repeat' }>).body;
    const inBody = (graph: Partial<Graph>): Module => changed(good, 0, (n) => ({ ...n, body: { ...body, ...graph } }) as Node);
    expect(problems({ ...good, params: [] })).toContain('index 0 of a table of 0');
    expect(problems({ ...good, params: [paramDecl('w', axis('out', 4), axis('d', 4))] })).toContain('1 entries for 2 iterations');
    expect(problems(inBody({ nodes: [...body.nodes].reverse() }))).toContain('used before being defined');
    expect(problems(inBody({ nodes: [...body.nodes, body.nodes[0]] }))).toContain('is defined twice');
    expect(problems(inBody({ nodes: body.nodes.map((n) => ({ ...n, results: n.results.map((r) => ({ ...r, type: f32(axis('d', 3)) })) })) }))).toContain('the op gives');
    expect(problems(changed(good, 0, (n) => ({ ...n, count: 3 }) as Node))).toContain('2 entries for 3 iterations');
    expect(problems({ ...good, taps: [{ output: 'none', names: [] }] })).toContain("no output 'none'");
    expect(problems({ ...good, graph: { ...good.graph, outputs: [good.graph.outputs[0], good.graph.outputs[0]] } })).toContain("two outputs named 'last'");
  });

  it('tries what a mask promises', () => {
    const b = new GraphBuilder('test', { params: [], states: [] });
    const [q, k] = [b.input('q', f32(tokens, axis('d', 2))), b.input('k', f32(dynamic('slots'), axis('d', 2)))];
    const [position, sequence] = [b.input('position', i32(tokens)), b.input('sequence', i32(tokens))];
    const blocks = b.input('blocks', i32(dynamic('sequences'), dynamic('blocks')));
    const v = b.rename(k, 'd', 'value');
    b.attend({ over: ['d'], score: arg(0), mask: call('equal', arg(1), arg(1)), causal: true, block: 4, exports: false }, { q, position, sequence, blocks, sources: [{ k, v, keys: 'slots' }] });
    expect(problems(moduleOf(b.finish([])))).toContain('says causal, but query 0 sees key 1');
  });
});

describe('cost', () => {
  it('counts the chosen rows of a selected contraction only, and bodies once per iteration', () => {
    expect(moduleCost(repeated(), { tokens: 3 })).toEqual({ contraction: 2 * (2 * 3 * 4 * 4), other: 2 * (2 * 3 * 4) });
    const cost = (experts: number): number => {
      const b = new GraphBuilder('test', { params: [], states: [] });
      const x = b.input('x', f32(tokens, axis('d', 8)));
      b.contractSelected(x, b.input('w', f32(axis('experts', experts), axis('out', 5), axis('d', 8))), ['d'], 'experts', b.input('ids', i32(tokens, axis('active', 2))));
      return moduleCost(moduleOf(b.finish([])), { tokens: 3 }).contraction;
    };
    expect(cost(4)).toBe(2 * 3 * 2 * 5 * 8);
    expect(cost(64)).toBe(cost(4));
  });
});

it('prints origins when asked', () => {
  const b = new GraphBuilder('test', { params: [], states: [] });
  b.label = 'layers.ffn';
  b.span = { file: 'k2.firn', start: 0, end: 1, line: 12, column: 3 };
  b.scalar(1);
  expect(printGraph(b.finish([]), { origins: true })).toContain('const {1}()  # layers.ffn k2.firn:12');
});
