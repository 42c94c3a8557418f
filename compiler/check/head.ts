/**
 * `head mtp[1] as j { .. logits = .. }`: more logits of the model, with parameters and states of their own, built only if
 * `mtp[0].logits` is asked for. The graph is then the same as without it, plus what the head computes.
 */
import type { HeadStatement } from '../../dsl/ast.js';
import * as messages from '../../dsl/check-messages.js';
import { symbol } from '../ir/dim.js';
import type { Builtin, BuiltinArguments } from './builtins.js';
import { requireTensor, tensorAxes } from './contract.js';
import { requireCount } from './declare.js';
import { sizeOf } from './elementwise.js';
import { building, childInstance, claimLabel, fail, modelInput, tensor, type Frame } from './frame.js';
import { integer } from './number.js';
import { Scope } from './scope.js';
import { execute } from './statements.js';
import { describe, type Value } from './value.js';

export function executeHead(frame: Frame, s: HeadStatement): void {
  const { name } = s.label;
  if (frame.instance.parent !== undefined) fail(messages.headOutsideModel(name, s.span));
  claimLabel(frame.instance, { ...s.label, written: true }, s);
  const count = requireCount(frame, name, s.count);
  frame.run.exported.add(`${name}.logits`);
  const wanted = Array.from({ length: count }, (_, j) => frame.run.wanted(`${name}[${j}].logits`));
  if (!wanted.includes(true)) { frame.run.absentHeads.push(name); return; }
  let scope = frame.scope;
  for (let j = 0; j < count; j++) {
    const instance = childInstance(frame.instance, { label: { ...s.label, written: true }, index: j, owner: s, name, span: s.span });
    scope = new Scope(scope);
    scope.set(s.index.name, { ...integer(j), from: [{ name: s.index.name, value: j, span: s.index.span, from: [] }] });
    const inside: Frame = { ...frame, scope, instance, depth: frame.depth + 1 };
    execute(inside, s.body);
    exportLogits(inside, s);
  }
}

/** Logits of the wanted rows, f32, as those of the model itself. */
function exportLogits(frame: Frame, s: HeadStatement): void {
  const found = frame.scope.has('logits') ? frame.scope.find('logits')! : fail(messages.headWithoutLogits(s.label.name, s.span));
  const logits = requireTensor(frame, { value: found, span: s.span }, 'logits');
  const axes = tensorAxes(frame, logits);
  if (axes.length !== 2 || !axes.some((a) => a.name === 'tokens')) fail(messages.logitsAxes(axes.map((a) => a.spelling).join(', '), logits.span));
  const builder = building(frame, logits.span);
  const rows = builder.gather(frame.graph.use(logits), modelInput(frame, 'rows'), 'tokens');
  const value = rows.type.dtype === 'f32' ? rows : builder.cast(rows, 'f32');
  frame.graph.exports.push({ paths: [`${frame.instance.path}.logits`], value });
}

/** Tokens ahead that a model may look, so that inputs stay few. */
const farthest = 8;

/** `ahead(tokens, by: 1)`: the id of the token that comes so many places later in the sequence; -1 where it is not known yet. */
function ahead(a: BuiltinArguments): Value {
  const { frame, span } = a;
  if (a.value('tokens') !== frame.run.inputs.get('tokens')) fail(messages.wrongArgument('tokens', 'the tokens of the model', describe(a.value('tokens')), a.expr('tokens').span));
  const by = a.value('by');
  const places = by.kind === 'axis' ? sizeOf(by, span) : by;
  if (places.kind !== 'number' || !Number.isInteger(places.value) || places.value < 1 || places.value > farthest) fail(messages.wrongArgument('by', `a whole number from 1 to ${farthest}`, describe(by), a.expr('by').span));
  const name = `ahead${places.value}`;
  let root = frame.graph;
  while (root.parent !== undefined) root = root.parent;
  if (!frame.run.inputs.has(name)) {
    const value = root.builder.input(name, { dtype: 'i32', axes: [{ name: 'tokens', size: symbol('tokens') }] });
    frame.run.inputs.set(name, { ...tensor({ ...frame, graph: root }, value, span), settled: true });
  }
  return frame.run.inputs.get(name)!;
}

export const headBuiltins: Readonly<Record<string, Builtin>> = { ahead: { parameters: ['tokens', 'by'], apply: ahead } };
