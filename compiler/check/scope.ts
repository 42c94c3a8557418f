/** Names in scope. A layer sees its file's names and its own; an iteration sees what is around it. */
import type { Span } from '../../dsl/span.js';
import type { Value } from './value.js';

export class Scope {
  private readonly names = new Map<string, Value>();
  private readonly declared = new Map<string, Span>();

  /** `file` scopes hold what every layer of a file sees. */
  constructor(readonly parent?: Scope, readonly kind: 'file' | 'body' = 'body') {}

  /** The value of `name` here or further out. */
  find(name: string): Value | undefined {
    return this.names.get(name) ?? this.parent?.find(name);
  }

  /** The same, but not what belongs to a file: names that a body may assign again. */
  findAssignable(name: string): Value | undefined {
    return this.kind === 'file' ? undefined : this.names.get(name) ?? this.parent?.findAssignable(name);
  }

  has(name: string): boolean {
    return this.names.has(name);
  }

  set(name: string, value: Value): void {
    this.names.set(name, value);
  }

  /** Where `name` was declared here before, if it was. */
  declare(name: string, span: Span): Span | undefined {
    const first = this.declared.get(name);
    if (first === undefined) this.declared.set(name, span);
    return first;
  }

  /** Every visible name, inner ones first: candidates for "did you mean". */
  visible(): string[] {
    return [...this.names.keys(), ...(this.parent?.visible() ?? [])];
  }
}
