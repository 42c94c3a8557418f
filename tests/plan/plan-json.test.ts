import { expect, test } from 'vitest';
import { residualStack } from '../../backends/conformance/launch-builder.js';
import { planHash } from '../../compiler/plan/plan-hash.js';
import { readBundle, readPlan, writeBundle } from '../../compiler/plan/plan-json.js';
import { sha256 } from '../../compiler/plan/sha256.js';

const files = writeBundle(residualStack(3).plan());
/** The plan with one value replaced, the hash right again. */
function changed(change: (plan: any) => void): string {
  const plan = JSON.parse(files.plan);
  change(plan);
  return JSON.stringify({ ...plan, hash: planHash(plan) });
}

test('a bundle survives the files, and is written the same way twice', () => {
  const read = readBundle(files.plan, files.kernels);
  expect(read).toEqual(residualStack(3).plan());
  expect(writeBundle(read)).toEqual(files);
});

test.each([
  ['plan.entries[0].steps[1].body[0].kernel: expected a string, found 3', (p: any) => { p.entries[0].steps[1].body[0].kernel = 3; }],
  ["plan.entries[0].steps[1].kind: expected one of \"launch\", \"repeat\", \"copy\", \"collective\", found \"loop\"", (p: any) => { p.entries[0].steps[1].kind = 'loop'; }],
  ["plan.buffers[0]: has the unknown field 'size'", (p: any) => { p.buffers[0].size = 3; }],
  ["plan.weights[1]: has no field 'packing'", (p: any) => { delete p.weights[1].packing; }],
  ['plan.weights[1].dtype: expected one of "f32", "bf16", "f16", "i32", "u32", "bool", found "f64"', (p: any) => { p.weights[1].dtype = 'f64'; }],
  ['plan.buffers[0].bytes: expected an integer not below 0, found -1', (p: any) => { p.buffers[0].bytes = -1; }],
  ['plan.entries[0].steps[0].grid[0].kind: expected one of', (p: any) => { p.entries[0].steps[0].grid[0] = { kind: 'element', view: 'x', at: [] }; }],
  ['plan.version: this firn reads version 1, the plan has 2; compile it again', (p: any) => { p.version = 2; }],
])('refused: %s', (message, change) => {
  expect(() => readPlan(changed(change))).toThrow(message);
});

test('refused: what was changed, cut short or mixed up', () => {
  expect(() => readPlan(files.plan.replace('"peakBytes":', '"peakBytes":1'))).toThrow('plan.hash: does not match the content');
  expect(() => readPlan(files.plan.slice(0, 1000))).toThrow('plan: is not JSON');
  expect(() => readBundle(files.plan, files.kernels.replace('"embed"', '"entry"'))).toThrow("kernels[0]: is not the program that the plan was made with for 'embed'");
  expect(() => readBundle(files.plan, '[]')).toThrow('kernels: has 0 programs, the plan has 3 kernels');
});

test('digests are SHA-256', () => {
  expect(sha256('')).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
  expect(sha256('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  expect(sha256('é'.repeat(100))).toBe(sha256('é'.repeat(100)));
  expect(sha256('a'.repeat(1_000_000))).toBe('cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0');
});
