/**
 * The backward pass of a recurrence is a recurrence in reverse. The forward one also gives what its carries were as each
 * token came; the backward one computes the rest of the step again from them, then walks it backwards. Carried
 * backwards: cotangents of the carries, zero behind a sequence's last token. What the step captured gets a cotangent per
 * token, summed afterwards. Gradients are the step's, whether or not there is a chunk body.
 */
import { GraphBuilder } from '../../ir/build.js';
import { isFloat } from '../../ir/dtype.js';
import type { Graph, Node, Value, ValueId } from '../../ir/graph.js';
import { scanOperands } from '../../ir/ops-bodies.js';
import { tokenAxis } from '../../ir/ops-state.js';
import { removeDead } from '../simplify/remove-dead.js';
import { activeValues } from './activity.js';
import { runBackward, runForward, startBackward, type Scope } from './backward.js';
import { fit, zeros, type Cotangents } from './cotangents.js';
import type { Taped } from './repeat-gradients.js';

type Scan = Extract<Node, { op: 'scan' }>;

/** The scan, which must have no states (`expand-attend`), with its carries as they enter each step. */
export function scanForward(node: Scan, operands: readonly Value[], b: GraphBuilder): Taped {
  const carries = requireFresh(node);
  const { inputs, outputs } = node.body;
  const kept = inputs.slice(node.inputs, node.inputs + carries).map(({ name, value }) => ({ name: `${name}.entered`, value: value.id }));
  const body: Graph = { ...node.body, outputs: [...outputs.slice(0, node.emits), ...kept, ...outputs.slice(node.emits)] };
  const all = b.emit({ op: 'scan', inputs: node.inputs, emits: node.emits + carries, states: [], fresh: carries, body }, operands);
  return { results: all.slice(0, node.emits), entered: all.slice(node.emits) };
}

function requireFresh(node: Scan): number {
  if (node.fresh === undefined) throw new Error('autodiff: a scan with states; expand-attend comes first');
  return node.fresh;
}

/** By index of the body's inputs: which can have a gradient. */
function activeInputs(node: Scan, operands: readonly Value[], params: Scope['params'], outer: readonly boolean[]): { readonly inside: readonly boolean[]; readonly body: ReadonlySet<ValueId> } {
  const inside = operands.slice(0, -3).map((o, i) => outer[i] && isFloat(o.type.dtype));
  for (;;) {
    const body = activeValues(node.body, params, inside);
    const more = node.body.outputs.slice(node.emits).flatMap((o, i) => (body.has(o.value) && !inside[node.inputs + i] ? [node.inputs + i] : []));
    if (more.length === 0) return { inside, body };
    for (const i of more) inside[i] = true;
  }
}

export function scanBackward(node: Scan, taped: Taped, operands: readonly Value[], into: Cotangents, outer: Scope): void {
  const { b } = into;
  const carries = requireFresh(node);
  const { xs, captured, position, sequence, starts } = scanOperands(node, operands);
  const { inside, body } = activeInputs(node, operands, outer.params, node.operands.map((id) => outer.active.has(id)));
  const emitted = taped.results.flatMap((r, i) => { const g = into.of(r); return g === undefined ? [] : [{ i, g }]; });
  const wanted = inside.flatMap((active, i) => (active ? [i] : []));
  const carried = wanted.filter((i) => i >= node.inputs && i < node.inputs + carries);
  const others = wanted.filter((i) => !carried.includes(i));
  const initial = carried.map((i) => zeros(b, operands[i].type.axes));
  const rows = [...xs, ...taped.entered, ...emitted.map((e) => e.g)];
  const layout: Layout = { emitted: emitted.map((e) => e.i), carried, others };
  const step = backwardStep(node, { rows, initial, captured }, layout, { ...outer, active: body }, b, tokenAxis(position.type, 'autodiff').name);
  const results = b.emit(
    { op: 'scan', inputs: rows.length, emits: others.length, states: [], fresh: carried.length, reverse: true, body: step },
    [...rows, ...initial, ...captured, position, sequence, starts],
  );
  others.forEach((i, n) => into.add(operands[i], fit(b, results[n], operands[i].type)));
}

interface Read { readonly rows: readonly Value[]; readonly initial: readonly Value[]; readonly captured: readonly Value[] }
/** Emitted values whose cotangents are rows, and body inputs: carries with cotangents, and those that get one per token. */
interface Layout { readonly emitted: readonly number[]; readonly carried: readonly number[]; readonly others: readonly number[] }

function backwardStep(node: Scan, read: Read, layout: Layout, scope: Scope, outer: GraphBuilder, tokens: string): Graph {
  const b = new GraphBuilder(`${node.body.name}.backward`, outer.context);
  const rows = read.rows.map((r, i) => b.input(`row${i}`, { dtype: r.type.dtype, axes: r.type.axes.filter((a) => a.name !== tokens) }));
  const cotangents = read.initial.map((v, i) => b.input(`carried${i}`, v.type));
  const captured = read.captured.map((v, i) => b.input(`captured${i}`, v.type));
  const inputs = [...rows.slice(0, node.inputs + node.fresh!), ...captured];
  const tape = runForward(node.body, inputs, b, scope);
  const into = startBackward(tape, b, scope);
  const output = (i: number): Value => tape.values.get(node.body.outputs[i].value)!;
  layout.emitted.forEach((i, n) => into.add(output(i), rows[node.inputs + node.fresh! + n]));
  layout.carried.forEach((i, n) => into.add(output(node.emits + i - node.inputs), cotangents[n]));
  runBackward(node.body, tape, into, scope);
  const found = [...layout.others, ...layout.carried].map((i, n) => ({ name: `cotangent${n}`, value: into.of(inputs[i]) ?? zeros(b, inputs[i].type.axes) }));
  return removeDead(b.finish(found));
}
