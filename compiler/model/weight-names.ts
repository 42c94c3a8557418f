/**
 * Names in a checkpoint and paths of parameters, matched through a rule's captures. A rule is solved from the
 * parameter's side: its path gives the captures, the captures give the checkpoint name.
 */
import type { Expr, Selector, SelectorSegment } from '../../dsl/ast.js';

/** `"model.layers.{i}.mlp.{p: gate|up}_proj.weight"`: literal text and captures in turn. */
export type NamePart = string | { readonly capture: string; readonly choices?: readonly string[] };

/** What is wrong with a pattern or selector, for a message. */
export class NameError extends Error {}

/** Reads a source pattern. Throws NameError. */
export function parseName(text: string): NamePart[] {
  const parts: NamePart[] = [];
  let at = 0;
  for (const match of text.matchAll(/\{([^{}]*)\}/g)) {
    if (match.index > at) parts.push(text.slice(at, match.index));
    const [, name, choices] = /^\s*([A-Za-z_][A-Za-z0-9_]*)\s*(?::([^:]*))?$/.exec(match[1]) ?? [];
    if (name === undefined) throw new NameError(`'${match[0]}' is not a capture; write {i} or {p: gate|up}`);
    parts.push(choices === undefined ? { capture: name } : { capture: name, choices: choices.split('|').map((c) => c.trim()) });
    at = match.index + match[0].length;
  }
  if (at < text.length) parts.push(text.slice(at));
  if (parts.some((p) => typeof p === 'string' && /[{}]/.test(p))) throw new NameError('a brace is not closed');
  return parts;
}

/** The patterns with `*` that a pattern of `ignore` means: choices one by one, other captures as anything. Throws NameError. */
export function ignoredPatterns(text: string): string[] {
  return parseName(text).reduce<string[]>((all, part) => {
    const pieces = typeof part === 'string' ? [part] : (part.choices ?? ['*']);
    return all.flatMap((head) => pieces.map((piece) => head + piece));
  }, ['']);
}

export interface PathSegment { readonly name: string; readonly index?: number }

/** `layers[3].ffn.gate` -> [{layers, 3}, {ffn}, {gate}]. */
export function parsePath(path: string): PathSegment[] {
  return path.split('.').map((segment) => {
    const open = segment.indexOf('[');
    return open < 0 ? { name: segment } : { name: segment.slice(0, open), index: Number(segment.slice(open + 1, -1)) };
  });
}

export interface PathMatch {
  /** Value of each capture that the path decides. */
  readonly captures: ReadonlyMap<string, string>;
  /** Captures that run along the parameter's own leading axes, outermost first (`experts[e]`). */
  readonly axes: readonly string[];
  /** Which of the last segment's alternatives `{a, b}` the path took, if it has several. */
  readonly choice: number;
}

/** What a segment's capture stands for in a name, if it has one and the letters around it fit. */
export function captured({ capture, before = '', after = '' }: SelectorSegment, name: string): string | undefined {
  const fits = capture !== undefined && name.length > before.length + after.length && name.startsWith(before) && name.endsWith(after);
  return fits ? name.slice(before.length, name.length - after.length) : undefined;
}

/** Matches a parameter's path against a rule's target, or says nothing if it is another one's. Throws NameError for a target no rule can have. */
export function matchPath(target: Selector, path: readonly PathSegment[]): PathMatch | undefined {
  // Most rules are about other parameters: found out before anything is allocated.
  if (target.segments.length !== path.length || !target.segments.every((s, i) => captured(s, path[i].name) !== undefined || s.names.includes(path[i].name))) return undefined;
  const captures = new Map<string, string>();
  const axes: string[] = [];
  let choice = 0;
  for (let i = 0; i < path.length; i++) {
    const segment = target.segments[i];
    const { name, index } = path[i];
    if (segment.capture !== undefined) {
      const value = captured(segment, name)!;
      if (captures.has(segment.capture) && captures.get(segment.capture) !== value) return undefined;
      captures.set(segment.capture, value);
    } else {
      if (segment.names.length > 1) choice = segment.names.indexOf(name);
    }
    if (segment.index === undefined) {
      if (index !== undefined) return undefined;
    } else if (index === undefined) {
      axes.push(axisCapture(segment.index));
    } else if (!bindIndex(segment.index, index, captures)) {
      return undefined;
    }
  }
  return { captures, axes, choice };
}

function axisCapture(index: Expr | '*'): string {
  if (index !== '*' && index.kind === 'name') return index.name;
  throw new NameError('an index along an axis of the parameter must be one capture, such as experts[e]');
}

/** Solves `i`, `i + 1`, `i - 1` or a number for the index of a path. */
function bindIndex(expr: Expr | '*', index: number, captures: Map<string, string>): boolean {
  if (expr === '*') throw new NameError(`'*' cannot say which tensor belongs to which parameter; name the index, such as layers[i]`);
  if (expr.kind === 'number') return expr.value === index;
  let name: string | undefined;
  let value = index;
  if (expr.kind === 'name') name = expr.name;
  else if (expr.kind === 'binary' && (expr.operator === '+' || expr.operator === '-') && expr.left.kind === 'name' && expr.right.kind === 'number') {
    name = expr.left.name;
    value = expr.operator === '+' ? index - expr.right.value : index + expr.right.value;
  }
  if (name === undefined) throw new NameError('an index must be a capture, a capture plus or minus a number, or a number');
  if (value < 0) return false;
  if (captures.has(name) && captures.get(name) !== String(value)) return false;
  captures.set(name, String(value));
  return true;
}

/**
 * The checkpoint name of a match; undefined if a capture's value is not among its choices. `axisNames[i]` is the name of
 * the parameter's axis along which `match.axes[i]` runs.
 */
export function instantiateName(parts: readonly NamePart[], match: PathMatch, axisNames: readonly string[]): string | undefined {
  let out = '';
  for (const part of parts) {
    if (typeof part === 'string') { out += part; continue; }
    const axis = match.axes.indexOf(part.capture);
    const value = axis >= 0 ? `{${axisNames[axis]}}` : match.captures.get(part.capture);
    if (value === undefined) throw new NameError(`the target does not decide the capture {${part.capture}}`);
    if (part.choices !== undefined && !part.choices.includes(value)) return undefined;
    out += value;
  }
  const used = new Set(parts.flatMap((p) => (typeof p === 'string' ? [] : [p.capture])));
  for (const name of [...match.captures.keys(), ...match.axes]) {
    if (!used.has(name)) throw new NameError(`'${name}' does not appear in the checkpoint name, so several parameters would share one tensor`);
  }
  return out;
}
