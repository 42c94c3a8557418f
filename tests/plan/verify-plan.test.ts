import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it, test } from 'vitest';
import { ModelBuilder, layerPaths, residualStack } from '../../backends/conformance/launch-builder.js';
import { dim } from '../../compiler/ir/kernel.js';
import type { Bundle, Plan, Region, Step } from '../../compiler/ir/plan.js';
import { planHash } from '../../compiler/plan/plan-hash.js';
import { printViolations, verifyPlan, type Law } from '../../compiler/plan/verify-plan.js';

type Open<T> = { -readonly [K in keyof T]: T[K] extends object | undefined ? Open<T[K]> : T[K] };
type OpenStep<K extends Step['kind']> = Open<Extract<Step, { kind: K }>>;

/** Layers with a cache, a constant per layer, stacked hidden values, collectives and two entries. */
function realPlan(): Bundle {
  const layers = 3;
  const m = new ModelBuilder(16);
  const [w, head, cache] = [m.param(layerPaths(layers, 'w')), m.param(['head']), m.state(layerPaths(layers, 'cache'), 0)];
  for (const [name, tokens] of [['prefill', 8], ['decode', 2]] as const) m.entry(name, tokens, (e) => {
    const [x, y, hidden] = [e.input('x'), e.output('y'), e.output('hidden', layers)];
    const [x0, inside, scaled, shared, mid, grown, next, last] = ['x0', 'inside', 'scaled', 'shared', 'mid', 'grown', 'next', 'last'].map((n) => e.value(n));
    const [one, tilt] = [e.constant(new Array<number>(16).fill(1)), e.constant(...[1, 2, 3].map((v) => new Array<number>(16).fill(v)))];
    return [
      e.launch('scale', [x], [one], x0),
      {
        kind: 'repeat', label: 'layers', count: layers, reverse: false, carries: [{ initial: x0, inside, next, out: last }], stacked: [{ inside: mid, out: hidden }],
        body: [
          e.launch('scale', [inside], [e.param(w)], scaled),
          { kind: 'collective', op: 'all_reduce', group: 'tensor', from: scaled, to: shared },
          e.launch('add', [inside, shared], [], mid),
          e.launch('scale', [mid], [tilt], grown),
          e.accumulate('keep', [mid], [], e.state(cache)),
          { kind: 'collective', op: 'all_reduce', group: 'tensor', from: grown, to: grown },
          e.launch('add', [mid, grown], [], next),
        ],
      },
      e.launch('scale', [last], [e.param(head)], y),
    ];
  });
  return m.plan({ ranks: 2, groups: [{ name: 'tensor', teams: [[0, 1]] }] });
}

const launch = (steps: Open<readonly Step[]>, i: number): OpenStep<'launch'> => steps[i] as OpenStep<'launch'>;
const layers = (p: Open<Plan>, entry = 0): OpenStep<'repeat'> => p.entries[entry].steps[1] as OpenStep<'repeat'>;
const body = (p: Open<Plan>, i: number): OpenStep<'launch'> => launch(layers(p).body, i);
const collective = (p: Open<Plan>, i: number): OpenStep<'collective'> => layers(p).body[i] as OpenStep<'collective'>;
const buffer = (p: Open<Plan>, id: string) => p.buffers.find((b) => b.id === id)!;
const moveTo = (to: Open<Region>, from: Open<Region>): void => { to.buffer = from.buffer; to.offset = structuredClone(from.offset); };

/** What is done to the plan, the law that must catch it, and where it must say so. */
const mutations: readonly [name: string, law: Law, where: string, mutate: (plan: Open<Plan>, bundle: Open<Bundle>) => void][] = [
  ['another version', 'version', 'version', (p) => { (p as { version: number }).version = 2; }],
  ['peak bytes too small', 'peak', 'peakBytes', (p) => { p.peakBytes -= 256; }],
  ['a dim without maximum in the plan', 'dims', "entry 'prefill'", (p) => { p.dims = p.dims.filter((d) => d.name !== 'tokens'); }],
  ['an entry that allows more than the plan', 'dims', "entry 'decode'", (p) => { p.entries[1].dims[0].max = 9; }],
  ['a rank in no team', 'groups', "group 'tensor'", (p) => { p.groups[0].teams = [[0]]; }],
  ['a buffer declared twice', 'buffers', "buffer 'scratch'", (p) => { p.buffers.push({ id: 'scratch', kind: 'scratch', bytes: 0 }); }],
  ['a scratch buffer that is too small', 'bounds', 'prefill: steps[1].body[0] (scale)', (p) => { buffer(p, 'scratch').bytes -= 512; p.peakBytes -= 512; buffer(p, 'scratch').bytes -= 512; p.peakBytes -= 512; }],
  ['two weights in one place', 'tables', "weights 'layers[0].w'", (p) => { p.weights[1].offset = p.weights[0].offset; p.weights[0].offset += 32; }],
  ['a weight outside its buffer', 'tables', "weights 'head'", (p) => { p.weights[3].offset += 2 ** 20; }],
  ['a weight with bytes that its packing does not need', 'tables', "weights 'head'", (p) => { p.weights[3].bytes = 32; }],
  ['a weight that WebGPU cannot bind', 'alignment', "weights 'head'", (p) => { p.weights[3].offset += 4; buffer(p, 'weights').bytes += 256; p.peakBytes += 256; }],
  ['a weight that no step reads', 'unused', "weights 'layers[1].w'", (p) => { for (const e of [0, 1]) launch(layers(p, e).body, 0).args[1].offset.terms = []; }],
  ['a stride that ends between weights', 'table read', "prefill: steps[1].body[0] (scale) 'p0'", (p) => { body(p, 0).args[1].offset.terms[0].stride = 128; }],
  ['a stride that runs out of the weights', 'bounds', "prefill: steps[1].body[0] (scale) 'p0'", (p) => { body(p, 0).args[1].offset.terms[0].stride = 512; }],
  ['a weight read from the middle', 'table read', "prefill: steps[2] (scale) 'p0'", (p) => { launch(p.entries[0].steps, 2).args[1].offset.base += 32; }],
  ['another weight than is named', 'table read', "prefill: steps[2] (scale) 'p0'", (p) => { launch(p.entries[0].steps, 2).args[1].offset.base = p.weights[0].offset; }],
  ['more ranks than any machine has', 'groups', 'ranks', (p) => { p.ranks = 2 ** 32; }],
  ['a kernel that does not exist', 'kernels', 'prefill: steps[1].body[2] (mul)', (p) => { body(p, 2).kernel = 'mul'; }],
  ['a program that is not the kernel', 'kernels', "kernel 'scale'", (_, b) => { b.programs[0].schedule = { threads: 2 }; }],
  ['a kernel with other access than its program', 'kernels', "kernel 'scale'", (p) => { p.kernels[0].views[1].access = 'readwrite'; }],
  ['an argument missing', 'arguments', 'prefill: steps[1].body[2] (add)', (p) => { body(p, 2).args.pop(); }],
  ['a grid over an unknown dim', 'grid', 'prefill: steps[1].body[2] (add)', (p) => { body(p, 2).grid = [dim('rows')]; }],
  ['a grid that is not the program\'s', 'grid', 'prefill: steps[0] (scale)', (p) => { launch(p.entries[0].steps, 0).grid = [{ kind: 'int', value: 1 }]; }],
  ['a variable used outside its repeat', 'scope', "prefill: steps[2] (scale) 'p0'", (p) => { launch(p.entries[0].steps, 2).args[1].offset.terms = [{ variable: 'layers', stride: 256 }]; }],
  ['a region smaller than its view', 'view', "prefill: steps[1].body[2] (add) 'out'", (p) => { body(p, 2).args[2].bytes = 64; }],
  ['an element that is not aligned', 'alignment', "prefill: steps[1].body[0] (scale) 'out'", (p) => { body(p, 0).args[2].offset.base += 2; }],
  ['a kernel that writes weights', 'access', "prefill: steps[1].body[0] (scale) 'out'", (p) => { moveTo(body(p, 0).args[2], body(p, 0).args[1]); body(p, 0).args[2].offset = { base: 0, terms: [] }; }],
  ['a result on top of its operand', 'overlap', 'prefill: steps[1].body[2] (add)', (p) => { moveTo(body(p, 2).args[2], body(p, 2).args[0]); }],
  ['a temporary on top of a value that is still wanted', 'written', "prefill: steps[1].body[2] (add) 'x0'", (p) => { moveTo(body(p, 0).args[2], body(p, 0).args[0]); }],
  ['a read of another value', 'written', "prefill: steps[1].body[2] (add) 'x0'", (p) => { moveTo(body(p, 2).args[0], collective(p, 1).from); }],
  ['a read before the write', 'written', "prefill: steps[1].body[1] (add) 'x1'", (p) => { const b = layers(p).body; [b[1], b[2]] = [b[2], b[1]]; }],
  ['a value left over from the iteration before', 'written', "prefill: steps[1].body[2] (scale) 'x0'", (p) => { const b = layers(p).body; [b[2], b[3]] = [b[3], b[2]]; }],
  ['a launch left out', 'written', 'prefill: steps[1].body[4]', (p) => { layers(p).body.splice(3, 1); }],
  ['a carried value that is not renamed', 'written', "prefill: steps[1].body[0] (scale) 'x0'", (p) => { layers(p).carries[0].next = 'mid'; }],
  ['an initial value that is another', 'written', "prefill: steps[1].body[0] (scale) 'x0'", (p) => { layers(p).carries[0].initial = 'last'; }],
  ['a stacked output with too small a stride', 'written', "prefill: output 'hidden'", (p) => { for (const i of [2, 3, 4, 6]) for (const a of body(p, i).args) if (a.buffer === 'output') a.offset.terms[0].stride = 256; }],
  ['an output that nothing writes', 'written', "decode: output 'y'", (p) => { p.entries[1].steps.pop(); }],
  ['a port with more elements than its region', 'ports', "prefill: input 'x'", (p) => { p.entries[0].inputs[0].shape[1] = { kind: 'int', value: 32 }; }],
  ['a repeat that runs once too often', 'table read', "prefill: steps[1].body[0] (scale) 'p0'", (p) => { layers(p).count = 4; }],
  ['a collective over an unknown group', 'collective', 'prefill: steps[1].body[1]', (p) => { collective(p, 1).group = 'expert'; }],
  ['collectives with falling tags', 'collective', 'prefill: steps[1].body[5]', (p) => { collective(p, 5).tag = 0; }],
  ['a collective that moves less than the value', 'collective', 'prefill: steps[1].body[1]', (p) => { collective(p, 1).count = { kind: 'int', value: 16 }; }],
  ['a gather into the room of one part', 'collective', 'prefill: steps[1].body[1]', (p) => { collective(p, 1).op = 'all_gather'; }],
  ['a cut through a tensor', 'pieces', "prefill: steps[1].body[0] (scale) 'out'", (p) => { const at = body(p, 0).args[2].offset.base; buffer(p, 'scratch').pieces = [0, at + 256]; }],
];

describe('every mutation of a plan is rejected', () => {
  for (const [name, law, where, mutate] of mutations) it(name, () => {
    const bundle = structuredClone(realPlan()) as Open<Bundle>;
    mutate(bundle.plan, bundle);
    bundle.plan.hash = planHash(bundle.plan as Plan);
    const found = verifyPlan(bundle as Bundle).filter((v) => v.law === law && v.where.startsWith(where));
    expect(found, printViolations(verifyPlan(bundle as Bundle))).not.toHaveLength(0);
  });

  it('any change at all, by the hash', () => {
    const bundle = structuredClone(realPlan()) as Open<Bundle>;
    bundle.plan.weights[0].path = 'layers[0].v';
    expect(verifyPlan(bundle as Bundle).map((v) => v.law)).toContain('hash');
  });

  it('a value of another dtype', () => {
    const bundle = structuredClone(realPlan()) as Open<Bundle>;
    for (const k of bundle.plan.kernels.filter((k) => k.name === 'add')) for (const v of k.views) v.dtype = 'i32';
    expect(verifyPlan(bundle as Bundle).map((v) => v.law)).toContain('dtype');
  });
});

test('plans are accepted as the planner makes them', () => {
  for (const bundle of [realPlan(), residualStack(4).plan(), residualStack(4, 64, 'inside').plan({ maxBufferBytes: 4096 })]) {
    expect(printViolations(verifyPlan(bundle))).toBe('');
  }
});

test('the verifier uses no module of the planner', () => {
  const root = new URL('../../compiler/plan/', import.meta.url);
  const files = ['verify-plan.ts', ...readdirSync(new URL('verify/', root)).map((f) => `verify/${f}`)];
  const imported = new Set(files.flatMap((f) => [...readFileSync(new URL(f, root), 'utf8').matchAll(/^import (type )?.*from '(.*)';$/gm)].filter((m) => !m[1]).map((m) => m[2].split('/').at(-1)!)));
  // The version number, the digest that the format prescribes, and its own files.
  expect([...imported].sort()).toEqual(['canonical-json.js', 'declarations.js', 'entry-run.js', 'memory.js', 'plan-hash.js', 'plan.js', 'ranks.js', 'sha256.js', 'violation.js']);
});
