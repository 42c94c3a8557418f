/** The compiler knows no layer: models made of copies of the whole library, every item under another name, give the same plan. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { File } from '../../../dsl/ast.js';
import { parse } from '../../../dsl/parse.js';
import { print } from '../../../dsl/print.js';
import { nodeLoader } from '../../../dsl/std-node.js';
import { compile } from '../../../index.js';
import { random } from '../../fuzz/mutate.js';
import { randomSpec } from '../../fuzz/random-spec.js';

const folder = new URL('../../../dsl/std/', import.meta.url);
const library = readdirSync(folder).filter((n) => n.endsWith('.firn')).sort().map((n) => readFileSync(new URL(n, folder), 'utf8')).join('\n');
const names = [...library.matchAll(/^(?:layer|fn|const) (\w+)/gm)].map((m) => m[1]);

/** Everything in one file, with `copy_` before the name of each item of the library, wherever it is meant. */
function withCopies(text: string): string {
  const { file, diagnostics } = parse({ path: 'copies.firn', text: `${library}\n${text}`.replace(/^use .*$/gm, '') });
  expect(diagnostics).toEqual([]);
  const known = new Set(names);
  const rename = (node: unknown, hidden: ReadonlySet<string>): unknown => {
    if (Array.isArray(node)) return node.map((n) => rename(n, hidden));
    if (typeof node !== 'object' || node === null) return node;
    const record = node as Record<string, unknown>;
    const own = Object.fromEntries(Object.entries(record).map(([key, value]) => [key, rename(value, hidden)]));
    return record.kind === 'name' && known.has(record.name as string) && !hidden.has(record.name as string) ? { ...own, name: `copy_${record.name as string}` } : own;
  };
  const items = file!.items.map((item) => {
    const parameters = new Set('params' in item ? item.params.map((p) => p.name.name) : []);
    const inside = rename(item, parameters) as typeof item;
    return known.has(item.name.name) ? { ...inside, name: { ...item.name, name: `copy_${item.name.name}` } } : inside;
  });
  return print({ ...file!, items: items as File['items'] });
}

function plan(text: string): object {
  const { bundle, diagnostics } = compile({ entry: { path: 'a.firn', text }, load: nodeLoader, target: 'cpu', longest: 32, maxTokens: 8 });
  expect(diagnostics).toEqual([]);
  // Digests cover the source map.
  const kernels = bundle!.plan.kernels.map((k) => ({ ...k, origin: [], program: '' }));
  return { plan: { ...bundle!.plan, kernels, hash: '' }, programs: bundle!.programs.map((p) => ({ ...p, origin: [] })) };
}

describe('copies of the library under other names', () => {
  it.each([1, 3, 6, 10, 11])('random model %i', (seed) => {
    const r = random(seed);
    const { text } = randomSpec(Array.from({ length: 100 }, () => r.below(10_000)), names);
    const copied = withCopies(text);
    const declared = [...copied.matchAll(/^(?:layer|fn|const) (\w+)/gm)].map((m) => m[1]);
    expect(declared.filter((name) => names.includes(name))).toEqual([]);
    expect(plan(copied)).toEqual(plan(text));
  });
});
