/** Spec files and the modules that they use. */
import { readFileSync } from 'node:fs';
import type { SourceFile } from '../dsl/span.js';

export { nodeLoader } from '../dsl/std-node.js';

export function readSpec(path: string): SourceFile {
  return { path, text: readFileSync(path, 'utf8') };
}
