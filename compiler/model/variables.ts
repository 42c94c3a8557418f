/**
 * What a variant of a model may change: the places in its body that hold a number, a choice or a layer, each with a path.
 *
 *   dim hidden = 7168                                   hidden
 *   def sparse = moe(experts: 384, expert: swiglu(width: 2048))     sparse, sparse.experts, sparse.expert, sparse.expert.width
 *   x = embed = embedding(tokens, vocab, 64)            embed.size (positions are named by the callee's parameters)
 *   repeat layers[61] as i { x += ffn = gated(norm(x), width: 8) }  layers, layers.ffn.width
 *   (match kinds[i] { wide => swiglu(width: 9)  _ => .. })(x)        layers.ffn.wide.width; `then` and `else` after `if`
 *   table theta[48] = cycle([1, 2])                     theta, theta.extent
 *   context 4096 / precision { cache: bf16 }            context, precision.cache
 *
 * Syntax only: nothing is evaluated, so that a body can be rewritten before it is checked.
 */
import type { Argument, Expr, Parameter, Statement } from '../../dsl/ast.js';

export interface Variable {
  readonly path: string;
  readonly value: Expr;
  /** Type of the parameter that it is an argument for, or how it was declared; undefined if not known. */
  readonly type?: string;
}

/** Parameters of the layer or function called `name`, where the body stands; undefined for names of the body itself. */
export type Signatures = (name: string) => readonly Parameter[] | undefined;
type Visit = (variable: Variable) => Expr;

export function variablesOf(body: readonly Statement[], signatures: Signatures): Variable[] {
  return withElements(body, signatures).filter((v) => v.type !== 'element');
}

/** The same, and each number of a list as a place of its own, of type `element`: `widths.2`. */
export function withElements(body: readonly Statement[], signatures: Signatures): Variable[] {
  const out: Variable[] = [];
  rewrite(body, signatures, (v) => { out.push(v); return v.value; });
  return out;
}

/** The body with new values at some paths. A value inside a replaced one is not looked at. */
export function replaceVariables(body: readonly Statement[], signatures: Signatures, values: ReadonlyMap<string, Expr>): readonly Statement[] {
  return rewrite(body, signatures, (v) => values.get(v.path) ?? v.value);
}

function rewrite(body: readonly Statement[], signatures: Signatures, visit: Visit): Statement[] {
  return new Rewriter(signatures, visit).statements(body, '');
}

class Rewriter {
  constructor(private readonly signatures: Signatures, private readonly visit: Visit) {}

  statements(body: readonly Statement[], at: string): Statement[] {
    return body.map((s) => this.statement(s, at));
  }

  private statement(s: Statement, at: string): Statement {
    const path = (name: string): string => (at === '' ? name : `${at}.${name}`);
    switch (s.kind) {
      case 'dim': return s.like ? s : { ...s, value: this.value(s.value, path(s.name.name), 'dim') };
      case 'const': return s.params.length > 0 ? s : { ...s, value: this.value(s.value, path(s.name.name), 'const') };
      case 'def': return { ...s, value: this.value(s.value, path(s.name.name), 'layer') };
      case 'shared': {
        const count = s.count === undefined ? {} : { count: this.value(s.count, `${path(s.name.name)}.count`, 'count') };
        return { ...s, ...count, value: this.value(s.value, path(s.name.name), 'layer') };
      }
      case 'table': return { ...s, extent: this.value(s.extent, `${path(s.name.name)}.extent`, 'extent'), value: this.value(s.value, path(s.name.name), 'table') };
      case 'assign': return { ...s, value: this.inside(s.value, s.target.kind === 'name-pattern' ? path(s.target.name.name) : at, at) };
      case 'repeat': return { ...s, count: this.value(s.count, path(s.label.name), 'count'), body: this.statements(s.body, path(s.label.name)) };
      case 'head': return { ...s, count: this.value(s.count, path(s.label.name), 'count'), body: this.statements(s.body, path(s.label.name)) };
      case 'if': return { ...s, then: this.statements(s.then, at), otherwise: this.statements(s.otherwise, at) };
      case 'at': return { ...s, body: this.statements(s.body, at) };
      case 'setting': return s.name === 'context' ? { ...s, value: this.value(s.value, 'context', 'int') } : s;
      case 'precision': case 'mesh': return { ...s, entries: s.entries.map((e) => ({ ...e, value: this.value(e.value, `${s.kind}.${e.name.name}`, s.kind) })) };
      default: return s;
    }
  }

  /** A place of its own, and what is written inside it. */
  private value(e: Expr, path: string, type: string | undefined): Expr {
    const changed = this.visit({ path, value: e, ...(type === undefined ? {} : { type }) });
    return changed === e ? this.inside(e, path, path) : changed;
  }

  /** `label`: where the arguments of a call that has no label of its own belong. */
  private inside(e: Expr, label: string, at: string): Expr {
    switch (e.kind) {
      case 'list': return { ...e, items: e.items.map((item, i) => (item.kind === 'number' ? this.value(item, branch(label, String(i)), 'element') : item)) };
      case 'labelled': return { ...e, value: this.inside(e.value, at === '' ? e.label.name : `${at}.${e.label.name}`, at) };
      case 'call': return { ...e, callee: e.callee.kind === 'name' ? e.callee : this.inside(e.callee, label, at), args: this.args(e, label, at) };
      case 'conditional': return { ...e, then: this.inside(e.then, branch(label, 'then'), at), otherwise: this.inside(e.otherwise, branch(label, 'else'), at) };
      case 'match': return { ...e, arms: e.arms.map((arm) => ({ ...arm, value: this.inside(arm.value, branch(label, armName(arm.pattern)), at) })) };
      default: return e;
    }
  }

  private args(e: Extract<Expr, { kind: 'call' }>, label: string, at: string): Argument[] {
    const parameters = e.callee.kind === 'name' ? this.signatures(e.callee.name) : undefined;
    const named = new Set(e.args.flatMap((a) => (a.name ? [a.name.name] : [])));
    const open = (parameters ?? []).filter((p) => !named.has(p.name.name));
    return e.args.map((a) => {
      const parameter = a.name ? parameters?.find((p) => p.name.name === a.name!.name) : open.shift();
      const name = a.name?.name ?? parameter?.name.name;
      // `cycle([..])` is the list that it repeats; of other unknown functions nothing says which list is which.
      if (a.value.kind === 'list' && name === undefined && !(e.callee.kind === 'name' && e.callee.name === 'cycle')) return a;
      if (a.value.kind === 'labelled' || name === undefined || parameter?.type?.kind === 'tensor-type') return { ...a, value: this.inside(a.value, label, at) };
      return { ...a, value: this.value(a.value, label === '' ? name : `${label}.${name}`, typeName(parameter)) };
    });
  }
}

function branch(label: string, name: string): string {
  return label === '' ? name : `${label}.${name}`;
}

function armName(pattern: Expr | '_'): string {
  return pattern !== '_' && pattern.kind === 'name' ? pattern.name : 'else';
}

function typeName(p: Parameter | undefined): string | undefined {
  return p?.type === undefined || p.type.kind === 'tensor-type' ? undefined : p.type.kind === 'enum-type' ? 'enum' : p.type.name;
}
