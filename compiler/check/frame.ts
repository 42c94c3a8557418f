/** Where elaboration is: what is shared by the whole run, the instance whose body is read, and the graph that grows. */
import { hasErrors, isSameMistake, type Diagnostic } from '../../dsl/diagnostics.js';
import type { Span } from '../../dsl/span.js';
import * as messages from '../../dsl/check-messages.js';
import type { DType } from '../ir/dtype.js';
import type { GraphBuilder } from '../ir/build.js';
import type { Value as GraphValue, ParamDecl, StateDecl, Storage } from '../ir/graph.js';
import type { MovedState } from './foreign-states.js';
import { AxisTable, type AxisValue } from './axis.js';
import type { GraphScope } from './graph-scope.js';
import type { QuantizeEntry } from './quantize-rules.js';
import type { Scope } from './scope.js';
import { sharedChild, type SharedUse } from './shared.js';
import type { Routing, TensorValue } from './value.js';

/** The dtypes that a spec (or a flag) declares. Contractions always accumulate in f32. */
export interface Precision { readonly weights: DType; readonly activations: DType; readonly cache: DType }

/** Shared by one run. */
export interface Elaboration {
  readonly diagnostics: Diagnostic[];
  readonly axes: AxisTable;
  readonly budget: { left: number; told: boolean };
  readonly params: ParamDecl[];
  readonly states: StateDecl[];
  /** States that became slots of others when iterations were rolled up. */
  readonly moved: Map<number, MovedState>;
  readonly precision: Precision;
  readonly quantize: readonly QuantizeEntry[];
  /** Entries of a cache block. */
  readonly block: number;
  /** What a checkpoint stores at a path, if one is known. */
  readonly storage?: (path: string) => Storage | undefined;
  /** Whether somebody asked for the export at this path. */
  readonly wanted: (path: string) => boolean;
  /** Sites (paths without indices) of all exports, wanted or not. */
  readonly exported: Set<string>;
  /** Labels of heads that nobody asked for. */
  readonly absentHeads: string[];
  /** What was decided by path (storages, wanted exports), in order, so that other iterations can be compared. */
  readonly decisions: PathDecision[];
  /** The module of the standard library that has a name. */
  readonly library: (name: string) => string | undefined;
  /** Inputs of the model's graph, as tensors. */
  readonly inputs: Map<string, TensorValue>;
}

export interface PathDecision { readonly path: string; readonly value: string; readonly decide: (path: string) => string }

/** A call of a layer; the model itself; one iteration of a repeat. */
export interface Instance {
  /** `layers[3].attn`; '' for the model. */
  readonly path: string;
  /** The path without indices: the same in every iteration of a repeat. */
  readonly site: string;
  /** Where its parameters are, if it is a use of a shared instance or inside one. */
  readonly shared?: SharedUse;
  readonly parent?: Instance;
  readonly label?: Label;
  /** Who holds the label in the parent: the instance itself, or the repeat that all iterations belong to. */
  readonly owner: object;
  /** One pass of a repeat, not the call of a layer. */
  readonly iteration: boolean;
  /** Labels in use directly inside, and their owners. */
  readonly claimed: Map<string, { readonly owner: object; readonly span: Span }>;
  /** Parameters declared in it, and labelled instances, for `embed.table`. */
  readonly members: Map<string, TensorValue | Instance>;
  /** `attention`, for messages. */
  readonly name: string;
  readonly span: Span;
}

export interface Label {
  readonly name: string;
  readonly span: Span;
  /** Written as `label = call`, not taken from the name that is assigned. */
  readonly written: boolean;
}

export interface Frame {
  readonly run: Elaboration;
  readonly scope: Scope;
  readonly instance: Instance;
  readonly graph: GraphScope;
  /** Calls around this one. */
  readonly depth: number;
  /** Inside `at f32`: nothing is rounded. */
  readonly wide: boolean;
  readonly routing?: Routing;
  /** Where `emit` of a scan body puts its value. */
  readonly emitted?: TensorValue[];
  /** What the operands of a score or mask expression that are tensors become. */
  readonly extras?: TensorValue[];
  /** Bare names that nothing declares are symbols (elements of a table). */
  readonly symbols?: boolean;
}

/** Leaves the statement that is being elaborated. Carries nothing where the cause was reported already. */
export class Abandoned {
  constructor(readonly diagnostic?: Diagnostic) {}
}

export function fail(diagnostic: Diagnostic): never {
  throw new Abandoned(diagnostic);
}

/** The place in the model's own file that led to the instance. */
function useInModel(instance: Instance): Span {
  const chain: Instance[] = [];
  for (let at: Instance | undefined = instance; at !== undefined; at = at.parent) chain.push(at);
  const { file } = chain.at(-1)!.span;
  return chain.find((i) => i.span.file === file)!.span;
}

/** Runs `action`; what it reports is kept, with the model's line that led to `instance`, and the result is then undefined. */
export function attempt<T>(run: Elaboration, action: () => T, instance?: Instance): T | undefined {
  try {
    return action();
  } catch (e) {
    if (!(e instanceof Abandoned)) throw e;
    if (e.diagnostic !== undefined) report(run, instance === undefined ? e.diagnostic : messages.withUse(e.diagnostic, useInModel(instance)));
    return undefined;
  }
}

/** Reports after this many are noise, and every misspelt name costs a search for the one that was meant. */
const mostErrors = 100;

/** Adds a diagnostic once: an error in a layer's body would otherwise be told by every call of it. */
export function report(run: Elaboration, d: Diagnostic): void {
  if (run.diagnostics.length > mostErrors || run.diagnostics.some((o) => isSameMistake(o, d))) return;
  run.diagnostics.push(run.diagnostics.length < mostErrors ? d : messages.moreErrors(d.span));
  if (run.diagnostics.length > mostErrors) readNoMore(run);
}

/** After a mistake that would be met again and again, such as a recursion. */
export function readNoMore(run: Elaboration): void {
  run.budget.left = -1;
  run.budget.told = true;
}

export function failed(run: Elaboration): boolean {
  return hasErrors(run.diagnostics);
}

/** The builder of the current graph, its next nodes coming from `span`. */
export function building(frame: Frame, span: Span): GraphBuilder {
  const { builder } = frame.graph;
  builder.span = span;
  builder.label = frame.instance.path === '' ? undefined : frame.instance.path;
  return builder;
}

/** A value just built, as a tensor made from `sources`. */
export function tensor(frame: Frame, value: GraphValue, span: Span, sources: readonly TensorValue[] = []): TensorValue {
  return { kind: 'tensor', graph: frame.graph, value, span, settled: false, fixed: sources.length > 0 && sources.every((s) => s.fixed) };
}

export function constant(frame: Frame, value: GraphValue, span: Span): TensorValue {
  return { ...tensor(frame, value, span), fixed: true };
}

/** The place of `span` in the instance: the key of axes that are made there. */
export function place(frame: Frame, span: Span): string {
  return `${frame.instance.shared?.place.paths[0] ?? frame.instance.site}@${span.file}:${span.start}`;
}

/** One of the model's inputs: `position`, `slot`, `rows`, .. */
export function modelInput(frame: Frame, name: string): GraphValue {
  return frame.graph.use(frame.run.inputs.get(name)!);
}

export function axisOf(frame: Frame, name: string): AxisValue {
  return frame.run.axes.get(name);
}

function join(path: string, label: string): string {
  return path === '' ? label : `${path}.${label}`;
}

export function childInstance(parent: Instance, o: { readonly label?: Label; readonly name: string; readonly span: Span; readonly index?: number; readonly owner?: object; readonly shared?: SharedUse }): Instance {
  const label = o.label?.name;
  const index = o.index === undefined ? '' : `[${o.index}]`;
  const claimed: Instance['claimed'] = new Map();
  const shared = o.shared ?? (parent.shared === undefined ? undefined : sharedChild(parent.shared, label === undefined ? undefined : `${label}${index}`));
  return {
    path: label === undefined ? parent.path : join(parent.path, `${label}${index}`),
    site: label === undefined ? parent.site : join(parent.site, label),
    ...(shared === undefined ? {} : { shared }), parent, label: o.label, owner: o.owner ?? claimed, iteration: o.index !== undefined, name: o.name, span: o.span, claimed, members: new Map(),
  };
}

/**
 * Makes the instance's path its own: called when something with a name (a parameter, a state, an export) is declared
 * in it. Reports an instance without a label, and two of one label.
 */
export function claim(instance: Instance): void {
  const { parent, label } = instance;
  if (parent === undefined) return;
  if (label === undefined) fail(messages.unlabelledInstance(instance.name, instance.span));
  claimLabel(parent, label, instance.owner);
  claim(parent);
}

export function claimLabel(parent: Instance, label: Label, owner: object): void {
  const known = parent.claimed.get(label.name);
  if (known === undefined) parent.claimed.set(label.name, { owner, span: label.span });
  else if (known.owner !== owner) fail(messages.duplicateLabel(label.name, label.written, label.span, known.span));
}
