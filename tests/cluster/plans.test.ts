import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { referenceDevice } from '../../backends/reference/device.js';
import type { Mesh } from '../../compiler/ir/mesh.js';
import type { Bundle, Plan, Step } from '../../compiler/ir/plan.js';
import { planHash } from '../../compiler/plan/plan-hash.js';
import { printViolations, verifyPlan, verifyRanks, type Law } from '../../compiler/plan/verify-plan.js';
import { renderDiagnostic } from '../../dsl/diagnostics.js';
import { nodeLoader } from '../../dsl/std-node.js';
import { compile, load, type Compiled } from '../../index.js';
import { relativeError } from '../golden/families.js';

/** Latent attention, a dense layer and two with experts; `width` of each expert, `extra` sections. */
const spec = (width = 64, extra = ''): string => `use std.{rms, embedding, linear, yarn, yarn_scale, rotate, mla, swiglu, moe, sigmoid_gate}

model Small {
  dim vocab = 64
  dim hidden = 32
  context 64
  def norm      = rms(eps: 1e-6)
  def rotary    = rotate(freq: yarn(base: 50000, dims: 8, factor: 4, original: 16, beta_fast: 1, beta_slow: 1), pairs: interleaved)
  def attention = mla(heads: 4, q_rank: 16, kv_rank: 16, nope: 8, rope: 8, value: 8, rotary: rotary,
                      latent_norm: rms(eps: 1e-6), score_scale: yarn_scale(16, 4, 1.0))
  def dense     = swiglu(width: 48)
  def sparse    = moe(experts: 6, active: 2, expert: swiglu(width: ${width}), shared: swiglu(width: 32),
                      gate: sigmoid_gate(normalize: true, scale: 2.0))
  x = embed = embedding(tokens, vocab, hidden)
  repeat layers[3] as i {
    x += attn = attention(attn_norm = norm(x))
    x += ffn = (if i < 1 then dense else sparse)(ffn_norm = norm(x))
  }
  h = final_norm = norm(x)
  logits = head = linear(h, vocab)
  ${extra}
}
`;
const packed = 'quantize layers[*].ffn.experts.* to int4(group: 32, along: in)';

function compiled(text: string, mesh?: Mesh): Compiled {
  return compile({ entry: { path: 'small.firn', text }, load: nodeLoader, target: 'reference', context: 32, maxTokens: 8, outputs: 8, sequences: 2, ...(mesh ? { mesh } : {}) });
}

function planned(text: string, mesh?: Mesh): Bundle {
  const { bundle, diagnostics } = compiled(text, mesh);
  expect(diagnostics).toEqual([]);
  return bundle!;
}

/** Logits of two sequences, mixed in one run, then one more token of each. */
async function logitsOf(bundle: Bundle): Promise<number[]> {
  const { session, close } = await load(bundle, referenceDevice({ checked: true }), { weights: { seed: 5 } });
  const [a, b] = [session.open(), session.open()];
  const first = await session.run([{ sequence: a, tokens: [1, 2, 3, 60], rows: 'all' }, { sequence: b, tokens: [7, 8], rows: 'all' }], ['logits']);
  const then = await session.run([{ sequence: a, tokens: [9], rows: 'all' }, { sequence: b, tokens: [10], rows: 'all' }], ['logits']);
  await close();
  return [...first, ...then].flatMap((r) => [...r.outputs.logits]);
}

const four: Mesh = { tensor: 2, expert: 2 };

describe('a compiled model on several ranks', () => {
  for (const [name, text] of [['f32', spec()], ['int4 experts', spec(64, packed)]] as const) it(`gives the logits of one rank: ${name}`, async () => {
    const one = await logitsOf(planned(text));
    for (const mesh of [four, { expert: 3 }]) expect(relativeError(await logitsOf(planned(text, mesh)), one), JSON.stringify(mesh)).toBeLessThan(1e-5);
  });

  it('stores on each rank its parts only', () => {
    const [one, parts] = [planned(spec()).plan, planned(spec(), four).plan];
    const bytes = (plan: Plan, pattern: RegExp): number => plan.weights.filter((w) => pattern.test(w.path)).reduce((n, w) => n + w.bytes, 0);
    const ratio = (pattern: RegExp): number => bytes(one, pattern) / bytes(parts, pattern);
    expect(ratio(/experts/)).toBe(4);
    expect(ratio(/attn\.(wq_b|wk_b|wv_b|wo)$/)).toBe(2);
    expect(ratio(/layers\[0\]\.ffn\.|shared/)).toBe(2);
    expect(ratio(/norm|embed|head|wq_a|wkv_a|ffn\.gate\.(weight|bias)/)).toBe(1);
    expect(parts.groups).toEqual([{ name: 'tensor', teams: [[0, 1], [2, 3]] }, { name: 'expert', teams: [[0, 2], [1, 3]] }]);
    expect(parts.weights.find((w) => w.path === 'layers[1].ffn.experts.up')!.shard).toEqual([{ axis: 'width_2', group: 'tensor' }, { axis: 'experts', group: 'expert' }]);
  });

  it('full K2 on 64 ranks: a sixty-fourth of the experts each, and the ranks meet', () => {
    const text = readFileSync(new URL('../../examples/kimi-k2.firn', import.meta.url), 'utf8');
    const { bundle } = compile({ entry: { path: 'kimi-k2.firn', text }, load: nodeLoader, target: 'null', mesh: { tensor: 8, expert: 8 } });
    const { plan } = bundle!;
    expect([plan.ranks, plan.groups.map((g) => g.teams.length)]).toEqual([64, [8, 8]]);
    expect(plan.buffers.find((b) => b.kind === 'weights')!.bytes).toBeLessThan(18e9);
    expect(plan.weights.find((w) => w.path === 'layers[60].ffn.experts.down')!.axes.map((a) => a.size)).toEqual([48, 7168, 256]);
  });

  it('is the same plan each time, and without a mesh the spec\'s own binds nothing', () => {
    expect(planned(spec(), four).plan.hash).toBe(planned(spec(), four).plan.hash);
    expect(planned(spec(64, 'mesh { tensor: 2 }')).plan.ranks).toBe(1);
  });
});

describe('what cannot be divided says so, with the line of the mesh', () => {
  const errorOf = (text: string, mesh: Mesh): string => {
    const { diagnostics, files } = compiled(text, mesh);
    return diagnostics.map((d) => renderDiagnostic(d, files)).join('\n');
  };
  const cases: readonly [name: string, text: string, mesh: Mesh, wanted: readonly RegExp[]][] = [
    ['heads', spec(64, 'mesh { tensor: 3 }'), { tensor: 3 }, [/E0810/, /`layers\[0\]\.attn\.wq_b` has 4 places, which do not divide among 3 ranks/, /small\.firn:21:10/]],
    ['experts', spec(64, 'mesh { expert: 4 }'), { expert: 4 }, [/E0810/, /experts of `layers\[1\]\.ffn\.experts\.gate` has 6 places/, /small\.firn:21:10/]],
    ['groups of int4', spec(32, `${packed}\n  mesh { tensor: 2 }`), { tensor: 2 }, [/E0811/, /`layers\[1\]\.ffn\.experts\.down` is quantized in groups of 32 along width_2, but each of 2 ranks gets 16/, /small\.firn:22:10/]],
    ['an axis that means something else', spec(), { pipeline: 2 }, [/E0812/, /`pipeline`/, /`tensor` and `expert`/]],
    ['a model without experts', spec().replace('(if i < 1 then dense else sparse)', 'dense'), { expert: 2 }, [/E0813/, /nothing to divide along `expert: 2`/]],
  ];
  for (const [name, text, mesh, wanted] of cases) it(name, () => {
    const shown = errorOf(text, mesh);
    for (const pattern of wanted) expect(shown).toMatch(pattern);
  });
});

type Open<T> = { -readonly [K in keyof T]: T[K] extends object | undefined ? Open<T[K]> : T[K] };
type OpenCollective = Open<Extract<Step, { kind: 'collective' }>>;

function collectivesOf(steps: Open<readonly Step[]>): { list: Open<Step>[]; at: number; step: OpenCollective }[] {
  return (steps as Open<Step>[]).flatMap((step, at) => (step.kind === 'repeat' ? collectivesOf(step.body) : step.kind === 'collective' ? [{ list: steps as Open<Step>[], at, step: step as OpenCollective }] : []));
}

/** Content of two collectives exchanged, tags staying where they are. */
function exchange(a: OpenCollective, b: OpenCollective): void {
  const [x, y] = [structuredClone(a), structuredClone(b)];
  Object.assign(a, y, { tag: x.tag });
  Object.assign(b, x, { tag: y.tag });
}

const dense = planned(spec(), four);
const inEntry = (p: Open<Plan>, entry = 0) => collectivesOf(p.entries[entry].steps);

describe('the verifier proves that all ranks meet', () => {
  it('accepts the plan, for every rank', () => {
    expect(printViolations(verifyPlan(dense))).toBe('');
    expect(inEntry(structuredClone(dense.plan) as Open<Plan>).map(({ step }) => `${step.op} ${step.group} ${step.tag}`)).toEqual([
      'all_reduce tensor 0', 'all_reduce tensor 1', 'all_reduce tensor 2', 'all_reduce expert 3', 'all_reduce tensor 4',
    ]);
    expect(verifyRanks([dense.plan, dense.plan, dense.plan, dense.plan])).toEqual([]);
  });

  const ofAll: readonly [name: string, law: Law, mutate: (plan: Open<Plan>) => void][] = [
    ['a collective left out', 'written', (p) => { const { list, at } = inEntry(p)[2]; list.splice(at, 1); }],
    ['two collectives in the other order', 'collective', (p) => { const { list, at } = inEntry(p)[3]; const other = inEntry(p)[4].at; [list[at], list[other]] = [list[other], list[at]]; }],
    ['a tag twice', 'collective', (p) => { inEntry(p)[1].step.tag = 0; }],
    ['fewer elements than the value has', 'collective', (p) => { inEntry(p)[3].step.count = { kind: 'int', value: 32 }; }],
    ['a group that is not in the mesh', 'collective', (p) => { inEntry(p)[3].step.group = 'pipeline'; }],
    ['a rank in two teams', 'groups', (p) => { p.groups[0].teams = [[0, 1], [1, 3]]; }],
    ['teams of different sizes', 'groups', (p) => { p.groups[1].teams = [[0, 2, 1], [3]]; }],
    ['a rank that no team has', 'collective', (p) => { p.groups[0].teams = [[0, 1], [2]]; }],
  ];
  for (const [name, law, mutate] of ofAll) it(`rejects ${name}`, () => {
    const bundle = structuredClone(dense) as Open<Bundle>;
    mutate(bundle.plan);
    bundle.plan.hash = planHash(bundle.plan as Plan);
    expect(verifyPlan(bundle as Bundle).map((v) => v.law)).toContain(law);
  });

  const ofOne: readonly [name: string, wanted: RegExp, mutate: (plan: Open<Plan>) => void][] = [
    ['leaves one out', /^rank 0 waits in all_reduce over tensor #4 .* for rank 1, which waits in all_reduce over tensor #2/, (p) => { const { list, at } = inEntry(p)[4]; list.splice(at, 1); }],
    ['has them in another order', /^rank 0 waits in all_reduce over tensor #4 .* for rank 1, which waits in all_reduce over tensor #3 /, (p) => { exchange(inEntry(p)[3].step, inEntry(p)[4].step); }],
    ['has another tag', /for rank 1, which waits in all_reduce over tensor #9 /, (p) => { inEntry(p)[0].step.tag = 9; }],
    ['moves other bytes', /of 256 bytes of f32 for rank 1, which waits in .* of 64 bytes/, (p) => { for (const part of ['from', 'to'] as const) inEntry(p)[1].step[part].bytes = 64; }],
    ['moves another dtype', /of bf16/, (p) => { inEntry(p)[1].step.dtype = 'bf16'; }],
    ['gathers where the others add', /all_gather/, (p) => { inEntry(p)[1].step.op = 'all_gather'; }],
    ['runs one layer less', /^rank 0 waits in .* for rank 1, which has ended/, (p) => { (p.entries[0].steps.find((s) => s.kind === 'repeat') as { count: number }).count = 1; }],
    ['has another idea of its team', /do not agree on who is in it|waits in/, (p) => { p.groups[0].teams = [[0, 2], [1, 3]]; }],
    ['lacks an entry', /^rank 1 has no such entry/, (p) => { p.entries.pop(); }],
  ];
  for (const [name, wanted, mutate] of ofOne) it(`rejects ranks of which one ${name}`, () => {
    const other = structuredClone(dense.plan) as Open<Plan>;
    mutate(other);
    const found = verifyRanks([dense.plan, other as Plan, dense.plan, dense.plan]);
    expect(found.map((v) => v.law)).toContain('collective');
    expect(found[0].message).toMatch(wanted);
  });
});
