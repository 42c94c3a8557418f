import { expect, test } from 'vitest';
import { checkSpec } from '../../../compiler/compile.js';
import { nodeLoader } from '../../../dsl/std-node.js';
import { modelWith } from '../../support/error-spec.js';

const codesOf = (text: string): string[] => checkSpec({ entry: { path: 'test.firn', text }, load: nodeLoader }).diagnostics.map((d) => d.code);
const rules = '"e" -> embed.table\n"h" -> head.weight';

test('E0617: a template is no spec', () => {
  expect(codesOf(modelWith('import "x" { }'))).toEqual(['E0617']);
});
test('E0618: rules of a finished spec are there or not', () => {
  expect(codesOf(modelWith(`weights { ${rules} when true }`))).toEqual(['E0618']);
  expect(codesOf(modelWith(`weights { ${rules} }`))).toEqual([]);
});
