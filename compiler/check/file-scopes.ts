/** File-level names: a file's layers, functions and constants, and those that its `use` lines bring in. */
import type { Item } from '../../dsl/ast.js';
import { named } from './dims.js';
import { evaluate } from './evaluate.js';
import { attempt, type Frame } from './frame.js';
import type { LoadedFile, Program } from './program.js';
import { Scope } from './scope.js';
import { errorValue, type Value } from './value.js';

export class FileScopes {
  private readonly known = new Map<LoadedFile, Scope>();

  /** `frame.scope` holds the inputs that every layer sees. */
  constructor(private readonly frame: Frame, readonly program: Program) {}

  of(file: LoadedFile): Scope {
    const known = this.known.get(file);
    if (known !== undefined) return known;
    const scope = new Scope(this.frame.scope, 'file');
    this.known.set(file, scope);
    this.fill(scope, file);
    return scope;
  }

  /** The names of `file`, over those of another file's scope: a model that is based on one of another file. */
  over(outer: Scope, file: LoadedFile): Scope {
    const scope = new Scope(outer, 'file');
    this.fill(scope, file);
    return scope;
  }

  private fill(scope: Scope, { file, imports }: LoadedFile): void {
    for (const [name, { item, from }] of imports) {
      const value = item.kind === 'const-item' ? this.of(from).find(item.name.name) ?? errorValue : this.itemValue(item, from);
      if (value !== undefined) scope.set(name, value);
    }
    for (const item of file.items) {
      const value = item.kind === 'const-item' ? undefined : this.itemValue(item, undefined, scope);
      if (value !== undefined) scope.set(item.name.name, value);
    }
    for (const item of file.items) {
      if (item.kind !== 'const-item') continue;
      const value = attempt(this.frame.run, () => evaluate({ ...this.frame, scope }, item.value));
      scope.set(item.name.name, value === undefined ? errorValue : named(item.name.name, value, item.span));
    }
  }

  private itemValue(item: Item, from: LoadedFile | undefined, own?: Scope): Value | undefined {
    const scope = own ?? this.of(from!);
    switch (item.kind) {
      case 'layer': return { kind: 'template', layer: item, scope, bound: new Map() };
      case 'fn': return { kind: 'fn', fn: item, scope };
      case 'model': case 'const-item': return undefined;
    }
  }
}
