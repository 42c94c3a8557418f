/**
 * Resolves the `weights` section of a spec against the parameters of its module: which stored tensor each parameter is,
 * and where in it. Both directions are decided here or at load: a parameter without a rule and a rule without a
 * parameter are errors of the spec; a stored tensor without a rule is an error of the checkpoint, found when it is opened.
 */
import type { Selector, StringLiteral, WeightRule } from '../../dsl/ast.js';
import type { Diagnostic } from '../../dsl/diagnostics.js';
import { conditionalRule } from '../../dsl/section-messages.js';
import { selectorText } from '../../dsl/selector-text.js';
import type { Span } from '../../dsl/span.js';
import type { Module, ParamDecl } from '../ir/graph.js';
import type { WeightSource, WeightSources } from '../ir/weight-sources.js';
import { applyLayout, type Layout, LayoutError, parseLayout, plainWindow, type SizedAxis, type Window } from './weight-layout.js';
import * as message from './weight-messages.js';
import { ignoredPatterns, instantiateName, matchPath, NameError, parseName, parsePath, type PathSegment } from './weight-names.js';

type MapRule = Extract<WeightRule, { kind: 'map' }>;
interface Parameter { readonly path: string; readonly segments: readonly PathSegment[]; readonly axes: readonly SizedAxis[] }
/** A parameter that a rule claims: the stored name, and the parameter's axes that are not spelled out in it. */
interface Claim { readonly parameter: Parameter; readonly name: string; readonly choice: number; readonly axes: readonly SizedAxis[] }

/** `absentHeads`: their tensors may be in a checkpoint and are not read. */
export function resolveWeightSources(module: Module, rules: readonly WeightRule[], section: Span, absentHeads: readonly string[] = []): { sources: WeightSources; diagnostics: Diagnostic[] } {
  const diagnostics: Diagnostic[] = [];
  const parameters = module.params.flatMap(parametersOf);
  const found = new Map<string, { source: WeightSource; span: Span }>();
  const ignore: string[] = [];
  for (const rule of rules) {
    if (rule.when !== undefined) diagnostics.push(conditionalRule(rule.when.span));
    if (rule.kind === 'ignore') ignore.push(...rule.patterns.flatMap((p) => ignoredBy(p, diagnostics)));
    if (rule.kind !== 'map') continue;
    if (rule.target.segments[0].names.some((name) => absentHeads.includes(name))) {
      ignore.push(...rule.sources.map((s) => s.value.replace(/\{[^}]*\}/g, '*')));
      continue;
    }
    for (const source of resolveRule(rule, parameters, diagnostics)) {
      const first = found.get(source.path);
      if (first) diagnostics.push(message.mappedTwice(source.path, first.span, rule.span));
      else found.set(source.path, { source, span: rule.span });
    }
  }
  const missing = parameters.filter((p) => !found.has(p.path));
  if (missing.length > 0 && diagnostics.length === 0) diagnostics.push(message.unmapped(missing.map((p) => p.path), section));
  const weights = parameters.flatMap((p) => found.get(p.path)?.source ?? []);
  return { sources: { version: 1, ignore, weights }, diagnostics };
}

function parametersOf(param: ParamDecl): Parameter[] {
  const axes = param.type.axes.map((axis): SizedAxis => {
    if (typeof axis.size !== 'number') throw new Error(`weight sources: parameter '${param.paths[0]}' has the dynamic axis '${axis.name}'`);
    return { name: axis.name, size: axis.size };
  });
  return param.paths.map((path) => ({ path, segments: parsePath(path), axes }));
}

function resolveRule(rule: MapRule, parameters: readonly Parameter[], diagnostics: Diagnostic[]): WeightSource[] {
  const pattern = sourcePattern(rule);
  if (pattern === undefined) {
    diagnostics.push(message.severalSources(rule.span));
    return [];
  }
  try {
    const claims = claimsOf(rule.target, pattern, parameters);
    if (claims.length === 0) {
      diagnostics.push(message.ruleMatchesNothing(selectorText(rule.target), nearest(rule.target, parameters), rule.target.span));
      return [];
    }
    return locate(rule, pattern, claims, diagnostics);
  } catch (error) {
    if (error instanceof NameError) diagnostics.push(message.badName(error.message, rule.span));
    else if (error instanceof LayoutError) diagnostics.push(message.badLayout(rule.layout?.value ?? '', error.message, (rule.layout ?? rule).span));
    else throw error;
    return [];
  }
}

function ignoredBy(pattern: StringLiteral, diagnostics: Diagnostic[]): string[] {
  try {
    return ignoredPatterns(pattern.value);
  } catch (error) {
    if (!(error instanceof NameError)) throw error;
    diagnostics.push(message.badName(error.message, pattern.span));
    return [];
  }
}

const int4Suffixes = ['.weight_packed', '.weight_scale', '.weight_shape'];

/** The one pattern of a rule; the three parts of an int4 tensor stand for its `.weight`. */
function sourcePattern(rule: MapRule): string | undefined {
  if (rule.sources.length === 1) return rule.sources[0].value;
  const stems = rule.sources.map((s, i) => (s.value.endsWith(int4Suffixes[i] ?? '\0') ? s.value.slice(0, -int4Suffixes[i].length) : undefined));
  return rule.sources.length === 3 && stems.every((s) => s !== undefined && s === stems[0]) ? `${stems[0]}.weight` : undefined;
}

function claimsOf(target: Selector, pattern: string, parameters: readonly Parameter[]): Claim[] {
  const name = parseName(pattern);
  return parameters.flatMap((parameter): Claim[] => {
    const match = matchPath(target, parameter.segments);
    if (match === undefined) return [];
    if (match.axes.length > parameter.axes.length) throw new NameError(`'${parameter.path}' has no axis for '${match.axes.at(-1)}'`);
    const stored = instantiateName(name, match, parameter.axes.map((a) => a.name));
    return stored === undefined ? [] : [{ parameter, name: stored, choice: match.choice, axes: parameter.axes.slice(match.axes.length) }];
  });
}

/** Windows of all claims; those that share a stored name are the parts of one tensor. */
function locate(rule: MapRule, pattern: string, claims: readonly Claim[], diagnostics: Diagnostic[]): WeightSource[] {
  const fused = rule.target.segments.find((s) => s.names.length > 1)?.names ?? [''];
  const layout = rule.layout === undefined ? undefined : parseLayout(rule.layout.value);
  if (fused.length > 1 && layout === undefined) throw new LayoutError(`the rule has ${fused.length} parameters and no layout says how one tensor holds them`);
  const groups = new Map<string, Claim[]>();
  for (const claim of claims) groups.set(claim.name, [...(groups.get(claim.name) ?? []), claim]);
  const where = `${rule.span.file}:${rule.span.line}`;
  return [...groups].flatMap(([name, group]): WeightSource[] => {
    const parts = fused.map((_, k) => group.find((c) => c.choice === k));
    const missing = fused.filter((_, k) => parts[k] === undefined);
    if (missing.length > 0) {
      diagnostics.push(message.incompleteFusion(name, missing, rule.span));
      return [];
    }
    const windows = windowsOf(layout, parts.map((c) => c!.axes));
    return parts.map((claim, k) => ({ path: claim!.parameter.path, tensor: name, ...windows[k], rule: pattern, where }));
  });
}

function windowsOf(layout: Layout | undefined, targets: readonly (readonly SizedAxis[])[]): Window[] {
  return layout === undefined ? targets.map(plainWindow) : applyLayout(layout, targets);
}

/** Paths with as many segments and the same first name, indices left out; for a rule that matches nothing. */
function nearest(target: Selector, parameters: readonly Parameter[]): string[] {
  const last = target.segments.at(-1)?.names ?? [];
  const shapes = new Set(parameters
    .filter((p) => p.segments[0].name === target.segments[0]?.names[0] || last.includes(p.segments.at(-1)!.name))
    .map((p) => p.path.replace(/\[\d+\]/g, '[*]')));
  return [...shapes];
}
