/** Specs from a string or from `examples/`, with the standard library. */
import { readFileSync } from 'node:fs';
import { loadProgram, type Program } from '../../dsl/modules.js';
import { nodeLoader } from '../../dsl/std-node.js';

export function loadText(text: string, path = 'test.firn'): Program {
  return loadProgram({ path, text }, nodeLoader);
}

export function loadExample(name: string): Program {
  return loadText(readFileSync(new URL(`../../examples/${name}.firn`, import.meta.url), 'utf8'), `examples/${name}.firn`);
}
