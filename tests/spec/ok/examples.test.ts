import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { elaborate } from '../../../compiler/check/elaborate.js';
import { countParameters } from '../../../compiler/check/model-info.js';
import { checkSpec } from '../../../compiler/compile.js';
import type { Module } from '../../../compiler/ir/graph.js';
import { verifyModule } from '../../../compiler/ir/verify-graph.js';
import { checkpointBytes } from '../../../compiler/model/checkpoint-bytes.js';
import { nodeLoader } from '../../../dsl/std-node.js';
import { loadExample } from '../../support/load-program.js';

function moduleOf(name: string): Module {
  const program = loadExample(name);
  const result = elaborate(program, { taps: true });
  expect([...program.diagnostics, ...result.diagnostics]).toEqual([]);
  return result.module!;
}

describe('examples', () => {
  test.each([
    ['kimi-k2', 1_026_408_232_448],
    ['mixtral-8x7b', 46_702_792_704],
    ['llama-3.1-405b', 405_853_388_800],
    ['k2-mini', 297_386_944],
    ['kimi-k2-thinking', 1_026_408_232_448],
    ['deepseek-v3', 671_026_419_200],
    ['bloom', 176_247_271_424],
    ['qwen3-235b-a22b', 235_093_634_560],
    ['moonlight', 15_960_110_208],
  ])('%s is a valid module of exactly %d parameters', (name, parameters) => {
    const module = moduleOf(name);
    expect(countParameters(module)).toBe(parameters);
    expect(verifyModule(module)).toEqual([]);
  });

  test('bytes of checkpoints as published, without stray buffers', () => {
    const bytes = (name: string): number => {
      const text = readFileSync(`examples/${name}.firn`, 'utf8');
      const { module, sources, diagnostics } = checkSpec({ entry: { path: `${name}.firn`, text }, load: nodeLoader });
      expect(diagnostics).toEqual([]);
      return checkpointBytes(module!, sources!);
    };
    expect(bytes('kimi-k2-thinking')).toBe(594_205_920_512 - 61 * 256);
    // Kimi K2 itself, which is published in fp8.
    const text = readFileSync('examples/deepseek-v3.firn', 'utf8').replaceAll('experts: 256', 'experts: 384').replace('heads: 128', 'heads: 64').replace('i < 3', 'i < 1').replace('vocab = 129280', 'vocab = 163840');
    const { module, sources } = checkSpec({ entry: { path: 'k2.firn', text }, load: nodeLoader });
    expect(checkpointBytes(module!, sources!)).toBe(1_029_173_256_720 - 61 * 112);
  });

  test('K2 is one dense layer in place and a repeat of sixty', () => {
    const { graph, params } = moduleOf('kimi-k2');
    const repeats = graph.nodes.filter((n) => n.op === 'repeat');
    expect(repeats.map((r) => [r.label, r.count])).toEqual([['layers', 60]]);
    expect(params.find((p) => p.paths[0] === 'layers[1].ffn.experts.gate')?.paths.at(-1)).toBe('layers[60].ffn.experts.gate');
  });

  test('taps carry their public names, one per iteration', () => {
    const { taps } = moduleOf('kimi-k2');
    const hidden = taps.flatMap((t) => t.names).filter((n) => n.startsWith('hidden.'));
    expect(hidden.sort((a, b) => Number(a.slice(7)) - Number(b.slice(7)))).toEqual(Array.from({ length: 62 }, (_, i) => `hidden.${i}`));
  });
});
