import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { renderDiagnostic } from '../../dsl/diagnostics.js';
import { joinPath, loadProgram, lookUp, memoryLoader, type ModuleLoader } from '../../dsl/modules.js';
import { nodeLoader } from '../../dsl/std-node.js';

const std = {
  'std/math.firn': 'fn clamp(x) = x\nfn half(x) = x / 2\n',
  'std/norms.firn': 'use std.math.{half}\nlayer rms(x: [d]) -> [d] {\n  return half(x)\n}\n',
};

function load(text: string, files: Record<string, string> = {}, loader: ModuleLoader = memoryLoader({ ...std, ...files })) {
  return loadProgram({ path: 'models/a.firn', text }, loader);
}

/** Code, place and message of every diagnostic. */
function found(text: string, files: Record<string, string> = {}): string[] {
  return load(text, files).diagnostics.map((d) => `${d.code} ${d.span.file}:${d.span.line}:${d.span.column} ${d.message}`);
}

test('a name comes from whichever standard module defines it, and sees the names of its own file', () => {
  const program = load('use std.{rms}\nmodel M {\n}\n');
  expect(program.diagnostics).toEqual([]);
  expect([...program.files.keys()]).toEqual(['std/math.firn', 'std/norms.firn', 'models/a.firn']);
  const rms = lookUp(program, 'models/a.firn', 'rms')!;
  expect([rms.item.kind, rms.path]).toEqual(['layer', 'std/norms.firn']);
  expect(lookUp(program, rms.path, 'half')!.path).toBe('std/math.firn');
  expect(lookUp(program, 'models/a.firn', 'half')).toBeUndefined();
  expect(lookUp(program, 'models/a.firn', 'M')!.item.kind).toBe('model');
});

test('files of the user are found relative to the file that uses them', () => {
  const files = { 'own/b.firn': 'use "../models/c.firn".{deep}\nfn b(x) = deep(x)\n', 'models/c.firn': 'fn deep(x) = x\n' };
  const program = load('use "../own/b.firn".{b}\n', files);
  expect(program.diagnostics).toEqual([]);
  expect(lookUp(program, 'own/b.firn', 'deep')!.path).toBe('models/c.firn');
  expect(['a.firn', '/x/a.firn', '../a.firn'].map((from) => joinPath(from, '../b/./c.firn'))).toEqual(['../b/c.firn', '/b/c.firn', '../../b/c.firn']);
});

test('the real standard library serves the examples', () => {
  const path = 'examples/kimi-k2.firn';
  const program = loadProgram({ path, text: readFileSync(path, 'utf8') }, nodeLoader);
  expect(program.diagnostics.map((d) => renderDiagnostic(d, program.sources))).toEqual([]);
  expect(lookUp(program, path, 'mla')!.path).toBe('std/attention.firn');
});

test('no two standard modules define one name, and all of them load', () => {
  const names = nodeLoader.standard().flatMap((s) => loadProgram(s, nodeLoader).files.get(s.path)!.items.map((i) => i.name.name));
  expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
  for (const s of nodeLoader.standard()) expect(loadProgram(s, nodeLoader).diagnostics).toEqual([]);
});

test('unknown modules, files and names say what there is instead', () => {
  expect(found('use std.norm.{rms}\n')).toEqual(['E0101 models/a.firn:1:1 there is no module `std.norm`']);
  expect(load('use std.norm.{rms}\n').diagnostics[0].notes[0].text).toBe('did you mean `std.norms`?');
  expect(found('use "./c.firn".{x, y}\n')).toEqual(['E0102 models/a.firn:1:1 cannot read "./c.firn"']);
  expect(found('use std.{rms, rsm}\n')).toEqual(['E0103 models/a.firn:1:15 `std` does not define `rsm`']);
  expect(load('use std.{rsm}\n').diagnostics[0].fix!.edits[0].replacement).toBe('rms');
  expect(load('use std.math.{rms}\n').diagnostics[0].notes[0].text).toBe('std.norms defines it: write `use std.norms.{rms}`');
});

test('a name that is used is defined by that module itself, not passed on by it', () => {
  expect(found('use std.norms.{half}\n')).toEqual(['E0103 models/a.firn:1:16 `std.norms` does not define `half`']);
});

test('one name, one meaning', () => {
  expect(found('fn a(x) = x\nfn a(y) = y\n')).toEqual(['E0106 models/a.firn:2:4 `a` is defined twice']);
  expect(found('use std.{half}\nfn half(x) = x\n')).toEqual(['E0107 models/a.firn:1:10 `half` would stand for two things']);
  expect(found('use std.{half}\nuse "b.firn".{half}\n', { 'models/b.firn': 'fn half(x) = x\n' })).toEqual(['E0107 models/a.firn:2:15 `half` would stand for two things']);
  expect(found('use std.{half}\nuse std.math.{half}\n')).toEqual([]);
  expect(found('use std.{half}\n', { 'std/other.firn': 'fn half(x) = x\n' })).toEqual(['E0105 models/a.firn:1:10 `half` is defined by std.math and std.other']);
});

test('a circle of files is reported once, with its way', () => {
  const files = { 'models/b.firn': 'use "a.firn".{a, c}\nfn b(x) = x\n' };
  const program = load('use "./b.firn".{b}\nfn a(x) = x\nfn c(x) = x\n', files);
  expect(program.diagnostics.map((d) => [d.code, d.notes[1].text])).toEqual([['E0104', 'models/a -> models/b -> models/a']]);
});

test('errors of a used file come with that file', () => {
  expect(found('use "b.firn".{b}\n', { 'models/b.firn': 'fn b(x) = x +\n' })).toEqual(['E0010 models/b.firn:1:14 expected an expression, but the file ends']);
});
