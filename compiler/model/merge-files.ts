/** A model that is based on one of another file, as one file: everything that either file defines or uses. */
import type { File, Item, Use } from '../../dsl/ast.js';
import type { Diagnostic } from '../../dsl/diagnostics.js';
import { isPath, joinPath, lookUp, relativePath, type Program } from '../../dsl/modules.js';
import * as messages from '../../dsl/variant-messages.js';
import type { ChosenModel } from '../check/model.js';

/** The entry file with the items and uses of the files that its bases stand in. A name of two meanings is a mistake. */
export function mergeFiles(program: Program, model: ChosenModel, diagnostics: Diagnostic[]): File {
  const entry = program.files.get(program.entry)!;
  if (model.files.every((f) => f === program.entry)) return entry;
  const merging = new Merging(program, model, diagnostics);
  for (const path of [program.entry, ...model.files.filter((f) => f !== program.entry)]) merging.add(path);
  return { ...entry, uses: merging.uses, items: merging.items };
}

class Merging {
  readonly uses: Use[] = [];
  readonly items: Item[] = [];
  private readonly meanings = new Map<string, Item>();

  constructor(private readonly program: Program, private readonly model: ChosenModel, private readonly diagnostics: Diagnostic[]) {}

  add(path: string): void {
    const file = this.program.files.get(path)!;
    for (const item of file.items) if (item.kind !== 'model' && this.isNew(item.name.name, path)) this.items.push(item);
    for (const use of file.uses) this.addUse(use, path);
  }

  private addUse(use: Use, path: string): void {
    const target = isPath(use.module) ? joinPath(path, use.module) : undefined;
    if (target !== undefined && this.model.files.includes(target)) return;
    const names = use.names.filter((n) => this.isNew(n.name, path));
    if (names.length > 0) this.uses.push({ ...use, names, module: target === undefined ? use.module : relativePath(this.program.entry, target) });
  }

  /** Whether nothing of that name is there yet; something else of that name is a mistake. */
  private isNew(name: string, path: string): boolean {
    const item = lookUp(this.program, path, name)!.item;
    const other = this.meanings.get(name);
    this.meanings.set(name, other ?? item);
    if (other !== undefined && other !== item) this.diagnostics.push(messages.twoMeanings(this.model.model.name.name, name, item.name.span, other.name.span));
    return other === undefined;
  }
}
