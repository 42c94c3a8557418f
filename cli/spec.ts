/** Spec files and the modules that they use. */
import type { SourceFile } from '../dsl/span.js';
import { readTextFile } from '../dsl/text-node.js';

export { nodeLoader } from '../dsl/std-node.js';

export function readSpec(path: string): SourceFile {
  return { path, text: readTextFile(path) };
}
