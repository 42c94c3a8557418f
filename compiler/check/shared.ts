/**
 * `shared block = layer(..)`: one instance for every call of `block`. Its parameters are declared by the first use, under
 * the path of the `shared` statement; later uses read them again. What else has a name (states, exports, `own` parameters)
 * belongs to the use.
 */
import type { SharedStatement } from '../../dsl/ast.js';
import * as messages from '../../dsl/check-messages.js';
import type { Span } from '../../dsl/span.js';
import { sameAxes } from '../ir/axes.js';
import type { ParamDecl } from '../ir/graph.js';
import { evaluateTemplate } from './call.js';
import { requireCount } from './declare.js';
import { building, claim, claimLabel, fail, type Frame, type Instance } from './frame.js';
import { describe, type TemplateValue, type Value } from './value.js';

/** A place in a shared instance: itself, or an instance inside it. */
export interface SharedPlace {
  /** Where its parameters are named, one path per member of `shared blocks[n]`. */
  readonly paths: readonly string[];
  readonly children: Map<string, SharedPlace>;
  /** Index of each parameter among those of the run. */
  readonly params: Map<string, number>;
}
/** The member that a use means. */
export interface SharedUse { readonly place: SharedPlace; readonly member: number }

const placeAt = (paths: readonly string[]): SharedPlace => ({ paths, children: new Map(), params: new Map() });

export function declareShared(frame: Frame, s: SharedStatement): void {
  const { name } = s.name;
  const template = evaluateTemplate(frame, s.value);
  if (template.kind !== 'template') fail(messages.sharedOfNoLayer(describe(template), s.value.span));
  if (frame.routing !== undefined) fail(messages.sharedInRoute(name, s.span));
  claim(frame.instance);
  claimLabel(frame.instance, { name, span: s.name.span, written: true }, s);
  const count = s.count === undefined ? undefined : requireCount(frame, name, s.count);
  const prefix = frame.instance.path === '' ? name : `${frame.instance.path}.${name}`;
  const place = placeAt(count === undefined ? [prefix] : Array.from({ length: count }, (_, i) => `${prefix}[${i}]`));
  const member = (i: number): TemplateValue => ({ ...template, shared: { place, member: i } });
  const value: Value = count === undefined ? member(0) : { kind: 'list', items: Array.from({ length: count }, (_, i) => member(i)) };
  frame.scope.set(name, value);
}

/** The place of an instance called `label` in one that is shared. */
export function sharedChild(use: SharedUse, label: string | undefined): SharedUse {
  if (label === undefined) return use;
  let place = use.place.children.get(label);
  if (place === undefined) use.place.children.set(label, place = placeAt(use.place.paths.map((p) => `${p}.${label}`)));
  return { place, member: use.member };
}

/** Takes a name inside a shared instance, so that two parameters of one use cannot share it. */
export function claimShared(instance: Instance, name: string, span: Span): void {
  claimLabel(instance, { name, span, written: true }, {});
  for (let at = instance; at.parent?.shared !== undefined; at = at.parent) {
    if (at.label === undefined) fail(messages.unlabelledInstance(at.name, at.span));
    claimLabel(at.parent, at.label, at.owner);
  }
}

/** The parameter `name` of a shared instance in the current graph; `declare` makes it for the first use. */
export function useShared(frame: Frame, use: SharedUse, name: string, span: Span, declare: (paths: readonly string[]) => ParamDecl) {
  const { place, member } = use;
  const wanted = declare(place.paths.map((p) => `${p}.${name}`));
  let index = place.params.get(name);
  if (index === undefined) place.params.set(name, index = frame.run.params.push(wanted) - 1);
  const known = frame.run.params[index];
  if (!sameAxes(known.type.axes, wanted.type.axes)) {
    const axes = (decl: ParamDecl): messages.AxisSide => ({ span, axes: decl.type.axes.map((a) => frame.run.axes.get(a.name)) });
    fail(messages.sharedAxes(known.paths[0], axes(known), axes(wanted)));
  }
  return building(frame, span).param(index, [member]);
}
