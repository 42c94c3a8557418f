/**
 * The AST of a `.firn` file: exactly what was written, nothing resolved. `dsl/print.ts` is its inverse (comments and
 * blank lines between statements are kept as trivia). Every node carries its span.
 */
import type { Span } from './span.js';

export interface File {
  readonly kind: 'file';
  readonly uses: readonly Use[];
  readonly items: readonly Item[];
  readonly span: Span;
  /** Comments after the last item. */
  readonly trailing: readonly string[];
}

/** `use std.{rms, mla}`: brings names of another module into scope. */
export interface Use extends NodeBase {
  readonly kind: 'use';
  readonly module: string;
  readonly names: readonly Identifier[];
}

export type Item = Model | Layer | Fn | ConstItem;

/** Comments keep their `#`. A comment inside a node that has no place for it moves above that node. */
interface NodeBase {
  readonly span: Span;
  /** Comment lines directly above the node; '' stands for a blank line. */
  readonly leading?: readonly string[];
  /** Comment at the end of the node's line; for a node with a block, of the line that opens it. */
  readonly trailing?: string;
  /** Comment lines above the brace that closes the node's (last) block. */
  readonly closing?: readonly string[];
}

export interface Identifier {
  readonly name: string;
  readonly span: Span;
}

/** `model K2 { ... }`, or `model Big = K2 with { experts = 512 }`. */
export interface Model extends NodeBase {
  readonly kind: 'model';
  readonly name: Identifier;
  readonly base?: { readonly name: Identifier; readonly overrides: readonly Override[] };
  readonly body: readonly Statement[];
}

/** Replaces the right-hand side of the base model's `dim`, `const`, `table` or `def` of that name. */
export interface Override extends NodeBase {
  readonly name: Identifier;
  readonly value: Expr;
}

/** `layer rms(x: [.., d], eps: real) -> [.., d] { ... }` */
export interface Layer extends NodeBase {
  readonly kind: 'layer';
  readonly name: Identifier;
  readonly params: readonly Parameter[];
  readonly results: readonly ResultType[];
  readonly body: readonly Statement[];
}

/** `fn silu(x) = x * sigmoid(x)`: no parameters of its own, no state; inlined. */
export interface Fn extends NodeBase {
  readonly kind: 'fn';
  readonly name: Identifier;
  readonly params: readonly Parameter[];
  readonly body: Expr;
}

/** `const pi2 = 6.283` at file level. */
export interface ConstItem extends NodeBase {
  readonly kind: 'const-item';
  readonly name: Identifier;
  readonly value: Expr;
}

export interface Parameter extends NodeBase {
  readonly name: Identifier;
  readonly type?: Type;
  readonly default?: Expr;
}

/** A result that is a state can be read by other layers. */
export type StateType = Extract<Type, { kind: 'simple-type' }> & { readonly name: 'state' };

export interface ResultType {
  readonly name?: Identifier;
  readonly type: TensorTypeExpr | StateType;
  readonly span: Span;
}

export type Type =
  | TensorTypeExpr
  /** `dim` takes an axis, or a number (which makes a fresh axis); `layer` and `fn` take templates and functions. */
  | { readonly kind: 'simple-type'; readonly name: 'dim' | 'int' | 'real' | 'bool' | 'layer' | 'fn' | 'list' | 'state'; readonly optional: boolean; readonly span: Span }
  | { readonly kind: 'enum-type'; readonly values: readonly Identifier[]; readonly optional: boolean; readonly span: Span };

/** `[.., heads, nope + rope] f32`. `..` (rest) may stand first only. An axis expression is a sum of named or numbered axes. */
export interface TensorTypeExpr {
  readonly kind: 'tensor-type';
  readonly rest: boolean;
  readonly axes: readonly Expr[];
  readonly dtype?: Identifier;
  readonly optional: boolean;
  readonly span: Span;
}

export type Statement =
  | DimStatement | ConstStatement | TableStatement | DefStatement | SharedStatement | ParamStatement | StateStatement
  | AssignStatement | RepeatStatement | HeadStatement | IfStatement | AtStatement | ReturnStatement | ExportStatement | RequireStatement
  | EmitStatement | WeightsSection | QuantizeStatement | PrecisionSection | TrainStatement | MeshSection | SettingStatement | ImportSection;

/** `dim group = heads / kv_heads`, `dim j = like i` (a second, distinct axis of one extent; the value is a name). */
export interface DimStatement extends NodeBase {
  readonly kind: 'dim';
  readonly name: Identifier;
  readonly like: boolean;
  readonly value: Expr;
}

/** `const freq(i) : [rope / 2] = ...`: evaluated in f64 at compile time. */
export interface ConstStatement extends NodeBase {
  readonly kind: 'const';
  readonly name: Identifier;
  readonly params: readonly Parameter[];
  readonly type?: TensorTypeExpr;
  readonly value: Expr;
}

/** `table theta[48] = match kind { full => 1e6  _ => 1e4 }`: one compile-time value per index. */
export interface TableStatement extends NodeBase {
  readonly kind: 'table';
  readonly name: Identifier;
  readonly extent: Expr;
  readonly value: Expr;
}

/** `def norm = rms(eps: 1e-6)`: a template with some arguments bound; makes no instance. */
export interface DefStatement extends NodeBase {
  readonly kind: 'def';
  readonly name: Identifier;
  readonly value: Expr;
}

/**
 * `shared block = transformer(heads: 8)`: an instance that every call of `block` uses again; `shared blocks[24] = ..` are as
 * many. Parameters belong to it, states to each use.
 */
export interface SharedStatement extends NodeBase {
  readonly kind: 'shared';
  readonly name: Identifier;
  readonly count?: Expr;
  readonly value: Expr;
}

/** `param gate, up : [width, d] f32 init normal(0.02) frozen own when bias` */
export interface ParamStatement extends NodeBase {
  readonly kind: 'param';
  readonly names: readonly Identifier[];
  readonly type: TensorTypeExpr;
  readonly init?: Expr;
  readonly frozen: boolean;
  /** Each use of a shared instance has its own. */
  readonly own: boolean;
  readonly when?: Expr;
}

/**
 * `state kv : append [kv_rank + rope] = [c | kr]`, `state tail : last 3 [channels] = u fill 0`,
 * `state ring : window 128 [size] = k`, `state entry : every 4 [size] = pooled`. `carry` states are declared by `scan`.
 */
export interface StateStatement extends NodeBase {
  readonly kind: 'state';
  readonly name: Identifier;
  readonly policy: 'append' | 'every' | 'window' | 'last';
  readonly extent?: Expr;
  readonly type: TensorTypeExpr;
  readonly value: Expr;
  readonly fill?: Expr;
}

/** `x = e`, `x += e`, `(ids, w) = e`, `[qn | qr] = e`. */
export interface AssignStatement extends NodeBase {
  readonly kind: 'assign';
  readonly target: Pattern;
  readonly operator: '=' | '+=';
  readonly value: Expr;
}

export type Pattern =
  | { readonly kind: 'name-pattern'; readonly name: Identifier; readonly index?: Identifier; readonly span: Span }
  | { readonly kind: 'tuple-pattern'; readonly names: readonly Identifier[]; readonly span: Span }
  /** Splits the axis that is a sum with these parts, by position. */
  | { readonly kind: 'split-pattern'; readonly names: readonly Identifier[]; readonly span: Span };

/** `repeat layers[61] as i carry (x, pick = none) { ... }`. Without `carry`, every outer name assigned inside is carried. */
export interface RepeatStatement extends NodeBase {
  readonly kind: 'repeat';
  readonly label: Identifier;
  readonly count: Expr;
  readonly index: Identifier;
  readonly carry?: readonly { readonly name: Identifier; readonly initial?: Expr }[];
  readonly body: readonly Statement[];
}

/**
 * `head mtp[1] as j { .. logits = .. }`: more logits, built only if they are asked for. What the body assigns, the next
 * head sees and the model does not.
 */
export interface HeadStatement extends NodeBase {
  readonly kind: 'head';
  readonly label: Identifier;
  readonly count: Expr;
  readonly index: Identifier;
  readonly body: readonly Statement[];
}

/** Chosen at compile time. */
export interface IfStatement extends NodeBase {
  readonly kind: 'if';
  readonly condition: Expr;
  readonly then: readonly Statement[];
  /** Empty without `else`; one `if` statement for `else if`. */
  readonly otherwise: readonly Statement[];
  /** Comment lines above the brace before `else`. */
  readonly thenClosing?: readonly string[];
}

/** `at f32 { ... }`: inside, operands are widened and results are not rounded to the activation dtype. */
export interface AtStatement extends NodeBase {
  readonly kind: 'at';
  readonly dtype: Identifier;
  readonly body: readonly Statement[];
}

export interface ReturnStatement extends NodeBase { readonly kind: 'return'; readonly values: readonly Expr[] }
/** `export hidden = x`: a named value that a caller may ask for (taps, max logits, loads); free when unused. */
export interface ExportStatement extends NodeBase { readonly kind: 'export'; readonly name: Identifier; readonly value: Expr }
export interface RequireStatement extends NodeBase { readonly kind: 'require'; readonly condition: Expr; readonly message?: string }
/** `emit q @ s`, inside a scan body only. */
export interface EmitStatement extends NodeBase { readonly kind: 'emit'; readonly value: Expr }

/** Checkpoint names and layouts as data. */
export interface WeightsSection extends NodeBase {
  readonly kind: 'weights';
  readonly rules: readonly WeightRule[];
}
export type WeightRule =
  /** `"model.layers.{i}.mlp.{p: gate|up}_proj.weight" -> layers[i].ffn.{p} : "layout" : int4(group: 32, zero: 8)` */
  | RuleBase & {
      readonly kind: 'map'; readonly sources: readonly StringLiteral[]; readonly target: Selector;
      readonly layout?: StringLiteral; readonly storage?: Expr;
    }
  | RuleBase & { readonly kind: 'ignore'; readonly patterns: readonly StringLiteral[] }
  /** `tap "hidden.{i}" <- layers[i].hidden`: the public name of an export. */
  | RuleBase & { readonly kind: 'tap'; readonly name: StringLiteral; readonly target: Selector };
/** `when c`: the rule is left out of an imported spec unless c. */
interface RuleBase extends NodeBase { readonly when?: Expr }

export interface StringLiteral { readonly value: string; readonly span: Span }

/** `layers[*].ffn.experts[e].{gate, up}`, `layers[i].attn.{p}_norm`: a path with captures; `*` alone in a segment matches one segment. */
export interface Selector {
  readonly kind: 'selector';
  readonly segments: readonly SelectorSegment[];
  readonly span: Span;
}
export interface SelectorSegment {
  /** One name; several for `{a, b}`; `*` for any; a capture `{p}` is `{ capture: 'p' }`, with the letters that stand against it. */
  readonly names: readonly string[];
  readonly capture?: string;
  readonly before?: string;
  readonly after?: string;
  readonly index?: Expr | '*';
  readonly span: Span;
}

/** `quantize layers[*].ffn.experts.* to int4(group: 32, along: in)` */
export interface QuantizeStatement extends NodeBase {
  readonly kind: 'quantize';
  readonly selector: Selector;
  readonly format: Expr;
}
/** `precision { activations: bf16  cache: bf16  accumulate: f32  weights: bf16 }` */
export interface PrecisionSection extends NodeBase { readonly kind: 'precision'; readonly entries: readonly NamedEntry[] }
/** `mesh { expert: 8, data: 4 }` */
export interface MeshSection extends NodeBase { readonly kind: 'mesh'; readonly entries: readonly NamedEntry[] }
/** `train with muon_clip(lr: 2e-4)` */
export interface TrainStatement extends NodeBase { readonly kind: 'train'; readonly value: Expr }
/** `context 131072`, `stop [163586]` */
export interface SettingStatement extends NodeBase { readonly kind: 'setting'; readonly name: 'context' | 'stop'; readonly value: Expr }
/**
 * `import "deepseek_v3" within text_config { hidden : int = hidden_size  known seq_aux }`: makes the model a template whose
 * names come from a published configuration of these architectures, nested in `within` where that exists.
 */
export interface ImportSection extends NodeBase {
  readonly kind: 'import';
  readonly architectures: readonly StringLiteral[];
  readonly within?: Identifier;
  readonly entries: readonly ImportEntry[];
}
export type ImportEntry =
  /** `hidden : int = hidden_size or n_embd` */
  | NodeBase & { readonly kind: 'binding'; readonly name: Identifier; readonly type?: Type; readonly value: Expr }
  /** `known seq_aux, rope_scaling.type`: keys that change nothing; a name holds the whole path. */
  | NodeBase & { readonly kind: 'known'; readonly keys: readonly Identifier[] }
  | NodeBase & { readonly kind: 'require'; readonly condition: Expr; readonly message?: string };
export interface NamedEntry extends NodeBase { readonly name: Identifier; readonly value: Expr }

/**
 * From loose to tight: `or`; `and`; `not`; comparisons; `+ -`; `* / // mod`; unary `-`; `@`; `**`. `@` and `**` group to
 * the right (`a @ b @ x` applies b first), all others to the left. `/` on integers is exact or an error, `//` floors.
 */
export type BinaryOperator = '+' | '-' | '*' | '/' | '//' | '**' | '@' | 'mod' | '<' | '<=' | '>' | '>=' | '==' | '!=' | 'and' | 'or';

export type Expr =
  /** `text` keeps the literal as written; `integer` is false for 1e-6 and 0.5. */
  | { readonly kind: 'number'; readonly value: number; readonly integer: boolean; readonly text: string; readonly span: Span }
  | { readonly kind: 'string'; readonly value: string; readonly span: Span }
  | { readonly kind: 'bool'; readonly value: boolean; readonly span: Span }
  | { readonly kind: 'none'; readonly span: Span }
  | { readonly kind: 'name'; readonly name: string; readonly span: Span }
  | { readonly kind: 'unary'; readonly operator: '-' | 'not'; readonly operand: Expr; readonly span: Span }
  | { readonly kind: 'binary'; readonly operator: BinaryOperator; readonly left: Expr; readonly right: Expr; readonly span: Span }
  | { readonly kind: 'conditional'; readonly condition: Expr; readonly then: Expr; readonly otherwise: Expr; readonly style: 'if' | '?'; readonly span: Span }
  | { readonly kind: 'match'; readonly subject: Expr; readonly arms: readonly MatchArm[]; readonly span: Span }
  | { readonly kind: 'call'; readonly callee: Expr; readonly args: readonly Argument[]; readonly span: Span }
  | { readonly kind: 'member'; readonly object: Expr; readonly name: Identifier; readonly span: Span }
  /** `table[ids]` gathers on the first axis, `s[experts: ids]` on the named one, `q[last 64]` slices, `list[i]` indexes. */
  | { readonly kind: 'index'; readonly object: Expr; readonly axis?: Identifier; readonly index: Expr; readonly span: Span }
  | { readonly kind: 'range'; readonly side: 'first' | 'last'; readonly count: Expr; readonly span: Span }
  | { readonly kind: 'list'; readonly items: readonly Expr[]; readonly span: Span }
  /** `(heads, value)` */
  | { readonly kind: 'tuple'; readonly items: readonly Expr[]; readonly span: Span }
  /** `[a | b]`: joins along the last axis (or the axis on which they differ) into a sum axis. */
  | { readonly kind: 'concat'; readonly parts: readonly Expr[]; readonly span: Span }
  /** `attn = attention(x)` as an expression: labels the instance. `experts[e] = expert(x)` labels it with an index. */
  | { readonly kind: 'labelled'; readonly label: Identifier; readonly index?: Identifier; readonly value: Expr; readonly span: Span }
  | AttendExpr | RouteExpr | ScanExpr;

export interface MatchArm extends NodeBase { readonly pattern: Expr | '_'; readonly value: Expr }
export interface Argument extends NodeBase { readonly name?: Identifier; readonly value: Expr }

/**
 * `attend(q, over: kv as (c, kr), k: [wk_b @ c | kr], v: wv_b @ c, score: s * scale, mask: causal, sink: b, export: max_logit)`.
 * In `score` and `mask`: `s`, `query.position`, `key.position`, `query.sequence`, `key.index` and per-head constants.
 * Order of meaning: score expression, then mask, then softmax (with the sinks in the denominator).
 * `select(picks, over: index as (key), by: score, mask: causal)` has the same parts; its `query` is the axis of the result.
 */
export interface AttendExpr {
  readonly kind: 'attend' | 'select';
  readonly query: Expr;
  readonly sources: readonly AttendSource[];
  readonly options: readonly Argument[];
  readonly span: Span;
}
/**
 * `kv as (c, kr)`: names for the parts of the state entry; none without `as`. One source has its `k:` and `v:` among
 * the options; several are written `over: [ring as (k, v), entry as (k, v)]`. `kv[picks]` are the entries that were
 * selected; `where` holds for this source besides the mask.
 */
export interface AttendSource { readonly state: Expr; readonly names: readonly Identifier[]; readonly where?: Expr; readonly span: Span }

/**
 * `route(x, ids, w) over experts as e { experts[e] = expert(x) }`: sum over the chosen experts of w * body(x). Unlike
 * experts have arms: `{ e < 512 => experts[e] = expert(x)  _ => x }`.
 */
export interface RouteExpr {
  readonly kind: 'route';
  readonly input: Expr;
  readonly ids: Expr;
  readonly weights: Expr;
  readonly axis: Identifier;
  readonly index: Identifier;
  readonly arms: readonly RouteArm[];
  readonly span: Span;
}
/** Without a pattern: all ids that no arm before it took. */
export interface RouteArm { readonly pattern?: Expr; readonly value: Expr; readonly span: Span }

/**
 * `scan (q, k, v, g) carry s : [dk, dv] f32 = 0 { ... emit q @ s } chunk 16 as (i, j) { ... }`.
 * Runs once per token of each sequence, in order. The chunk body, if any, means the same and is tested to be equal.
 */
export interface ScanExpr {
  readonly kind: 'scan';
  readonly inputs: readonly Identifier[];
  readonly carries: readonly { readonly name: Identifier; readonly type: TensorTypeExpr; readonly initial: Expr }[];
  readonly body: readonly Statement[];
  readonly chunk?: { readonly size: Expr; readonly names: readonly Identifier[]; readonly body: readonly Statement[]; readonly span: Span };
  readonly span: Span;
}
