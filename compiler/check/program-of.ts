import type { Item } from '../../dsl/ast.js';
import type { Program as Loaded } from '../../dsl/modules.js';
import type { LoadedFile, Program } from './program.js';

/** The files of a loaded program as elaboration reads them: each with what its `use` lines bring in. */
export function programOf(loaded: Loaded): Program {
  const made = new Map<string, LoadedFile>();
  const fileOf = (path: string): LoadedFile => {
    const old = made.get(path);
    if (old) return old;
    const imports = new Map<string, { item: Item; from: LoadedFile }>();
    const result: LoadedFile = { file: loaded.files.get(path)!, imports };
    made.set(path, result);
    for (const [name, definition] of loaded.scopes.get(path) ?? []) {
      if (definition.path !== path) imports.set(name, { item: definition.item, from: fileOf(definition.path) });
    }
    return result;
  };
  return { main: fileOf(loaded.entry) };
}
