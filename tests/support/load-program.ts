/** Reads a spec and the standard library from disk. */
import { readdirSync, readFileSync } from 'node:fs';
import type { Item } from '../../dsl/ast.js';
import type { Diagnostic } from '../../dsl/diagnostics.js';
import { parse } from '../../dsl/parse.js';
import type { SourceFile } from '../../dsl/span.js';
import type { LoadedFile, Program } from '../../compiler/check/program.js';

export interface Loaded { readonly program: Program; readonly sources: readonly SourceFile[]; readonly diagnostics: readonly Diagnostic[] }

const standard = new URL('../../dsl/std/', import.meta.url);

export function loadText(text: string, path = 'test.firn'): Loaded {
  const sources: SourceFile[] = [];
  const diagnostics: Diagnostic[] = [];
  const known = new Map<string, LoadedFile>();
  const read = (source: SourceFile): LoadedFile => {
    const old = known.get(source.path);
    if (old !== undefined) return old;
    sources.push(source);
    const parsed = parse(source);
    diagnostics.push(...parsed.diagnostics);
    const imports = new Map<string, { item: Item; from: LoadedFile }>();
    const loaded: LoadedFile = { file: parsed.file!, imports };
    known.set(source.path, loaded);
    for (const use of parsed.file?.uses ?? []) {
      const files = use.module === 'std' ? readdirSync(standard) : [`${use.module.slice('std.'.length)}.firn`];
      for (const from of files.map((f) => read({ path: `dsl/std/${f}`, text: readFileSync(new URL(f, standard), 'utf8') }))) {
        for (const item of from.file.items) if (use.names.some((n) => n.name === item.name.name)) imports.set(item.name.name, { item, from });
      }
    }
    return loaded;
  };
  const main = read({ path, text });
  return { program: { main }, sources, diagnostics };
}

export function loadExample(name: string): Loaded {
  return loadText(readFileSync(new URL(`../../examples/${name}.firn`, import.meta.url), 'utf8'), `examples/${name}.firn`);
}
