/** Spec files and the modules that they use. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { SourceFile } from '../dsl/span.js';

export function readSpec(path: string): SourceFile {
  return { path, text: readFileSync(path, 'utf8') };
}

/** `std` in the sources, or above `dist` in a build. */
const library = ['../dsl/std', '../../dsl/std'].map((p) => fileURLToPath(new URL(p, import.meta.url))).find(existsSync);

/** `std.rope` is the standard library's; any other name is a file beside the spec. Undefined if there is none. */
export function moduleLoader(spec: string): (module: string) => SourceFile | undefined {
  return (module) => {
    const [first, ...rest] = module.split('.');
    const [folder, parts] = first === 'std' && library !== undefined ? [library, rest] : [dirname(spec), [first, ...rest]];
    const path = `${join(folder, ...parts)}.firn`;
    return existsSync(path) ? { path, text: readFileSync(path, 'utf8') } : undefined;
  };
}
