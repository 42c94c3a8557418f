/**
 * Takes chosen ids from the caller instead of choosing them; what is computed from scores at the chosen ids still is.
 *
 *   repeat layers[60] { %4 = top %3 k=8  .. uses of %4 ..  export %4 }
 *   =>  input `pinned.ids` i32 [tokens, layers, active]
 *       repeat layers[60] { %4 = top %3 k=8  %5 = gather(pinned.ids, iteration)  .. uses of %5 ..  export %4 }
 *
 * Which ones is said by their taps; the taps themselves still give the model's own choice. Needs an elaborated module,
 * gives a valid one with an input more per pinned output.
 */
import { GraphBuilder } from '../ir/build.js';
import type { Graph, Module, Node, Value, ValueId } from '../ir/graph.js';
import { copyNode } from '../ir/rebuild.js';

/** An input that holds ids: i32 [tokens, names, active], without `names` if there is one name outside of any repeat. */
export interface PinnedInput {
  readonly input: string;
  /** Public names of its parts, in order. */
  readonly names: readonly string[];
  /** Ids per token and name, each below `choices`. */
  readonly active: number;
  readonly choices: number;
}

type Top = Extract<Node, { op: 'top' }>;
interface Site { readonly top: Top; readonly repeat: Extract<Node, { op: 'repeat' }> | undefined }

/** Raised for a tap whose value is not the result of a `top`: the caller asked for what cannot be. */
export class PinError extends Error {
  readonly code = 'C32';
  readonly fix = 'pin taps that are results of `top`, such as the chosen experts';

  constructor(tap: string) {
    super(`the tap '${tap}' does not hold ids that the model chooses, so they cannot be forced`);
  }
}

/** Pins every tap with a name among `names`. Throws PinError. */
export function pin(module: Module, names: ReadonlySet<string>): { readonly module: Module; readonly pinned: readonly PinnedInput[] } {
  const { graph } = module;
  const sites = module.taps.filter((t) => t.names.some((n) => names.has(n))).map((tap) => {
    const site = siteOf(graph, graph.outputs.find((o) => o.name === tap.output)!.value, undefined);
    if (site === undefined) throw new PinError(tap.names[0]);
    return { ...site, input: `pinned.${tap.output}`, names: tap.names };
  });
  if (sites.length === 0) return { module, pinned: [] };
  const b = new GraphBuilder(graph.name, { params: module.params, states: module.states });
  const values = new Map<ValueId, Value>();
  for (const { name, value } of graph.inputs) values.set(value.id, b.input(name, value.type));
  const inputs = sites.map((s) => {
    const [tokens, ...rest] = s.top.results[0].type.axes;
    if (typeof tokens.size === 'number') throw new Error('pin: the first axis of chosen ids is not the tokens');
    return { ...s, value: b.input(s.input, { dtype: 'i32', axes: s.repeat ? [tokens, { name: s.repeat.label, size: s.repeat.count }, ...rest] : [tokens, ...rest] }) };
  });
  const replaced = new Map(inputs.filter((i) => i.repeat === undefined).map((i) => [i.top, () => i.value]));
  const own = copyAll(graph, b, values, (node) => {
    const inside = inputs.filter((i) => i.repeat === node);
    return inside.length === 0 || node.op !== 'repeat' ? undefined : repeatWith(node, inside, values, b);
  }, replaced);
  const pinned = sites.map((s) => ({ input: s.input, names: s.names, active: s.top.k, choices: choicesOf(graph, s) }));
  return { module: { ...module, graph: b.finish(graph.outputs.map((o) => ({ name: o.name, value: own.get(o.value)! }))) }, pinned };
}

/** The `top` whose result the value is, and the repeat that it is in; renamed axes do not matter. */
function siteOf(graph: Graph, value: ValueId, repeat: Site['repeat']): Site | undefined {
  const node = graph.nodes.find((n) => n.results.some((r) => r.id === value));
  if (node?.op === 'top') return { top: node, repeat };
  if (node?.op === 'rename') return siteOf(graph, node.operands[0], repeat);
  if (node?.op !== 'repeat' || repeat !== undefined) return undefined;
  const index = node.results.findIndex((r) => r.id === value);
  return index < node.carries ? undefined : siteOf(node.body, node.body.outputs[index].value, node);
}

function choicesOf(graph: Graph, { top, repeat }: Site): number {
  const level = repeat?.body ?? graph;
  const scores = [...level.inputs.map((i) => i.value), ...level.nodes.flatMap((n) => n.results)].find((v) => v.id === top.operands[0])!;
  const { size } = scores.type.axes.find((a) => a.name === top.axis)!;
  if (typeof size !== 'number') throw new Error(`pin: the axis '${top.axis}' has no fixed extent`);
  return size;
}

/**
 * Copies all nodes; users of a `replaced` top get what stands for it. Returns the values that outputs mean: a top's own
 * result even where its users got another.
 */
function copyAll(
  graph: Graph, b: GraphBuilder, values: Map<ValueId, Value>, special: (node: Node) => readonly Value[] | undefined, replaced: ReadonlyMap<Node, () => Value>,
): ReadonlyMap<ValueId, Value> {
  const own = new Map(values);
  for (const node of graph.nodes) {
    b.span = node.span;
    b.label = node.op === 'repeat' ? undefined : node.label;
    const results = special(node) ?? copyNode(node, node.operands.map((id) => values.get(id)!), b);
    // A renamed export of the ids is the model's own choice too, whoever else uses it.
    const outputs = node.op === 'rename' ? copyNode(node, node.operands.map((id) => own.get(id)!), b) : results;
    node.results.forEach((r, i) => {
      own.set(r.id, outputs[i]);
      values.set(r.id, replaced.get(node)?.() ?? results[i]);
    });
  }
  return own;
}

interface PinnedSite extends Site { readonly value: Value }

function repeatWith(node: Extract<Node, { op: 'repeat' }>, sites: readonly PinnedSite[], values: ReadonlyMap<ValueId, Value>, b: GraphBuilder): readonly Value[] {
  const inner = new GraphBuilder(node.body.name, b.context);
  const inside = new Map<ValueId, Value>();
  for (const { name, value } of node.body.inputs) inside.set(value.id, inner.input(name, value.type));
  const replaced = new Map(sites.map(({ top, value }, i) => {
    const all = inner.input(`pinned_${i}`, value.type);
    return [top as Node, (): Value => {
      const iterations = Array.from({ length: node.count }, (_, n) => [n]);
      return inner.gather(all, inner.constant({ dtype: 'i32', axes: [] }, iterations[0], iterations), node.label);
    }];
  }));
  const own = copyAll(node.body, inner, inside, () => undefined, replaced);
  const body = inner.finish(node.body.outputs.map((o, i) => ({ name: o.name, value: (i < node.carries ? inside : own).get(o.value)! })));
  return b.emit({ ...node, body }, [...node.operands.map((id) => values.get(id)!), ...sites.map((s) => s.value)], node.results[0]?.type);
}
