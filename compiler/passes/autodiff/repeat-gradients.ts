/**
 * The backward pass of a repeat is a repeat in reverse. The forward one keeps its carries as they enter each iteration;
 * an iteration of the backward one computes the rest of its forward iteration again from them, then walks it backwards.
 * Carried backwards: cotangents of the forward carries, and the sums of those of captured values. Gradients of the
 * body's parameters are stacked, one per iteration.
 */
import { GraphBuilder } from '../../ir/build.js';
import type { Node, TensorType, Value } from '../../ir/graph.js';
import { removeDead } from '../simplify/remove-dead.js';
import { repeatActivity } from './activity.js';
import { runBackward, runForward, startBackward, type Scope } from './backward.js';
import { ordered, zeros, type Cotangents } from './cotangents.js';

type Repeat = Extract<Node, { op: 'repeat' }>;

export interface Taped {
  readonly results: readonly Value[];
  /** Per carry, its values on entry: stacked on the repeat's axis, or of every token. */
  readonly entered: readonly Value[];
}

export function repeatForward(node: Repeat, operands: readonly Value[], b: GraphBuilder): Taped {
  const { body, carries } = node;
  const kept = body.inputs.slice(0, carries).map(({ name, value }) => ({ name: `${name}.entered`, value: value.id }));
  const all = b.repeat({ label: node.label, count: node.count, reverse: node.reverse, body: { ...body, outputs: [...body.outputs, ...kept] } }, operands.slice(0, carries), operands.slice(carries));
  return { results: all.slice(0, node.results.length), entered: all.slice(node.results.length) };
}

/** What an iteration of the backward repeat reads and carries, by index of the forward body's inputs and outputs. */
interface Layout {
  readonly carries: readonly number[];
  readonly captured: readonly number[];
  /** Stacked outputs whose cotangent is known. */
  readonly stacked: readonly number[];
}

function layoutOf(node: Repeat, inside: readonly boolean[], results: readonly Value[], into: Cotangents): Layout {
  const indices = inside.flatMap((active, i) => (active ? [i] : []));
  return {
    carries: indices.filter((i) => i < node.carries),
    captured: indices.filter((i) => i >= node.carries),
    stacked: results.flatMap((r, i) => (i >= node.carries && into.of(r) !== undefined ? [i] : [])),
  };
}

export function repeatBackward(node: Repeat, taped: Taped, operands: readonly Value[], into: Cotangents, outer: Scope): void {
  const { b } = into;
  const activity = repeatActivity(node, outer.params, node.operands.map((id) => outer.active.has(id)));
  const layout = layoutOf(node, activity.inside, taped.results, into);
  const captured = operands.slice(node.carries);
  const stackedGradients = layout.stacked.map((i) => into.of(taped.results[i])!);
  const initial = [
    ...layout.carries.map((i) => into.of(taped.results[i]) ?? zeros(b, taped.results[i].type.axes)),
    ...layout.captured.map((i) => zeros(b, operands[i].type.axes)),
  ];
  const read = [...captured, ...taped.entered, ...stackedGradients];
  const scope: Scope = { params: outer.params, iterations: outer.iterations * node.count, active: activity.body };
  const { body, params } = backwardBody(node, layout, initial, { captured, entered: taped.entered, stackedGradients }, scope, b);
  const results = b.repeat({ label: node.label, count: node.count, reverse: !node.reverse, body }, initial, read);
  [...layout.carries, ...layout.captured].forEach((i, n) => into.add(operands[i], results[n]));
  params.forEach((param, n) => {
    const each = results[initial.length + n];
    into.addParam(param, outer.params[param].shared === true ? b.reduce(each, 'add', [node.label]) : each);
  });
}

interface Read { readonly captured: readonly Value[]; readonly entered: readonly Value[]; readonly stackedGradients: readonly Value[] }

function backwardBody(node: Repeat, layout: Layout, initial: readonly Value[], read: Read, scope: Scope, outer: GraphBuilder) {
  const b = new GraphBuilder(`${node.body.name}.backward`, outer.context);
  const inputs = (prefix: string, values: readonly Value[]): Value[] => values.map((v, i) => b.input(`${prefix}${i}`, v.type));
  const carried = inputs('carried', initial);
  const captured = inputs('captured', read.captured);
  const iteration = b.constant({ dtype: 'i32', axes: [] }, [0], Array.from({ length: scope.iterations }, (_, i) => [i % node.count]));
  const ofIteration = (stacked: Value): Value => b.gather(stacked, iteration, node.label);
  const entered = inputs('entered', read.entered).map(ofIteration);
  const gradients = inputs('gradient', read.stackedGradients).map(ofIteration);

  const tape = runForward(node.body, [...entered, ...captured], b, scope);
  const outputs = node.body.outputs.map((o) => tape.values.get(o.value)!);
  const cotangents = startBackward(tape, b, scope);
  layout.carries.forEach((i, n) => cotangents.add(outputs[i], carried[n]));
  layout.stacked.forEach((i, n) => cotangents.add(outputs[i], gradients[n]));
  runBackward(node.body, tape, cotangents, scope);

  const bodyInputs = [...entered, ...captured];
  const next = [...layout.carries, ...layout.captured].map((i, n) => {
    const g = cotangents.of(bodyInputs[i]);
    if (i < node.carries) return g ?? zeros(b, carried[n].type.axes);
    return g === undefined ? carried[n] : b.map('add', carried[n], g);
  });
  const params = [...cotangents.params.keys()].sort((p, q) => p - q);
  const paramGradients = params.map((p) => ordered(b, cotangents.params.get(p)!, leadingAxes(cotangents.params.get(p)!.type, scope.params[p].type)));
  const body = b.finish([...next.map((value, i) => ({ name: `carried${i}`, value })), ...paramGradients.map((value, i) => ({ name: `param${params[i]}`, value }))]);
  return { body: removeDead(body), params };
}

/** Axes of inner repeats, then the parameter's own in its order. */
export function leadingAxes(gradient: TensorType, param: TensorType) {
  return [...gradient.axes.filter((a) => !param.axes.some((p) => p.name === a.name)), ...param.axes];
}
