/** Precedence of operators, the one table that the parser and the printer share. */
import type { BinaryOperator, Expr } from './ast.js';

interface Operator {
  readonly precedence: number;
  readonly right: boolean;
}

const levels: readonly (readonly BinaryOperator[])[] = [
  ['or'], ['and'], [/* not */], ['<', '<=', '>', '>=', '==', '!='], ['+', '-'], ['*', '/', '//', 'mod'], [/* unary - */], ['@'], ['**'],
];

export const binaryOperators = new Map<BinaryOperator, Operator>(
  levels.flatMap((level, i) => level.map((op) => [op, { precedence: i + 1, right: op === '@' || op === '**' }] as const)),
);
export const unaryPrecedence: Readonly<Record<'not' | '-', number>> = { not: 3, '-': 7 };

/** What may stand as an operand of everything: literals, names, calls, brackets. */
export const postfixPrecedence = levels.length + 1;

export function precedenceOf(e: Expr): number {
  switch (e.kind) {
    case 'binary':
      return binaryOperators.get(e.operator)!.precedence;
    case 'unary':
      return unaryPrecedence[e.operator];
    case 'conditional':
      return 0;
    case 'labelled':
      return -1;
    default:
      return postfixPrecedence;
  }
}

/** One operand with the unary operators before it, or a binary operator, in the order in which they were written. */
export type OperationItem =
  | { readonly kind: 'prefix'; readonly operator: 'not' | '-'; readonly span: Expr['span'] }
  | { readonly kind: 'infix'; readonly operator: BinaryOperator }
  | { readonly kind: 'operand'; readonly value: Expr };

/** Builds the tree of a flat operation by precedence climbing. */
export function foldOperation(items: readonly OperationItem[]): Expr {
  let next = 0;
  const operand = (): Expr => {
    const item = items[next++];
    if (item.kind === 'operand') return item.value;
    if (item.kind === 'infix') throw new Error('parse: an operator stands where an operand belongs');
    const inner = climb(unaryPrecedence[item.operator]);
    return { kind: 'unary', operator: item.operator, operand: inner, span: { ...item.span, end: inner.span.end } };
  };
  const climb = (least: number): Expr => {
    let left = operand();
    for (;;) {
      const item = items[next];
      if (item?.kind !== 'infix') return left;
      const { precedence, right } = binaryOperators.get(item.operator)!;
      if (precedence < least) return left;
      next++;
      const rest = climb(right ? precedence : precedence + 1);
      left = { kind: 'binary', operator: item.operator, left, right: rest, span: { ...left.span, end: rest.span.end } };
    }
  };
  return climb(1);
}
