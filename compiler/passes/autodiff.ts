/**
 * Reverse-mode differentiation: the gradient of a scalar output with respect to every parameter that learns.
 *
 *   %2 = contract [d](w, x); return loss = %9
 *   =>  the same, then backwards: %30 = contract [tokens](%29, x)
 *   return loss = %9, gradient.0 = %30     (tap gradient.0 -> grad.PATH of each iteration)
 *
 * Needs a graph without state (`expand-attend`) and without collectives. Gradients are f32, in the parameter's axis
 * order behind one leading axis per enclosing repeat. Inside repeats only carries are kept; the rest is computed again.
 */
import { GraphBuilder } from '../ir/build.js';
import type { Module, Value } from '../ir/graph.js';
import { activeValues } from './autodiff/activity.js';
import { runBackward, runForward, startBackward, type Scope } from './autodiff/backward.js';
import { ordered, zeros, type Cotangents } from './autodiff/cotangents.js';
import { leadingAxes } from './autodiff/repeat-gradients.js';
import { removeDead } from './simplify/remove-dead.js';

export interface AutodiffOptions {
  /** Name of the scalar output to differentiate. */
  readonly loss?: string;
}

/** Throws if the output is absent or not a scalar, or if an op on the way has no gradient. */
export function autodiff(module: Module, options: AutodiffOptions = {}): Module {
  const { loss = 'loss' } = options;
  const { graph, params } = module;
  const b = new GraphBuilder(graph.name, { params, states: module.states });
  const inputs = graph.inputs.map(({ name, value }) => b.input(name, value.type));
  const scope: Scope = { params, iterations: 1, active: activeValues(graph, params, inputs.map(() => false)) };
  const tape = runForward(graph, inputs, b, scope);
  const outputs = graph.outputs.map((o) => ({ name: o.name, value: tape.values.get(o.value)! }));
  const scalar = outputs.find((o) => o.name === loss)?.value;
  if (scalar === undefined || scalar.type.axes.length > 0) throw new Error(`autodiff: '${loss}' is not a scalar output`);
  const cotangents = startBackward(tape, b, scope);
  cotangents.add(scalar, b.scalar(1));
  runBackward(graph, tape, cotangents, scope);
  const gradients = params.flatMap((decl, i) => (decl.frozen ? [] : [{ param: i, name: gradientName(i), value: gradientOf(i, module, cotangents, b) }]));
  return {
    ...module, graph: removeDead(b.finish([...outputs, ...gradients])),
    taps: [...module.taps, ...gradients.map((g) => ({ output: g.name, names: params[g.param].paths.map((p) => `grad.${p}`) }))],
  };
}

/** Output that holds the gradient of parameter `index`. */
export function gradientName(index: number): string {
  return `gradient.${index}`;
}

/** Zeros for a parameter that the loss does not depend on. */
function gradientOf(index: number, { params }: Module, cotangents: Cotangents, b: GraphBuilder): Value {
  const { type, paths } = params[index];
  const found = cotangents.params.get(index);
  if (found !== undefined) return ordered(b, found, leadingAxes(found.type, type));
  return zeros(b, paths.length === 1 ? type.axes : [{ name: 'iteration', size: paths.length }, ...type.axes]);
}
