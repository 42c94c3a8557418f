import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const here = new URL('./', import.meta.url);
const dsl = new URL('../../../dsl/', import.meta.url);

test('every code of elaboration has a test', () => {
  const catalogue = readdirSync(dsl).filter((f) => f.endsWith('-messages.ts')).map((f) => readFileSync(new URL(f, dsl), 'utf8')).join('\n');
  const tests = readdirSync(here).map((f) => readFileSync(new URL(f, here), 'utf8')).join('\n');
  const codes = [...new Set([...catalogue.matchAll(/error\('(E0[2-6]\d\d)'/g)].map((m) => m[1]))];
  expect(codes.length).toBeGreaterThan(80);
  expect(codes.filter((code) => !tests.includes(code))).toEqual([]);
});
