/** Expressions to documents, with the fewest parentheses that keep the tree (and one kind more: see `needsClarity`). */
import type { Argument, AttendExpr, AttendSource, BinaryOperator, Expr, Identifier, MatchArm, RouteArm } from './ast.js';
import { binaryOperators, postfixPrecedence, precedenceOf, unaryPrecedence } from './operators.js';
import { align, choice, comment, concat, fill, group, hardline, join, limitedGroup, line, nest, wideLine, type Doc } from './pretty.js';
import { printBlock } from './print-statements.js';
import { printTensorType } from './print-types.js';

/** Where an expression may be a labelled one without parentheses. */
export function printLabelled(e: Expr): Doc {
  if (e.kind !== 'labelled') return printExpr(e);
  return concat(e.label.name, e.index ? `[${e.index.name}]` : '', ' = ', printExpr(e.value));
}

/** `follower` is the precedence of the operator right behind the expression, 0 if there is none. */
export function printExpr(e: Expr, follower = 0): Doc {
  switch (e.kind) {
    case 'number':
      return e.text;
    case 'string':
      return quote(e.value);
    case 'bool':
      return String(e.value);
    case 'none':
      return 'none';
    case 'name':
      return e.name;
    case 'unary':
      return printUnary(e, follower);
    case 'binary':
      return printBinary(e, follower);
    case 'conditional':
      return printConditional(e);
    case 'match':
      return concat('match ', printExpr(e.subject), ' ', printArms(e.arms));
    case 'call':
      return concat(isFormWord(e.callee) ? parens(printExpr(e.callee)) : printObject(e.callee), printArguments(e.args));
    case 'member':
      return concat(printObject(e.object), '.', e.name.name);
    case 'index':
      return concat(printObject(e.object), '[', align(e.axis ? `${e.axis.name}: ` : '', printIndex(e.index)), ']');
    case 'range':
      return concat(e.side, ' ', /^[\w"(]/.test(firstText(e.count)) ? printExpr(e.count) : parens(printExpr(e.count)));
    case 'list':
      return concat('[', align(fill(e.items.map(printLabelled))), ']');
    case 'tuple':
      return concat('(', align(fill(e.items.map(printLabelled))), ')');
    case 'concat':
      return concat('[', align(fill(e.parts.map(printLabelled), ' |')), ']');
    case 'labelled':
      return parens(printLabelled(e));
    case 'attend': case 'select':
      return printAttend(e);
    case 'route':
      return concat(
        'route(', align(fill([e.input, e.ids, e.weights].map(printLabelled))), `) over ${e.axis.name} as ${e.index.name} `,
        group('{', nest(line, join(e.arms.map((arm) => printRouteArm(arm, e.arms.length > 1)), wideLine)), line, '}'),
      );
    case 'scan':
      return printScan(e);
  }
}

export function quote(text: string): string {
  return `"${text.replace(/[\\"]/g, '\\$&').replace(/\n/g, '\\n').replace(/\r/g, '\\r').replace(/\t/g, '\\t')}"`;
}

export function names(list: readonly Identifier[], separator = ', '): string {
  return list.map((n) => n.name).join(separator);
}

function parens(doc: Doc): Doc {
  return concat('(', align(doc), ')');
}

function printUnary(e: Expr & { kind: 'unary' }, follower: number): Doc {
  const own = unaryPrecedence[e.operator];
  const captured = follower >= own;
  const operand = printOperand(e.operand, own, captured ? 0 : follower, false);
  const doc = concat(e.operator === 'not' ? 'not ' : '-', operand);
  return captured ? parens(doc) : doc;
}

/** A chain of one level (`a + b - c`) is one fill: each line after the first starts with its operator. */
function printBinary(e: Expr & { kind: 'binary' }, follower: number): Doc {
  const { precedence, right } = binaryOperators.get(e.operator)!;
  const items: Doc[] = [];
  const visit = (x: Expr & { kind: 'binary' }, prefix: string, behind: number): void => {
    const continuesLeft = !right && x.left.kind === 'binary' && sameLevel(x.left.operator, precedence);
    if (continuesLeft) visit(x.left as Expr & { kind: 'binary' }, prefix, precedence);
    else items.push(concat(prefix, printOperand(x.left, precedence, precedence, right, x.operator)));
    const operator = `${x.operator} `;
    const continuesRight = right && x.right.kind === 'binary' && sameLevel(x.right.operator, precedence);
    if (continuesRight) visit(x.right as Expr & { kind: 'binary' }, operator, behind);
    else items.push(concat(operator, printOperand(x.right, precedence, behind, !right, x.operator)));
  };
  visit(e, '', follower);
  return align(fill(items, ''));
}

function sameLevel(operator: BinaryOperator, precedence: number): boolean {
  return binaryOperators.get(operator)!.precedence === precedence;
}

/** `strict`: an operand of the operator's own level would regroup. */
function printOperand(e: Expr, precedence: number, follower: number, strict: boolean, operator?: BinaryOperator): Doc {
  if (e.kind === 'unary') {
    const loose = e.operator === 'not' && precedence > unaryPrecedence.not;
    return loose ? parens(printExpr(e)) : printExpr(e, follower);
  }
  const own = precedenceOf(e);
  if (e.kind === 'labelled') return printExpr(e);
  if (own < precedence || (strict && own === precedence) || needsClarity(e, operator)) return parens(printExpr(e));
  return printExpr(e, follower);
}

/** `@` binds tighter than `*`; few readers know, so `(w @ x) * y` keeps its parentheses. So does `and` within `or`. */
function needsClarity(e: Expr, operator?: BinaryOperator): boolean {
  if (e.kind !== 'binary') return false;
  if (operator === 'or') return e.operator === 'and';
  return e.operator === '@' && operator !== undefined && sameLevel(operator, binaryOperators.get('*')!.precedence);
}

function printConditional(e: Expr & { kind: 'conditional' }): Doc {
  const [condition, then] = [e.condition, e.then].map((x) => (x.kind === 'conditional' ? parens(printExpr(x)) : printExpr(x)));
  const otherwise = printExpr(e.otherwise);
  if (e.style === '?') return align(group(condition, line, '? ', then, line, ': ', otherwise));
  return align(group('if ', condition, line, 'then ', then, line, 'else ', otherwise));
}

/** What stands before `(`, `[` or `.`. */
function printObject(e: Expr): Doc {
  const loose = e.kind === 'match' || e.kind === 'route' || e.kind === 'scan' || precedenceOf(e) < postfixPrecedence;
  return loose && e.kind !== 'labelled' ? parens(printExpr(e)) : printExpr(e);
}

/** `attend(...)` without parentheses around the word would be the form. */
function isFormWord(e: Expr): boolean {
  return e.kind === 'name' && (e.name === 'attend' || e.name === 'route' || e.name === 'scan');
}

function printIndex(e: Expr): Doc {
  return e.kind !== 'range' && /^(first|last)\(/.test(firstText(e)) ? parens(printExpr(e)) : printExpr(e);
}

/** The text up to and with the first character behind the first word. */
function firstText(e: Expr): string {
  const doc = printExpr(e);
  const texts: string[] = [];
  const visit = (d: Doc): void => {
    if (texts.join('').length > 8) return;
    if (typeof d === 'string') texts.push(d);
    else if (d.kind === 'concat') d.parts.forEach(visit);
    else if (d.kind === 'fill') d.items.forEach(visit);
    else if (d.kind === 'choice') visit(d.flat);
    else if (d.kind === 'line') texts.push(' ');
    else if (d.kind !== 'comment') visit(d.doc);
  };
  visit(doc);
  return texts.join('');
}

/** Comment lines above, the node, the comment behind it. */
export function withTrivia(node: { leading?: readonly string[]; trailing?: string }, doc: Doc, separator = ''): Doc {
  const above = (node.leading ?? []).map((text) => concat(comment(text), hardline));
  return concat(...above, doc, separator, node.trailing === undefined ? '' : comment(`  ${node.trailing}`));
}

/** Items in brackets: filled, or one per line when any of them has a comment. */
export function printItems<T extends { leading?: readonly string[]; trailing?: string }>(items: readonly T[], print: (item: T) => Doc): Doc {
  if (items.every((item) => item.leading === undefined && item.trailing === undefined)) return concat('(', align(fill(items.map(print))), ')');
  const lines = items.map((item, i) => withTrivia(item, print(item), i < items.length - 1 ? ',' : ''));
  return concat('(', nest(hardline, join(lines, hardline)), hardline, ')');
}

function printArgument(a: Argument): Doc {
  return concat(a.name ? `${a.name.name}: ` : '', printLabelled(a.value));
}

function printArguments(args: readonly Argument[]): Doc {
  return printItems(args, printArgument);
}

/** Brace lists of at most so many columns stay on one line. */
const shortBraces = 80;

/** Arms, entries and overrides: on one line if short and without comments, else one per line. */
export function printBraces<T extends { leading?: readonly string[]; trailing?: string }>(
  items: readonly T[], print: (item: T) => { broken: Doc; flat: Doc }, around: BlockTrivia = {},
): Doc {
  const { closing = [], trailing } = around;
  if (items.length === 0 && closing.length === 0 && trailing === undefined) return '{}';
  const apart = closing.length > 0 || trailing !== undefined || items.some((item) => item.leading !== undefined || item.trailing !== undefined);
  const docs = items.map((item) => {
    const { broken, flat } = print(item);
    return apart ? withTrivia(item, broken) : choice(broken, flat);
  });
  if (apart) return printLines(docs, around);
  return limitedGroup(shortBraces, '{', nest(line, join(docs, wideLine)), line, '}');
}

/** The comments behind `{` and above `}`. */
export interface BlockTrivia {
  readonly trailing?: string;
  readonly closing?: readonly string[];
}

/** `{`, each document on its line, `}`. */
export function printLines(docs: readonly Doc[], { trailing, closing = [] }: BlockTrivia): Doc {
  const opening = concat('{', trailing === undefined ? '' : comment(`  ${trailing}`));
  const lines = [...docs, ...closing.map(comment)];
  if (lines.length === 0 && trailing === undefined) return '{}';
  return concat(opening, nest(...lines.map((doc) => concat(hardline, doc))), hardline, '}');
}

function printRouteArm({ pattern, value }: RouteArm, several: boolean): Doc {
  if (pattern === undefined) return concat(several ? '_ => ' : '', printLabelled(value));
  return concat(printExpr(pattern), ' => ', printLabelled(value));
}

function printArms(arms: readonly MatchArm[]): Doc {
  const patterns = arms.map((arm) => (arm.pattern === '_' ? '_' : printPattern(arm.pattern)));
  const widths = patterns.map((p) => (typeof p === 'string' ? p.length : 0));
  const width = Math.max(...widths.filter((w) => w <= 24), 0);
  const glued = arms.some((arm, i) => i > 0 && arm.pattern !== '_' && /^[-([]/.test(firstText(arm.pattern)));
  let next = 0;
  const print = (arm: MatchArm): { broken: Doc; flat: Doc } => {
    const pattern = patterns[next];
    const padding = ' '.repeat(typeof pattern === 'string' ? Math.max(0, width - widths[next]) : 0);
    next++;
    const value = printExpr(arm.value);
    return { broken: concat(pattern, padding, ' => ', value), flat: concat(pattern, ' => ', value) };
  };
  return glued ? printLines(arms.map((arm) => withTrivia(arm, print(arm).broken)), {}) : printBraces(arms, print);
}

/** A line that starts with `-` would continue the arm above. */
function printPattern(e: Expr): Doc {
  return firstText(e).startsWith('-') ? parens(printExpr(e)) : printExpr(e);
}

function printAttend(e: AttendExpr): Doc {
  const sources = e.sources.map(printSource);
  const single = sources.length === 1 && !firstText(e.sources[0].state).startsWith('[');
  const over = concat('over: ', single ? sources[0] : concat('[', align(fill(sources)), ']'));
  const options = e.options.map((o) => ({ leading: o.leading, trailing: o.trailing, doc: printArgument(o) }));
  const fixed = [printLabelled(e.query), over].map((doc) => ({ leading: undefined, trailing: undefined, doc }));
  return concat(e.kind, printItems([...fixed, ...options], (item) => item.doc));
}

function printSource(s: AttendSource): Doc {
  const as = s.names.length === 0 ? '' : s.names.length === 1 ? ` as ${s.names[0].name}` : ` as (${names(s.names)})`;
  return concat(printObject(s.state), as, s.where === undefined ? '' : concat(' where ', printExpr(s.where)));
}

function printScan(e: Expr & { kind: 'scan' }): Doc {
  const carries = e.carries.map((c) => concat(c.name.name, ' : ', printTensorType(c.type), ' = ', printExpr(c.initial)));
  const chunk = e.chunk ? concat(' chunk ', printExpr(e.chunk.size), ` as (${names(e.chunk.names)}) `, printBlock(e.chunk.body)) : '';
  return concat(`scan (${names(e.inputs)}) carry `, align(fill(carries)), ' ', printBlock(e.body), chunk);
}
