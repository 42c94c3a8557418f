import { describe, expect, it } from 'vitest';
import { lowerProgram } from '../../backends/cuda/lower.js';
import type { Kernel, Position, Statement } from '../../backends/cuda/lowered.js';
import type { Architecture } from '../../backends/cuda/lowered.js';
import { minus } from '../../compiler/kernels/scalar.js';
import { expertsModule, launchCase, matmulModule, programsOf, type Case } from './cases.js';
import { differenceOf } from './difference.js';

type Change = (s: Statement) => readonly Statement[];

function change(kernel: Kernel, mutate: Change): Kernel {
  const rewrite = (body: readonly Statement[]): Statement[] => body.flatMap((s) => mutate(s.op === 'for' || s.op === 'if' ? { ...s, body: rewrite(s.body) } : s));
  return { ...kernel, roles: kernel.roles.map((r) => ({ ...r, body: rewrite(r.body) })) };
}

const drop = (wanted: (s: Statement) => boolean): Change => (s) => (wanted(s) ? [] : [s]);
const replace = (with_: (s: Statement) => Statement | undefined): Change => (s) => [with_(s) ?? s];
const unguarded = (at: readonly Position[]): Position[] => at.map((p) => ({ value: p.value, guarded: false }));

function matmulCase(architecture: Architecture): { c: Case; kernel: Kernel } {
  const rows = architecture === 'sm_90a' ? 64 : 32;
  const [program] = programsOf(matmulModule(40, 152, 'f32'), `cuda:${architecture}`, false, { rows, lanes: 16, k: 32 });
  return { c: launchCase(program, { tokens: 45 }), kernel: lowerProgram(program, { architecture, stages: 3, warps: 4 }) };
}

function expertsCase(): { c: Case; kernel: Kernel } {
  const program = programsOf(expertsModule(2, 2, 40, 192, 32), 'cuda:sm_90a', false, { rows: 16, lanes: 64 }).find((p) => p.name.includes('grouped'))!;
  const c = launchCase(program, { tokens: 10 }, { spans: [0, 7, 7, 3, 10, 2], rows: Array.from({ length: 20 }, (_, i) => (i * 7) % 20) });
  return { c, kernel: lowerProgram(program, { architecture: 'sm_90a', stages: 3, warps: 4 }) };
}

/** Caught: the interpreter refuses it, or the result is wrong, under every seed. */
function caught(c: Case, kernel: Kernel): string[] {
  return [1, 2, 3].map((seed) => {
    try {
      const error = differenceOf(c, kernel, { seed, blocks: 1 });
      return error > 1e-3 ? 'wrong result' : `passed (${error})`;
    } catch (error) {
      return (error as Error).message;
    }
  });
}

function expectCaught(given: { c: Case; kernel: Kernel }, mutate: Change, why: RegExp): void {
  const mutant = change(given.kernel, mutate);
  expect(JSON.stringify(mutant)).not.toBe(JSON.stringify(given.kernel));
  for (const verdict of caught(given.c, mutant)) expect(verdict).toMatch(why);
}

describe('cp.async stages: what is broken in the lowered form is caught', () => {
  const given = matmulCase('sm_80');
  it('as it is, it passes', () => { for (const verdict of caught(given.c, given.kernel)) expect(verdict).toMatch(/^passed/); });
  const late = /is read while a copy|without waiting|overwritten|two copies/;
  it.each<[string, Change, RegExp]>([
    ['no wait for copies', drop((s) => s.op === 'wait_copies'), late],
    ['a wait for one group too few', replace((s) => (s.op === 'wait_copies' && s.pending > 0 ? { ...s, pending: s.pending + 1 } : undefined)), late],
    ['no barrier', drop((s) => s.op === 'sync'), late],
    ['one slot too few', (s) => [JSON.parse(JSON.stringify(s), (_, v) => (v?.kind === 'mod' && v.b?.value === 3 ? { ...v, b: { kind: 'int', value: 2 } } : v)) as Statement], late],
    ['no mask on the copies', replace((s) => (s.op === 'copy' ? { ...s, at: unguarded(s.at) } : undefined)), /without a guard/],
    ['no mask on the stores', replace((s) => (s.op === 'store' ? { ...s, at: unguarded(s.at) } : undefined)), /without a guard/],
    ['no commit', drop((s) => s.op === 'commit'), late],
    ['a stretch of k forgotten', replace((s) => (s.op === 'for' && s.unroll ? { ...s, hi: minus(s.hi, 1) } : undefined)), /wrong result/],
  ])('%s', (_, mutate, why) => expectCaught(given, mutate, why));
});

describe('TMA, the ring and wgmma', () => {
  const given = matmulCase('sm_90a');
  it('as it is, it passes', () => { for (const verdict of caught(given.c, given.kernel)) expect(verdict).toMatch(/^passed/); });
  const any = /is read while a copy|without waiting|overwritten|two copies|for ever|more arrivals|accumulates/;
  it.each<[string, Change, RegExp]>([
    ['no wait for a full slot', drop((s) => s.op === 'wait' && s.barrier === 'full'), any],
    ['no wait for an empty slot', drop((s) => s.op === 'wait' && s.barrier === 'empty'), any],
    ['wrong parity at full', replace((s) => (s.op === 'wait' && s.barrier === 'full' ? { ...s, parity: minus(1, s.parity) } : undefined)), any],
    ['wrong parity at empty', replace((s) => (s.op === 'wait' && s.barrier === 'empty' ? { ...s, parity: minus(1, s.parity) } : undefined)), any],
    ['a slot that is never released', drop((s) => s.op === 'arrive' && s.barrier === 'empty'), /for ever/],
    ['fewer bytes announced than copied', replace((s) => (s.op === 'expect' ? { ...s, bytes: s.bytes - 512 } : undefined)), any],
    ['the slot of this step released instead of the one before', replace((s) => (s.op === 'arrive' && s.barrier === 'empty' ? { ...s, slot: JSON.parse(JSON.stringify(s.slot), (_, v) => (v?.kind === 'add' ? v.a : v)) } : undefined)), any],
    ['no wgmma.fence', drop((s) => s.op === 'wgmma_fence'), /without wgmma.fence/],
    ['no wait for the last products', drop((s) => s.op === 'wgmma_wait' && s.pending === 0), /accumulates|overwritten|under way/],
    ['products waited for a step too late', replace((s) => (s.op === 'wgmma_wait' && s.pending === 1 ? { ...s, pending: 2 } : undefined)), any],
    ['another pattern than the buffer has', (s) => [s], /patterns/],
  ])('%s', (name, mutate, why) => {
    if (name !== 'another pattern than the buffer has') return expectCaught(given, mutate, why);
    const kernel = { ...given.kernel, maps: given.kernel.maps.map((m) => ({ ...m, swizzle: 32 as const })) };
    for (const verdict of caught(given.c, kernel)) expect(verdict).toMatch(why);
  });
});

describe('codes unpacked into the left operand', () => {
  const given = expertsCase();
  it('as it is, it passes', () => { for (const verdict of caught(given.c, given.kernel)) expect(verdict).toMatch(/^passed/); });
  it.each<[string, Change, RegExp]>([
    ['gathered rows not fenced for wgmma', drop((s) => s.op === 'proxy_fence'), /did not fence/],
    ['gathered rows announced before they landed', drop((s) => s.op === 'wait_copies'), /while a copy|without waiting|two copies/],
    ['registers rewritten while wgmma reads them', replace((s) => (s.op === 'wgmma_wait' && s.pending === 1 ? { ...s, pending: 2 } : undefined)), /overwritten while wgmma/],
    ['one fragment instead of two', (s) => [JSON.parse(JSON.stringify(s), (key, v) => ((key === 'out' || key === 'fragment') && typeof v === 'number' && given.kernel.fragments[v].name.endsWith('_1') ? v - 1 : v)) as Statement], /overwritten while wgmma reads/],
    ['scales of the neighbouring group', replace((s) => (s.op === 'dequantize' ? { ...s, step: (s.step + 2) % 4 } : undefined)), /wrong result/],
  ])('%s', (_, mutate, why) => expectCaught(given, mutate, why));
});
