/** Random ASTs that the grammar can write: what the printer must be able to print and the parser to read back. */
import fc from '../../support/properties.js';
import type {
  Argument, Expr, File, Identifier, ImportEntry, Item, MatchArm, NamedEntry, Override, Parameter, Pattern, ResultType, RouteArm, Selector, Statement, TensorTypeExpr, Type, Use, WeightRule,
} from '../../../dsl/ast.js';

type Any<T> = fc.Arbitrary<T>;
const span = { file: '', start: 0, end: 0, line: 1, column: 1 };

const word = fc.constantFrom(
  'x', 'q', 'gate', 'kv_rank', 'experts', '_1', 'state', 'table', 'last', 'first', 'at', 'over', 'attend', 'scan', 'route', 'dim', 'init', 'like', 'fill',
  'as', 'to', 'carry', 'a_rather_long_name_that_makes_lines_wrap', 'f32', 'stop', 'context', 'enum', 'layer', 'frozen', 'when', 'tap', 'ignore', 'with',
);
const id: Any<Identifier> = word.map((name) => ({ name, span }));
const text = fc.oneof(fc.string({ maxLength: 12 }), fc.constantFrom('a "b" \\', 'tab\tnew\nline\r', 'model.layers.{i}.{p: a|b}.weight', '# no comment'));
const string = text.map((value) => ({ value, span }));
const names = (min: number) => fc.array(id, { minLength: min, maxLength: min + 2 });

/** Drops absent fields, as the parser does. */
function compact<T extends object>(o: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(o).filter(([, v]) => v !== undefined)) as T;
}
function node<T extends object>(model: { [K in keyof T]: Any<T[K] | undefined> }): Any<T> {
  return fc.record(model as Record<string, Any<unknown>>).map((o) => compact<T>(o as never));
}
const maybe = <T>(a: Any<T>): Any<T | undefined> => fc.option(a, { nil: undefined, freq: 3 });
const rarely = <T>(a: Any<T>): Any<T | undefined> => fc.oneof({ weight: 8, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: a });

const comment = fc.constantFrom('#', '# why', '#why not', '# "quoted" (and [more] {of} it', '## twice #');
const commentLines = fc.array(comment, { minLength: 1, maxLength: 2 });
/** With blank lines between, never two in a row. */
const aboveStatement = fc.tuple(fc.boolean(), fc.array(comment, { maxLength: 2 }), fc.boolean(), fc.array(comment, { maxLength: 1 }))
  .map(([before, a, between, b]) => {
    const lines = [...(before ? [''] : []), ...a, ...(between ? [''] : []), ...b];
    return lines.filter((l, i) => l !== '' || lines[i - 1] !== '');
  })
  .map((lines) => (lines.length > 0 ? lines : undefined));
const trivia = { leading: rarely(aboveStatement), trailing: rarely(comment) };
const inlineTrivia = { leading: rarely(commentLines), trailing: rarely(comment) };
const closing = rarely(fc.tuple(fc.boolean(), commentLines).map(([blank, lines]) => (blank ? ['', ...lines] : lines)));

/** No blank line after `{`, neither above the first node nor above the closing comments of an empty block. */
function inBlock<T extends { leading?: readonly string[] }>(list: readonly T[]): T[] {
  return list.map((n, i) => (i === 0 ? withoutBlank(n, 'leading') : n));
}
function withoutBlank<T extends object>(n: T, field: string): T {
  const { [field]: lines, ...rest } = n as Record<string, unknown>;
  const kept = Array.isArray(lines) && lines[0] === '' ? lines.slice(1) : lines;
  return (Array.isArray(kept) && kept.length > 0 ? { ...rest, [field]: kept } : rest) as T;
}

const number = fc.constantFrom('0', '7', '163840', '1_000', '0.5', '1e-6', '2.5e+3', '1E4')
  .map((t): Expr => ({ kind: 'number', value: Number(t.replace('_', '')), integer: /^[\d_]+$/.test(t), text: t, span }));
const name = word.map((n): Expr => ({ kind: 'name', name: n, span }));
const leaf: Any<Expr> = fc.oneof(
  name, name, number, string.map((s): Expr => ({ kind: 'string', ...s })), fc.boolean().map((value): Expr => ({ kind: 'bool', value, span })),
  fc.constant<Expr>({ kind: 'none', span }),
);
const operators = ['+', '-', '*', '/', '//', '**', '@', 'mod', '<', '<=', '>', '>=', '==', '!=', 'and', 'or'] as const;

const k = <K extends string>(kind: K) => fc.constant(kind);

/** One body, or one per range of ids. */
const routeArms = (value: Any<Expr>): Any<RouteArm[]> => {
  const below: Any<Expr> = fc.tuple(name, number).map(([left, right]) => ({ kind: 'binary', operator: '<', left, right, span }));
  const last = value.map((v): RouteArm => ({ value: v, span }));
  return fc.tuple(fc.array(fc.record({ pattern: below, value, span: fc.constant(span) }), { maxLength: 2 }), last).map(([arms, rest]) => [...arms, rest]);
};

const pattern: Any<Pattern> = fc.oneof(
  node<Pattern>({ kind: k('name-pattern'), name: id, index: maybe(id), span: fc.constant(span) } as never),
  node<Pattern>({ kind: k('tuple-pattern'), names: names(1), span: fc.constant(span) } as never),
  node<Pattern>({ kind: k('split-pattern'), names: names(1), span: fc.constant(span) } as never),
);

const all = fc.letrec<{
  expr: Expr; labelled: Expr; argument: Argument; args: Argument[]; arm: MatchArm; tensor: TensorTypeExpr; statement: Statement; body: Statement[];
}>((tie) => {
  const expr = tie('expr');
  const labelled = tie('labelled');
  const tensor = tie('tensor');
  const body = tie('body');
  const exprs = (min: number, of = labelled) => fc.array(of, { minLength: min, maxLength: min + 2 });
  const s = fc.constant(span);
  const labelledNode = node<Expr>({ kind: k('labelled'), label: id, index: maybe(id), value: expr, span: s } as never);
  const compound: Any<Expr>[] = [
    node({ kind: k('unary'), operator: fc.constantFrom('-', 'not'), operand: expr, span: s } as never),
    node({ kind: k('binary'), operator: fc.constantFrom(...operators), left: expr, right: expr, span: s } as never),
    node({ kind: k('binary'), operator: fc.constantFrom(...operators), left: expr, right: expr, span: s } as never),
    node({ kind: k('conditional'), condition: expr, then: expr, otherwise: expr, style: fc.constantFrom('if', '?'), span: s } as never),
    node({ kind: k('match'), subject: expr, arms: fc.array(tie('arm'), { minLength: 1, maxLength: 3 }).map(inBlock), span: s } as never),
    node({ kind: k('call'), callee: expr, args: tie('args'), span: s } as never),
    node({ kind: k('call'), callee: name, args: tie('args'), span: s } as never),
    node({ kind: k('member'), object: expr, name: id, span: s } as never),
    node({ kind: k('index'), object: expr, axis: maybe(id), index: fc.oneof(expr, node({ kind: k('range'), side: fc.constantFrom('first', 'last'), count: expr, span: s } as never)), span: s } as never),
    node({ kind: k('list'), items: exprs(0), span: s } as never),
    node({ kind: k('tuple'), items: exprs(2), span: s } as never),
    node({ kind: k('concat'), parts: exprs(2), span: s } as never),
    labelledNode,
    node({
      kind: fc.constantFrom('attend', 'select'), query: labelled, sources: fc.array(node({ state: expr, names: names(0), where: maybe(expr), span: s } as never), { minLength: 1, maxLength: 2 }),
      options: fc.array(tie('argument').filter((a) => a.name !== undefined && a.name.name !== 'over'), { maxLength: 3 }), span: s,
    } as never),
    node({ kind: k('route'), input: labelled, ids: labelled, weights: labelled, axis: id, index: id, arms: routeArms(labelled), span: s } as never),
    node({
      kind: k('scan'), inputs: names(1), carries: fc.array(node({ name: id, type: tensor, initial: expr } as never), { minLength: 1, maxLength: 2 }),
      body, chunk: maybe(node({ size: expr, names: names(1), body, span: s } as never)), span: s,
    } as never),
  ];
  const sections: Any<Statement>[] = [
    node({ kind: k('quantize'), selector: selector(expr), format: expr, span: s, ...trivia } as never),
    node({ kind: k('weights'), rules: fc.array(rule(expr), { maxLength: 3 }).map(inBlock), span: s, ...trivia, closing } as never),
    node({ kind: fc.constantFrom('precision', 'mesh'), entries: fc.array(node<NamedEntry>({ name: id, value: expr, span: fc.constant(span), ...trivia } as never), { maxLength: 3 }).map(inBlock), span: s, ...trivia, closing } as never),
    node({
      kind: k('import'), architectures: fc.array(string, { minLength: 1, maxLength: 2 }), within: maybe(id),
      entries: fc.array(importEntry(expr), { maxLength: 3 }).map(inBlock), span: s, ...trivia, closing,
    } as never),
    node({ kind: k('train'), value: expr, span: s, ...trivia } as never),
    node({ kind: k('setting'), name: fc.constantFrom('context', 'stop'), value: expr, span: s, ...trivia } as never),
  ];
  const statements: Any<Statement>[] = [
    fc.boolean().chain((like) => node<Statement>({ kind: k('dim'), name: id, like: fc.constant(like), value: like ? name : expr, span: s, ...trivia } as never)),
    node({ kind: k('const'), name: id, params: fc.array(parameter(expr, tensor), { maxLength: 2 }), type: maybe(tensor), value: expr, span: s, ...trivia } as never),
    node({ kind: k('table'), name: id, extent: expr, value: expr, span: s, ...trivia } as never),
    node({ kind: k('def'), name: id, value: expr, span: s, ...trivia } as never),
    node({ kind: k('shared'), name: id, count: maybe(expr), value: expr, span: s, ...trivia } as never),
    node({ kind: k('param'), names: names(1), type: tensor, init: maybe(expr), frozen: fc.boolean(), own: fc.boolean(), when: maybe(expr), span: s, ...trivia } as never),
    fc.constantFrom('append', 'every', 'window', 'last').chain((policy) => node<Statement>({
      kind: k('state'), name: id, policy: fc.constant(policy), extent: policy === 'append' ? fc.constant(undefined) : expr, type: tensor, value: labelled, fill: maybe(expr), span: s, ...trivia,
    } as never)),
    node({ kind: k('assign'), target: pattern, operator: fc.constantFrom('=', '+='), value: labelled, span: s, ...trivia } as never),
    node({ kind: k('repeat'), label: id, count: expr, index: id, carry: maybe(fc.array(node({ name: id, initial: maybe(expr) } as never), { maxLength: 2 })), body, span: s, ...trivia, closing } as never),
    node({ kind: k('head'), label: id, count: expr, index: id, body, span: s, ...trivia, closing } as never),
    node({ kind: k('if'), condition: expr, then: body, otherwise: body, span: s, ...trivia, thenClosing: closing, closing } as never),
    node({ kind: k('at'), dtype: fc.constantFrom('f32', 'bf16').map((n) => ({ name: n, span })), body, span: s, ...trivia, closing } as never),
    node({ kind: k('return'), values: fc.oneof(exprs(2), labelled.filter((e) => e.kind !== 'tuple').map((e) => [e])), span: s, ...trivia } as never),
    node({ kind: k('export'), name: id, value: labelled, span: s, ...trivia } as never),
    node({ kind: k('require'), condition: expr, message: maybe(text), span: s, ...trivia } as never),
    node({ kind: k('emit'), value: labelled, span: s, ...trivia } as never),
    ...sections,
  ];
  return {
    expr: fc.oneof({ maxDepth: 4, depthIdentifier: 'expr' }, leaf, ...compound),
    labelled: fc.oneof({ weight: 3, arbitrary: expr.filter((e) => e.kind !== 'labelled') }, { weight: 1, arbitrary: labelledNode }),
    argument: node<Argument>({ name: maybe(id), value: labelled, span: s, ...inlineTrivia } as never),
    args: fc.array(tie('argument'), { maxLength: 4 }).map((args) => [...args.filter((a) => !a.name), ...args.filter((a) => a.name)]),
    arm: node<MatchArm>({ pattern: fc.oneof(fc.constant('_' as const), expr), value: expr, span: fc.constant(span), ...trivia } as never),
    tensor: node<TensorTypeExpr>({
      kind: k('tensor-type'), rest: fc.boolean(), axes: exprs(0, expr), dtype: maybe(fc.constantFrom('f32', 'i32').map((n) => ({ name: n, span }))), optional: fc.boolean(), span: s,
    } as never),
    statement: fc.oneof({ maxDepth: 3, depthIdentifier: 'statement' }, statements[3], ...statements).map(normal),
    body: fc.array(tie('statement'), { maxLength: 3, depthIdentifier: 'statement' }).map(inBlock),
  };
});

/** The closing comments of an `else if` are those of the inner `if`; those of an empty block have no blank line above. */
function normal(s: Statement): Statement {
  if (s.kind === 'if') {
    const { thenClosing, ...rest } = s;
    if (s.otherwise.length === 0) return s.then.length === 0 ? withoutBlank(rest, 'closing') : rest;
    return s.then.length === 0 ? withoutBlank(s, 'thenClosing') : s;
  }
  if (s.closing === undefined) return s;
  const list = s.kind === 'weights' ? s.rules : s.kind === 'precision' || s.kind === 'mesh' || s.kind === 'import' ? s.entries : 'body' in s ? s.body : [];
  return list.length === 0 ? withoutBlank(s, 'closing') : s;
}

function selector(expr: Any<Expr>): Any<Selector> {
  const index = maybe(fc.oneof(fc.constant('*' as const), expr));
  const segment = fc.oneof(
    node({ names: fc.oneof(word, fc.constant('*')).map((n) => [n]), index, span: fc.constant(span) } as never),
    node({ names: fc.array(word, { minLength: 2, maxLength: 3 }), index, span: fc.constant(span) } as never),
    node({ names: fc.constant([]), capture: word, before: maybe(word), after: maybe(fc.constantFrom('x', '_1', '_norm')), index, span: fc.constant(span) } as never),
  );
  return node<Selector>({ kind: k('selector'), segments: fc.array(segment, { minLength: 1, maxLength: 3 }), span: fc.constant(span) } as never);
}

function rule(expr: Any<Expr>): Any<WeightRule> {
  const strings = fc.array(string, { minLength: 1, maxLength: 2 });
  const storage = fc.array(node<Argument>({ name: id, value: leaf, span: fc.constant(span) } as never), { maxLength: 2 })
    .map((args): Expr => ({ kind: 'call', callee: { kind: 'name', name: 'int4', span }, args, span }));
  return fc.oneof(
    node<WeightRule>({ kind: k('map'), sources: strings, target: selector(expr), layout: maybe(string), storage: maybe(storage), when: maybe(expr), span: fc.constant(span), ...trivia } as never),
    node<WeightRule>({ kind: k('ignore'), patterns: strings, when: maybe(expr), span: fc.constant(span), ...trivia } as never),
    node<WeightRule>({ kind: k('tap'), name: string, target: selector(expr), when: maybe(expr), span: fc.constant(span), ...trivia } as never),
  );
}

function parameter(expr: Any<Expr>, tensor: Any<TensorTypeExpr>): Any<Parameter> {
  const s = fc.constant(span);
  const type: Any<Type> = fc.oneof(
    tensor as Any<Type>,
    node<Type>({ kind: k('simple-type'), name: fc.constantFrom('dim', 'int', 'real', 'bool', 'layer', 'fn', 'list'), optional: fc.boolean(), span: s } as never),
    node<Type>({ kind: k('enum-type'), values: names(1), optional: fc.boolean(), span: s } as never),
  );
  return node<Parameter>({ name: id, type: maybe(type), default: maybe(expr), span: s, ...inlineTrivia } as never);
}

function importEntry(expr: Any<Expr>): Any<ImportEntry> {
  const s = fc.constant(span);
  const type = node<Type>({ kind: k('simple-type'), name: fc.constantFrom('int', 'real', 'bool', 'list'), optional: fc.boolean(), span: s } as never);
  const keys = fc.array(fc.constantFrom('seq_aux', 'rope_scaling.type', 'known').map((name) => ({ name, span })), { minLength: 1, maxLength: 2 });
  return fc.oneof(
    node<ImportEntry>({ kind: k('binding'), name: id, type: maybe(type), value: expr, span: s, ...trivia } as never),
    node<ImportEntry>({ kind: k('known'), keys, span: s, ...trivia } as never),
    node<ImportEntry>({ kind: k('require'), condition: expr, message: maybe(text), span: s, ...trivia } as never),
  );
}

const s = fc.constant(span);
const parameters = fc.array(parameter(all.expr, all.tensor), { maxLength: 4 });
const result = node<ResultType>({ name: maybe(id), type: fc.oneof(all.tensor, node({ kind: k('simple-type'), name: fc.constant('state'), optional: fc.constant(false), span: s } as never)), span: s } as never);
const use = node<Use>({ kind: k('use'), module: fc.constantFrom('std', 'std.math', './mine.firn'), names: names(1), span: s, ...trivia } as never);
const item: Any<Item> = fc.oneof(
  node<Item>({ kind: k('model'), name: id, body: all.body, span: s, ...trivia, closing } as never),
  node<Item>({
    kind: k('model'), name: id, body: fc.constant([]), span: s, ...trivia, closing,
    base: node({ name: id, overrides: fc.array(node<Override>({ name: id, value: all.expr, span: fc.constant(span), ...trivia } as never), { maxLength: 3 }).map(inBlock) }),
  } as never),
  node<Item>({ kind: k('layer'), name: id, params: parameters, results: fc.array(result, { minLength: 1, maxLength: 2 }), body: all.body, span: s, ...trivia, closing } as never),
  node<Item>({ kind: k('fn'), name: id, params: parameters, body: all.expr, span: s, ...trivia } as never),
  node<Item>({ kind: k('const-item'), name: id, value: all.expr, span: s, ...trivia } as never),
);

function normalItem(i: Item): Item {
  const empty = i.kind === 'model' ? i.body.length === 0 && (i.base?.overrides.length ?? 0) === 0 : i.kind === 'layer' && i.body.length === 0;
  return empty ? withoutBlank(i, 'closing') : i;
}

export const anyFile: Any<File> = fc.tuple(fc.array(use, { maxLength: 2 }), fc.array(item.map(normalItem), { maxLength: 2 })).map(([uses, items]) => {
  const nodes = inBlock<Use | Item>([...uses, ...items]);
  return { kind: 'file', uses: nodes.slice(0, uses.length) as Use[], items: nodes.slice(uses.length) as Item[], span, trailing: [] };
});
