/** The module loader of Node: the standard library beside this package, users' files from the disk. */
import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { ModuleLoader } from './modules.js';
import type { SourceFile } from './span.js';
import { readTextFile } from './text-node.js';

/** `dsl/std`, seen from this file in the source tree or from its compiled copy in `dist/dsl`. */
function standardFolder(): string {
  const candidates = ['./std/', '../../dsl/std/'].map((path) => fileURLToPath(new URL(path, import.meta.url)));
  const found = candidates.find((path) => existsSync(`${path}norms.firn`));
  if (found === undefined) throw new Error(`the standard library is missing: looked in ${candidates.join(' and ')}`);
  return found;
}

let standard: readonly SourceFile[] | undefined;
let families: readonly SourceFile[] | undefined;

function readStandard(below: string): readonly SourceFile[] {
  const folder = standardFolder() + below;
  const names = readdirSync(folder).filter((name) => name.endsWith('.firn')).sort();
  return names.map((name) => ({ path: `std/${below}${name}`, text: readTextFile(folder + name) }));
}

/** The import rules of the standard library, one file per family. */
export function standardFamilies(): readonly SourceFile[] {
  return (families ??= readStandard('families/'));
}

export const nodeLoader: ModuleLoader = {
  standard: () => (standard ??= readStandard('')),
  read: (path) => (existsSync(path) ? { path, text: readTextFile(path) } : undefined),
};

/** A spec from the disk. Throws TextError. */
export function readSpec(path: string): SourceFile {
  return { path, text: readTextFile(path) };
}
