import { expect, test } from 'vitest';
import { makeLexer } from '../../../dsl/lexer.js';
import { loadProgram } from '../../../dsl/modules.js';
import { parse } from '../../../dsl/parse.js';
import { FirnParser } from '../../../dsl/parser.js';
import { nodeLoader } from '../../../dsl/std-node.js';

test('the grammar is free of ambiguities and left recursion, and the vocabulary of mistakes', () => {
  expect(() => new FirnParser(true)).not.toThrow();
  expect(makeLexer(true).lexerDefinitionErrors).toEqual([]);
});

test('every name of the standard library can be used from `std`', () => {
  const names = nodeLoader.standard().flatMap((s) => parse(s).file!.items.map((i) => i.name.name));
  const unique = names.filter((n) => names.indexOf(n) === names.lastIndexOf(n));
  expect(unique.length).toBeGreaterThan(20);
  const text = `use std.{${unique.join(', ')}}\n`;
  expect(loadProgram({ path: 'all.firn', text }, nodeLoader).diagnostics).toEqual([]);
});
