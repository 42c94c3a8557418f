/** The names that an `import` section binds, each evaluated when it is first asked for. */
import type { Expr, ImportEntry, ImportSection, Type } from '../../dsl/ast.js';
import type { Span } from '../../dsl/span.js';
import { type Config, ConfigObject, type Value } from './config.js';
import { evaluate, ImportFailure, type Names, NotConstant } from './evaluate.js';
import * as message from './messages.js';

type Binding = ImportEntry & { kind: 'binding' };

export class Bindings {
  private readonly entries: ReadonlyMap<string, Binding>;
  private readonly values = new Map<string, Value | ImportFailure>();
  /** Where each value was found: the last key that its evaluation asked for. */
  private readonly keys = new Map<string, string>();
  /** Names under evaluation: inside its own value a name is the key. */
  private readonly open: string[] = [];

  /** `given`: names that every section has. */
  constructor(private readonly section: ImportSection, private readonly config: Config, private readonly given: ReadonlyMap<string, Value>) {
    this.entries = new Map(section.entries.flatMap((e) => (e.kind === 'binding' ? [[e.name.name, e] as const] : [])));
  }

  has(name: string): boolean {
    return this.entries.has(name) || this.given.has(name);
  }

  /** Throws ImportFailure if the configuration lacks it or it has the wrong type. */
  value(name: string): Value {
    const known = this.values.get(name) ?? this.given.get(name);
    if (known instanceof ImportFailure) throw known;
    if (known !== undefined) return known;
    const entry = this.entries.get(name);
    if (entry === undefined) throw new Error(`import: no binding '${name}'`);
    try {
      const value = this.bind(entry);
      this.keys.set(name, this.config.reads.at(-1) ?? name);
      this.values.set(name, value);
      return value;
    } catch (error) {
      if (error instanceof ImportFailure) this.values.set(name, error);
      throw error;
    }
  }

  /** Failures of the section's `require` entries, in order. */
  *checkRequirements(): Generator<ImportFailure> {
    for (const entry of this.section.entries) {
      if (entry.kind === 'require') yield* this.checkRequirement(entry);
    }
  }

  private *checkRequirement(entry: ImportEntry & { kind: 'require' }): Generator<ImportFailure> {
    const asked: { key: string; value: Value }[] = [];
    const note = (key: string, value: Value | undefined): Value | undefined => {
      if (value !== undefined && !(value instanceof ConfigObject)) asked.push({ key, value });
      return value;
    };
    const names: Names = {
      ...this.names(false),
      read: (name) => {
        const value = this.read(name);
        return note(this.keyOf(name), value);
      },
      member: (object, key) => note(`${object.path}.${key}`, this.config.member(object, key)),
    };
    try {
      if (evaluate(entry.condition, names) === true) return;
      const { key, value } = asked[0] ?? { key: '', value: null };
      yield new ImportFailure(message.unsupported(key, jsonOf(value), entry.message ?? 'this is not imported', this.section.span.file, this.config.spanOf(key)));
    } catch (error) {
      yield this.failureOf(entry, error);
    }
  }

  /** Why an entry has no value; what the rules cannot compute with is told where the configuration says it. Rethrows anything else. */
  private failureOf(entry: { readonly span: Span }, error: unknown): ImportFailure {
    if (error instanceof NotConstant) return new ImportFailure(message.notOfTheConfiguration(entry.span));
    if (!(error instanceof ImportFailure)) throw error;
    const key = this.config.reads.at(-1);
    return key === undefined ? error : new ImportFailure(message.readAs(error.diagnostic, this.config.spanOf(key)));
  }

  /** The key that a name stands for, for messages. */
  keyOf(name: string): string {
    return this.keys.get(name) ?? name;
  }

  private bind(entry: Binding): Value {
    const before = this.config.reads.length;
    const optional = entry.type !== undefined && entry.type.optional;
    this.open.push(entry.name.name);
    let value: Value | undefined;
    try {
      value = evaluate(entry.value, this.names(optional));
    } catch (error) {
      throw this.failureOf(entry, error);
    } finally {
      this.open.pop();
    }
    const keys = [...new Set(this.config.reads.slice(before))];
    const [key] = keys.length > 0 ? keys : [entry.name.name];
    if (value === undefined || (value === null && entry.type !== undefined && !optional)) {
      throw new ImportFailure(message.missingKey(keys.length > 0 ? keys : [key], value === null, entry.span, this.config.spanOf(key)));
    }
    if (value === null || entry.type === undefined) return value;
    const wanted = mismatch(entry.type, value);
    if (wanted !== undefined) throw new ImportFailure(message.wrongKind(key, wanted, jsonOf(value), this.config.spanOf(key)));
    return value;
  }

  private names(nullable: boolean): Names {
    return {
      fallback: true, nullable, read: (name) => this.read(name), member: (object, key) => this.config.member(object, key),
      outside: (value, arms, span) => {
        const key = this.config.reads.at(-1) ?? '';
        return new ImportFailure(message.valueOutside(key, jsonOf(value), arms.flatMap((a) => (a.pattern === '_' ? [] : [patternText(a.pattern)])), span, this.config.spanOf(key)));
      },
    };
  }

  private read(name: string): Value | undefined {
    return this.has(name) && !this.open.includes(name) ? this.value(name) : this.config.get(name);
  }
}

/** What the value should be, if it is not that. */
function mismatch(type: Type, value: Value): string | undefined {
  if (type.kind !== 'simple-type') return 'int, real, bool or list, which are what an import binds';
  switch (type.name) {
    case 'int': case 'dim': return Number.isSafeInteger(value) && (value as number) >= 0 ? undefined : 'a whole number of 0 or more';
    case 'real': return typeof value === 'number' && Number.isFinite(value) ? undefined : 'a number';
    case 'bool': return typeof value === 'boolean' ? undefined : 'true or false';
    case 'list': return Array.isArray(value) ? undefined : 'a list';
    case 'layer': case 'fn': return 'int, real, bool or list, which are what an import binds';
  }
}

export function patternText(e: Expr): string {
  return e.kind === 'string' ? JSON.stringify(e.value) : e.kind === 'number' ? e.text : e.kind === 'bool' ? String(e.value) : e.kind === 'none' ? 'null' : '..';
}

/** For messages. */
export function jsonOf(value: Value): unknown {
  return value instanceof ConfigObject ? value.json : Array.isArray(value) ? value.map(jsonOf) : value;
}

