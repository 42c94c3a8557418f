import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Module } from '../../../compiler/ir/graph.js';
import { moduleOf } from '../../support/elaborate-text.js';

/** The module without spans: what the compiler works on. */
function content(module: Module): unknown {
  return JSON.parse(JSON.stringify(module, (key, value: unknown) => (key === 'span' ? undefined : value)));
}

function source(path: string): string {
  return readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');
}

const renamed: Readonly<Record<string, string>> = {
  rms: 'alpha', embedding: 'beta', linear: 'gamma', mla: 'delta', gqa: 'epsilon', swiglu: 'zeta', moe: 'eta', sigmoid_gate: 'theta', softmax_gate: 'iota_gate',
  rotate: 'kappa', yarn: 'lambda', yarn_scale: 'mu', plain: 'nu', llama3: 'xi', silu: 'omicron', gated_delta_net: 'pi_net', gated_delta: 'rho', causal_conv: 'sigma',
};

/** The spec with copies of all the standard layers it could use, every layer and function under another name. */
function withCopies(spec: string): string {
  const modules = ['math', 'activations', 'norms', 'linear', 'rope', 'attention', 'ffn', 'moe', 'recurrence'].map((m) => source(`dsl/std/${m}.firn`));
  const text = [...modules, spec].join('\n').replace(/^use .*$/gm, '').replace(/^  train with .*$/m, '');
  return Object.entries(renamed).reduce((t, [from, to]) => t.replace(new RegExp(`\\b${from}\\b(?= *\\()|(?<=(layer|fn) )${from}\\b`, 'g'), to), text);
}

test.each(['kimi-k2', 'mixtral-8x7b', 'llama-3.1-405b', 'k2-mini', 'bloom', 'qwen3-235b-a22b', 'moonlight'])('%s: renamed copies of its layers give the same module', (name) => {
  const spec = source(`examples/${name}.firn`);
  const copied = withCopies(spec);
  expect(copied).not.toContain('mla(');
  expect(content(moduleOf(copied, { taps: true }))).toEqual(content(moduleOf(spec, { taps: true })));
});
