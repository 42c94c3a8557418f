/** Nothing in the compiler knows a layer of the standard library: copies under other names give the same module. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Module } from '../../../compiler/ir/graph.js';
import { moduleOf } from '../../support/elaborate-text.js';

const read = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');
const list = (folder: string): string[] => readdirSync(new URL(`../../../${folder}`, import.meta.url)).filter((f) => f.endsWith('.firn')).map((f) => `${folder}/${f}`);

// Update rules are read by training entry points, not by the model's graph.
const library = list('dsl/std').filter((path) => !path.endsWith('optimizers.firn')).map(read).join('\n');
const items = new Map([...library.matchAll(/^(?:layer|fn) ([a-z_0-9]+)\(/gm)].map((m, i, all) => [m[1], library.slice(m.index, all[i + 1]?.index)]));
const specs = [...list('examples'), ...list('tests/families'), 'tests/spec/ok/other-layers.firn', 'tests/spec/ok/recurrent-layers.firn', 'tests/spec/ok/routed-layers.firn'];

const uses = (text: string): string[] => [...items.keys()].filter((name) => new RegExp(`\\b${name}\\b`).test(text));

/** The module without spans: what the compiler works on. */
function content(module: Module): unknown {
  return JSON.parse(JSON.stringify(module, (key, value: unknown) => (key === 'span' ? undefined : value)));
}

const withoutTraining = (spec: string): string => spec.replace(/^ {2}train with .*$/m, '');

/** Library and spec in one file, every layer and function of the library under another name, wherever it is used. */
function withCopies(spec: string): string {
  const text = `${library}\n${spec}`.replace(/^use [^}]*\}/gm, '').replace(/#.*$/gm, '');
  const name = new RegExp(`(?<![.\\w])(${[...items.keys()].join('|')})\\b(?!\\s*(=(?!=)|:))`, 'g');
  return text.split('"').map((part, i) => (i % 2 === 1 ? part : part.replace(name, 'other_$1'))).join('"');
}

test.each(specs)('%s: renamed copies of its layers give the same module', (path) => {
  const spec = withoutTraining(read(path));
  expect(content(moduleOf(withCopies(spec), { taps: true }))).toEqual(content(moduleOf(spec, { taps: true })));
});

describe('the specs above', () => {
  test('use every layer and function of the library', () => {
    const used = new Set(specs.flatMap((path) => uses(read(path))));
    for (const name of used) for (const inner of uses(items.get(name)!)) used.add(inner);
    expect([...items.keys()].filter((name) => !used.has(name))).toEqual([]);
  });
});
