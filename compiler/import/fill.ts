/**
 * A template filled in: bound names become numbers, choices that the configuration decides are made, and what is left is
 * the model as somebody would have written it.
 *
 *   def sparse = moe(experts: experts, shared: if shared > 0 then swiglu(width: shared * width) else none)
 *   ->  def sparse = moe(experts: 64, shared: swiglu(width: 2816))
 *
 * A name that the model itself declares (`dim hidden = hidden`) stands for that from there on.
 */
import type { Expr, MatchArm, QuantizeStatement, Statement, StringLiteral, WeightRule } from '../../dsl/ast.js';
import { boundNames } from '../check/statements.js';
import { patternText, type Bindings, jsonOf } from './bindings.js';
import { type Config, ConfigObject, type Value } from './config.js';
import { armFor, evaluate, ImportFailure, type Names, NotConstant } from './evaluate.js';
import * as message from './messages.js';
import { printNumber } from './numbers.js';
import type { StoredFormat } from './quantization.js';

export class Filler {
  /** How many bound names the last evaluation read: an expression without any stays as it is written. */
  private reads = 0;
  private lastRead = '';
  readonly failures: ImportFailure[] = [];

  constructor(private readonly bindings: Bindings, private readonly config: Config, private readonly stored: () => StoredFormat) {}

  /** `hidden`: names that the model has declared before. */
  block(statements: readonly Statement[], hidden: ReadonlySet<string>): Statement[] {
    const own = new Set(hidden);
    const out: Statement[] = [];
    let gap = false;
    for (const s of statements) {
      try {
        const filled = this.statement(s, own);
        gap ||= filled.length === 0 && s.leading?.[0] === '';
        out.push(...(gap ? afterGap(filled) : filled));
        if (filled.length > 0) gap = false;
      } catch (error) {
        if (!(error instanceof ImportFailure)) throw error;
        this.failures.push(error);
      }
      for (const name of boundNames(s)) own.add(name);
    }
    return startsBlock(out);
  }

  private statement(s: Statement, hidden: ReadonlySet<string>): Statement[] {
    switch (s.kind) {
      case 'import': return [];
      case 'if': {
        const chosen = this.known(s.condition, hidden);
        if (typeof chosen !== 'boolean') break;
        const [first, ...rest] = this.block(chosen ? s.then : s.otherwise, hidden);
        if (first === undefined) return [];
        return [{ ...first, ...(s.leading === undefined ? {} : { leading: [...s.leading, ...(first.leading ?? [])] }) }, ...rest];
      }
      case 'quantize': return this.quantize(s, hidden);
      case 'weights': return [{ ...s, rules: s.rules.flatMap((r) => this.rule(r, hidden)) }];
      case 'setting': {
        const value = this.expr(s.value, hidden);
        return value.kind === 'list' && value.items.length === 0 ? [] : [{ ...s, value }];
      }
      case 'table': return [{ ...s, extent: this.expr(s.extent, hidden), value: periodic(this.expr(s.value, hidden)) }];
      case 'repeat': return [{ ...s, count: this.expr(s.count, hidden), body: this.block(s.body, new Set([...hidden, s.index.name])), ...(s.carry ? { carry: this.any(s.carry, hidden) } : {}) }];
      case 'head': return [{ ...s, count: this.expr(s.count, hidden), body: this.block(s.body, new Set([...hidden, s.index.name])) }];
      default:
    }
    return [this.parts(s, hidden)];
  }

  /** `quantize layers[*].mlp.* to stored("model.layers.0.mlp.up_proj")`: the checkpoint's format of that module, if any. */
  private quantize(s: QuantizeStatement, hidden: ReadonlySet<string>): Statement[] {
    const { format } = s;
    const [module] = format.kind === 'call' && format.callee.kind === 'name' && format.callee.name === 'stored' ? format.args.map((a) => a.value) : [];
    if (module?.kind !== 'string') return [s];
    const found = this.stored()(this.interpolate(module.value, hidden));
    return found === undefined ? [] : [{ ...s, format: found }];
  }

  private rule(r: WeightRule, hidden: ReadonlySet<string>): WeightRule[] {
    const { when, ...rest } = r;
    if (when !== undefined && this.known(when, hidden) !== true) return [];
    const text = (s: StringLiteral): StringLiteral => ({ ...s, value: this.interpolate(s.value, hidden) });
    switch (rest.kind) {
      case 'map': return [{ ...rest, sources: rest.sources.map(text) }];
      case 'ignore': return [{ ...rest, patterns: rest.patterns.map(text) }];
      case 'tap': return [{ ...rest, name: text(rest.name) }];
    }
  }

  /** `{layers}` in a name is the number that is bound to it; other braces are captures. */
  private interpolate(text: string, hidden: ReadonlySet<string>): string {
    return text.replace(/\{(\w+)\}/g, (whole, name: string) => (this.bindings.has(name) && !hidden.has(name) ? String(jsonOf(this.bindings.value(name))) : whole));
  }

  expr(e: Expr, hidden: ReadonlySet<string>): Expr {
    switch (e.kind) {
      case 'name': case 'member': case 'unary': case 'binary': {
        const value = e.kind === 'binary' && e.operator === '**' ? undefined : this.known(e, hidden);
        return value === undefined ? this.parts(e, hidden) : this.literal(value, e);
      }
      case 'conditional': {
        const chosen = this.known(e.condition, hidden);
        return typeof chosen === 'boolean' ? this.expr(chosen ? e.then : e.otherwise, hidden) : this.parts(e, hidden);
      }
      case 'match': return this.match(e, hidden);
      case 'call': {
        const args = e.args.map((a) => ({ ...a, value: this.expr(a.value, hidden) }));
        return { ...e, callee: this.expr(e.callee, hidden), args: args.filter((a, i) => a.name === undefined || a.value.kind !== 'none' || e.args[i].value.kind === 'none') };
      }
      default: return this.parts(e, hidden);
    }
  }

  private match(e: Expr & { kind: 'match' }, hidden: ReadonlySet<string>): Expr {
    const subject = this.known(e.subject, hidden);
    if (subject === undefined) return this.parts(e, hidden);
    const names = this.names(hidden);
    const choose = (value: Value): Expr => this.expr(armFor(value, e.arms, names, e.span).value, hidden);
    return Array.isArray(subject) ? { kind: 'list', items: subject.map(choose), span: e.span } : choose(subject);
  }

  /** The value of an expression of which the configuration decides something, and all. */
  private known(e: Expr, hidden: ReadonlySet<string>): Value | undefined {
    this.reads = 0;
    try {
      const value = evaluate(e, this.names(hidden));
      return this.reads > 0 ? value : undefined;
    } catch (error) {
      if (error instanceof NotConstant) return undefined;
      throw error;
    }
  }

  private names(hidden: ReadonlySet<string>): Names {
    return {
      fallback: false, nullable: true,
      read: (name) => {
        if (hidden.has(name) || !this.bindings.has(name)) throw new NotConstant();
        this.reads++;
        const value = this.bindings.value(name);
        this.lastRead = this.bindings.keyOf(name);
        return value;
      },
      member: (object, key) => {
        const value = this.config.member(object, key);
        this.lastRead = this.config.reads.at(-1)!;
        return value;
      },
      outside: (value, arms: readonly MatchArm[], span) => new ImportFailure(message.valueOutside(
        this.lastRead, jsonOf(value), arms.flatMap((a) => (a.pattern === '_' ? [] : [patternText(a.pattern)])), span, this.config.spanOf(this.lastRead),
      )),
    };
  }

  private literal(value: Value, e: Expr): Expr {
    const { span } = e;
    if (value === null) return { kind: 'none', span };
    if (value instanceof ConfigObject) throw new ImportFailure(message.wrongOperand('a value', value.path, span));
    if (Array.isArray(value)) return { kind: 'list', items: value.map((v: Value) => this.literal(v, e)), span };
    switch (typeof value) {
      case 'boolean': return { kind: 'bool', value, span };
      case 'string': return { kind: 'string', value, span };
      case 'number': {
        if (value < 0) return { kind: 'unary', operator: '-', operand: this.literal(-value, e), span };
        const text = printNumber(value);
        return { kind: 'number', value, integer: /^\d+$/.test(text), text, span };
      }
      default: throw new Error(`import: no literal for ${JSON.stringify(value)}`);
    }
  }

  /** The node with its children filled in. */
  private parts<T extends object>(node: T, hidden: ReadonlySet<string>): T {
    return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, key === 'span' ? value : this.any(value, hidden)])) as T;
  }

  private any<T>(value: T, hidden: ReadonlySet<string>): T {
    if (Array.isArray(value)) {
      const statements = value.length > 0 && value.every((v: unknown) => typeof v === 'object' && v !== null && 'kind' in v && statementKinds.has(v.kind as string));
      return (statements ? this.block(value as Statement[], hidden) : value.map((v: unknown) => this.any(v, hidden))) as T;
    }
    if (typeof value !== 'object' || value === null) return value;
    return 'kind' in value && expressionKinds.has(value.kind as string) ? (this.expr(value as unknown as Expr, hidden) as T) : this.parts(value, hidden);
  }
}

const expressionKinds: ReadonlySet<string> = new Set<Expr['kind']>([
  'number', 'string', 'bool', 'none', 'name', 'unary', 'binary', 'conditional', 'match', 'call', 'member', 'index', 'range', 'list', 'tuple', 'concat',
  'labelled', 'attend', 'route', 'scan',
]);
const statementKinds: ReadonlySet<string> = new Set<Statement['kind']>([
  'dim', 'const', 'table', 'def', 'param', 'state', 'assign', 'repeat', 'if', 'at', 'return', 'export', 'require', 'emit', 'weights', 'quantize', 'precision',
  'train', 'mesh', 'setting', 'import', 'shared', 'head',
]);

/** The blank line above a statement that is gone stands above the next. */
function afterGap(statements: Statement[]): Statement[] {
  const [first, ...rest] = statements;
  if (first === undefined || first.leading?.[0] === '') return statements;
  return [{ ...first, leading: ['', ...(first.leading ?? [])] }, ...rest];
}

/** No blank line stands above the first statement of a block. */
function startsBlock(statements: Statement[]): Statement[] {
  const [first, ...rest] = statements;
  if (first?.leading?.[0] !== '') return statements;
  return [{ ...first, leading: first.leading.slice(1) }, ...rest];
}

/** A list that repeats itself, as people write it: `cycle([window, full])`. */
function periodic(e: Expr): Expr {
  if (e.kind !== 'list') return e;
  const texts = e.items.map((item) => JSON.stringify(item, (key, v: unknown) => (key === 'span' ? undefined : v)));
  const period = texts.findIndex((_, p) => p > 0 && texts.every((t, i) => t === texts[i % p]));
  if (period < 1 || period * 2 > texts.length) return e;
  const { span } = e;
  return { kind: 'call', callee: { kind: 'name', name: 'cycle', span }, args: [{ value: { ...e, items: e.items.slice(0, period) }, span }], span };
}
