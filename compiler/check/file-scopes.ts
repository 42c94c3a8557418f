/** File-level names: a file's layers, functions and constants, and those that its `use` lines bring in. */
import type { Item } from '../../dsl/ast.js';
import type { Definition, Program } from '../../dsl/modules.js';
import { named } from './dims.js';
import { evaluate } from './evaluate.js';
import { attempt, type Frame } from './frame.js';
import { Scope } from './scope.js';
import { errorValue, type Value } from './value.js';

export class FileScopes {
  private readonly known = new Map<string, Scope>();

  /** `frame.scope` holds the inputs that every layer sees. */
  constructor(private readonly frame: Frame, readonly program: Program) {}

  /** What the file at `path` sees. */
  of(path: string): Scope {
    const known = this.known.get(path);
    if (known !== undefined) return known;
    const scope = new Scope(this.frame.scope, 'file');
    this.known.set(path, scope);
    this.fill(scope, path);
    return scope;
  }

  /** The names of a file over those of another one: for a model that is based on one of another file. */
  over(outer: Scope, path: string): Scope {
    const scope = new Scope(outer, 'file');
    this.fill(scope, path);
    return scope;
  }

  private fill(scope: Scope, path: string): void {
    const file = this.program.files.get(path)!;
    // Names that could not be found were reported with the `use`.
    for (const use of file.uses) for (const name of use.names) scope.set(name.name, errorValue);
    const constants: Definition[] = [];
    for (const definition of this.program.scopes.get(path)!.values()) {
      if (definition.item.kind === 'const-item') constants.push(definition);
      else if (definition.item.kind !== 'model') scope.set(definition.name, this.template(definition.item, definition.path === path ? scope : this.of(definition.path)));
    }
    for (const c of constants) scope.set(c.name, c.path === path ? this.constant(c.item as Constant, scope) : this.of(c.path).find(c.name) ?? errorValue);
  }

  private template(item: Exclude<Item, Constant | { kind: 'model' }>, scope: Scope): Value {
    return item.kind === 'layer' ? { kind: 'template', layer: item, scope, bound: new Map() } : { kind: 'fn', fn: item, scope };
  }

  private constant(item: Constant, scope: Scope): Value {
    const value = attempt(this.frame.run, () => evaluate({ ...this.frame, scope }, item.value));
    return value === undefined ? errorValue : named(item.name.name, value, item.span);
  }
}

type Constant = Extract<Item, { kind: 'const-item' }>;
