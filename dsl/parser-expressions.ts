/** Expressions: operations, conditionals, postfix forms and brackets. `attend`, `route` and `scan` are in `parser-forms.ts`. */
import type { IToken, ParserMethod } from 'chevrotain';
import type { Argument, BinaryOperator, Expr, Identifier, MatchArm, TensorTypeExpr } from './ast.js';
import * as messages from './messages.js';
import { foldOperation, type OperationItem } from './operators.js';
import { ParserBase, type Block } from './parser-base.js';
import { Broken, Identifier as Name, keyword, NumberLiteral, Separator, sign, StringLiteral, tokenSpan, Underscore } from './tokens.js';

type Rule<T> = ParserMethod<[], T>;

const mostParts = 500;

const rangeStarts = [NumberLiteral, StringLiteral, sign['('], keyword.if, keyword.match, keyword.not, keyword.true, keyword.false, keyword.none];

export abstract class ExpressionParser extends ParserBase {
  protected abstract readonly attendExpr: Rule<Expr>;
  protected abstract readonly routeExpr: Rule<Expr>;
  protected abstract readonly scanExpr: Rule<Expr>;
  protected abstract readonly block: Rule<Block>;
  protected abstract readonly tensorType: Rule<TensorTypeExpr>;

  /** `a`, `if c then a else b`, `c ? a : b`. */
  readonly expression: Rule<Expr> = this.RULE('expression', (): Expr => this.OR([
    { ALT: () => this.SUBRULE(this.ifExpr) },
    { ALT: () => this.SUBRULE(this.ternary) },
  ]));

  private readonly ifExpr: Rule<Expr> = this.RULE('ifExpr', (): Expr => {
    const first = this.CONSUME(keyword.if);
    const condition = this.SUBRULE(this.expression);
    this.CONSUME(keyword.then);
    const then = this.SUBRULE2(this.expression);
    this.CONSUME(keyword.else);
    const otherwise = this.SUBRULE3(this.expression);
    return { kind: 'conditional', condition, then, otherwise, style: 'if', span: this.spanFrom(first) };
  });

  private readonly ternary: Rule<Expr> = this.RULE('ternary', (): Expr => {
    const first = this.LA(1);
    let value = this.SUBRULE(this.operation);
    this.OPTION(() => {
      this.CONSUME(sign['?']);
      const then = this.SUBRULE(this.expression);
      this.CONSUME(sign[':']);
      const otherwise = this.SUBRULE2(this.expression);
      value = { kind: 'conditional', condition: value, then, otherwise, style: '?', span: this.spanFrom(first) };
    });
    return value;
  });

  private readonly operation: Rule<Expr> = this.RULE('operation', (): Expr => {
    const first = this.LA(1);
    const items: OperationItem[] = [];
    this.SUBRULE(this.operand, { ARGS: [items] });
    this.MANY(() => {
      const operator = this.SUBRULE(this.infix);
      items.push({ kind: 'infix', operator });
      this.SUBRULE2(this.operand, { ARGS: [items] });
    });
    return this.ACTION(() => foldOperation(this.limited('operation', items, first)));
  });

  /** Later phases walk expressions recursively; what would be too deep for them is reported and cut to its last operand. */
  private limited(what: string, items: readonly OperationItem[], first: IToken): readonly OperationItem[] {
    if (items.length <= mostParts) return items;
    this.problems.push(messages.tooLong(what, mostParts, this.spanFrom(first)));
    return items.slice(-1);
  }

  private readonly operand: ParserMethod<[OperationItem[]], void> = this.RULE('operand', (items: OperationItem[]) => {
    this.MANY(() => {
      const token = this.OR([{ ALT: () => this.CONSUME(keyword.not) }, { ALT: () => this.CONSUME(sign['-']) }]);
      this.ACTION(() => items.push({ kind: 'prefix', operator: token.image as 'not' | '-', span: tokenSpan(token, token, this.source) }));
    });
    const value = this.SUBRULE(this.postfix);
    this.ACTION(() => items.push({ kind: 'operand', value }));
  });

  private readonly infix: Rule<BinaryOperator> = this.RULE('infix', (): BinaryOperator => {
    const token = this.OR({
      ERR_MSG: 'an operator',
      DEF: [
        { ALT: () => this.CONSUME(sign['+']) }, { ALT: () => this.CONSUME(sign['-']) }, { ALT: () => this.CONSUME(sign['*']) },
        { ALT: () => this.CONSUME(sign['/']) }, { ALT: () => this.CONSUME(sign['//']) }, { ALT: () => this.CONSUME(sign['**']) },
        { ALT: () => this.CONSUME(sign['@']) }, { ALT: () => this.CONSUME(keyword.mod) }, { ALT: () => this.CONSUME(sign['<']) },
        { ALT: () => this.CONSUME(sign['<=']) }, { ALT: () => this.CONSUME(sign['>']) }, { ALT: () => this.CONSUME(sign['>=']) },
        { ALT: () => this.CONSUME(sign['==']) }, { ALT: () => this.CONSUME(sign['!=']) }, { ALT: () => this.CONSUME(keyword.and) },
        { ALT: () => this.CONSUME(keyword.or) },
      ],
    });
    return token.image as BinaryOperator;
  });

  /** A value with calls, indices and members behind it. */
  protected readonly postfix: Rule<Expr> = this.RULE('postfix', (): Expr => {
    const first = this.LA(1);
    let value = this.SUBRULE(this.primary);
    let parts = 0;
    this.MANY(() => {
      this.ACTION(() => ++parts === mostParts && this.problems.push(messages.tooLong('chain of calls', mostParts, this.spanFrom(first))));
      value = this.OR([
        {
          ALT: () => {
            const args = this.SUBRULE(this.argumentList);
            return { kind: 'call' as const, callee: value, args, span: this.spanFrom(first) };
          },
        },
        {
          ALT: () => {
            const index = this.SUBRULE(this.indexBracket);
            return this.ACTION(() => ({ kind: 'index' as const, object: value, ...index, span: this.spanFrom(first) }));
          },
        },
        {
          ALT: () => {
            this.CONSUME(sign['.']);
            const name = this.identifier(this.CONSUME(Name));
            return { kind: 'member' as const, object: value, name, span: this.spanFrom(first) };
          },
        },
      ]);
    });
    return value;
  });

  private readonly primary: Rule<Expr> = this.RULE('primary', (): Expr => this.OR({
    ERR_MSG: 'an expression',
    IGNORE_AMBIGUITIES: true,
    MAX_LOOKAHEAD: 1,
    DEF: [
      { ALT: () => this.numberOf(this.CONSUME(NumberLiteral)) },
      { ALT: () => ({ kind: 'string' as const, ...this.string(this.CONSUME(StringLiteral)) }) },
      { ALT: () => ({ kind: 'bool' as const, value: true, span: this.spanFrom(this.CONSUME(keyword.true)) }) },
      { ALT: () => ({ kind: 'bool' as const, value: false, span: this.spanFrom(this.CONSUME(keyword.false)) }) },
      { ALT: () => ({ kind: 'none' as const, span: this.spanFrom(this.CONSUME(keyword.none)) }) },
      { ALT: () => this.SUBRULE(this.matchExpr) },
      { GATE: () => this.is(2, sign['(']), ALT: () => this.SUBRULE(this.attendExpr) },
      { GATE: () => this.is(2, sign['(']), ALT: () => this.SUBRULE(this.routeExpr) },
      { GATE: () => this.is(2, sign['(']), ALT: () => this.SUBRULE(this.scanExpr) },
      { ALT: () => ({ kind: 'name' as const, ...this.identifier(this.CONSUME(Name)) }) },
      { ALT: () => this.SUBRULE(this.parens) },
      { ALT: () => this.SUBRULE(this.brackets) },
    ],
  }));

  protected numberOf(token: IToken): Expr {
    const integer = /^[\d_]+$/.test(token.image);
    return { kind: 'number', value: Number(token.image.replace(/_/g, '')), integer, text: token.image, span: tokenSpan(token, token, this.source) };
  }

  /** `(a)` is `a`; `(a, b)` is a tuple. */
  private readonly parens: Rule<Expr> = this.RULE('parens', (): Expr => {
    const first = this.CONSUME(sign['(']);
    const items: Expr[] = [];
    items.push(this.SUBRULE(this.labelled));
    this.MANY(() => {
      this.CONSUME(sign[',']);
      items.push(this.SUBRULE2(this.labelled));
    });
    this.CONSUME(sign[')']);
    return this.ACTION(() => {
      const span = this.spanFrom(first);
      return items.length === 1 ? { ...items[0], span } : { kind: 'tuple', items, span };
    });
  });

  /** `[a, b]` is a list, `[a | b]` joins. */
  private readonly brackets: Rule<Expr> = this.RULE('brackets', (): Expr => {
    const first = this.CONSUME(sign['[']);
    const items: Expr[] = [];
    let joins = false;
    this.OPTION(() => {
      items.push(this.SUBRULE(this.labelled));
      this.OR([
        {
          ALT: () => this.AT_LEAST_ONE(() => {
            this.CONSUME(sign['|']);
            joins = true;
            items.push(this.SUBRULE2(this.labelled));
          }),
        },
        {
          ALT: () => {
            this.MANY(() => {
              this.CONSUME(sign[',']);
              items.push(this.SUBRULE3(this.labelled));
            });
            this.OPTION2(() => this.CONSUME2(sign[',']));
          },
        },
      ]);
    });
    this.CONSUME(sign[']']);
    const span = this.spanFrom(first);
    return joins ? { kind: 'concat', parts: items, span } : { kind: 'list', items, span };
  });

  private readonly indexBracket: Rule<{ readonly axis?: Identifier; readonly index: Expr }> = this.RULE('indexBracket', (): { readonly axis?: Identifier; readonly index: Expr } => {
    let axis: Identifier | undefined;
    this.CONSUME(sign['[']);
    this.OPTION({
      GATE: () => this.is(2, sign[':']),
      DEF: () => {
        axis = this.identifier(this.CONSUME(Name));
        this.CONSUME(sign[':']);
      },
    });
    const index = this.OR({
      IGNORE_AMBIGUITIES: true,
      DEF: [
        { GATE: () => this.startsRange(), ALT: () => this.SUBRULE(this.range) },
        { ALT: () => this.SUBRULE(this.expression) },
      ],
    });
    this.CONSUME(sign[']']);
    return axis === undefined ? { index } : { axis, index };
  });

  /** `last` before an operand is the range; alone or before an operator it is a name. */
  private startsRange(): boolean {
    return this.isName(2) || this.is(2, ...rangeStarts);
  }

  private readonly range: Rule<Expr> = this.RULE('range', (): Expr => {
    const first = this.OR([{ ALT: () => this.CONSUME(keyword.first) }, { ALT: () => this.CONSUME(keyword.last) }]);
    const count = this.SUBRULE(this.expression);
    return { kind: 'range', side: first.image as 'first' | 'last', count, span: this.spanFrom(first) };
  });

  protected readonly argumentList: Rule<Argument[]> = this.RULE('argumentList', (): Argument[] => {
    const args: Argument[] = [];
    this.CONSUME(sign['(']);
    this.OPTION(() => {
      args.push(this.SUBRULE(this.argument));
      this.MANY(() => {
        this.CONSUME(sign[',']);
        args.push(this.SUBRULE2(this.argument));
      });
      this.OPTION2(() => this.CONSUME2(sign[',']));
    });
    this.CONSUME(sign[')']);
    this.ACTION(() => this.checkOrder(args));
    return args;
  });

  private checkOrder(args: readonly Argument[]): void {
    const named = args.findIndex((a) => a.name !== undefined);
    const late = named < 0 ? undefined : args.slice(named).find((a) => a.name === undefined);
    if (late) this.problems.push(messages.positionalAfterNamed(args[named].span, late.span));
  }

  protected readonly argument: Rule<Argument> = this.RULE('argument', (): Argument => {
    const first = this.LA(1);
    let name: Identifier | undefined;
    this.OPTION({
      GATE: () => this.is(2, sign[':']),
      DEF: () => {
        name = this.identifier(this.CONSUME(Name));
        this.CONSUME(sign[':']);
      },
    });
    const value = this.SUBRULE(this.labelled);
    return this.ACTION(() => ({ ...(name ? { name } : {}), value, span: this.spanFrom(first), ...this.inlineTrivia(first) }));
  });

  /** An expression, or `label = expression`, or `label[i] = expression`. */
  protected readonly labelled: Rule<Expr> = this.RULE('labelled', (): Expr => {
    const first = this.LA(1);
    let label: Identifier | undefined;
    let index: Identifier | undefined;
    this.OPTION({
      GATE: () => this.startsAssignment(),
      DEF: () => {
        label = this.identifier(this.CONSUME(Name));
        this.OPTION2(() => {
          this.CONSUME(sign['[']);
          index = this.identifier(this.CONSUME2(Name));
          this.CONSUME(sign[']']);
        });
        this.CONSUME(sign['=']);
      },
    });
    const value = this.SUBRULE(this.expression);
    if (label === undefined) return value;
    return { kind: 'labelled', label, ...(index ? { index } : {}), value, span: this.spanFrom(first) };
  });

  /** `name =`, `name +=` or `name[i] =` follows. */
  protected startsAssignment(): boolean {
    if (!this.isName(1)) return false;
    if (this.is(2, sign['='], sign['+='])) return true;
    return this.is(2, sign['[']) && this.isName(3) && this.is(4, sign[']']) && this.is(5, sign['='], sign['+=']);
  }

  private readonly matchExpr: Rule<Expr> = this.RULE('matchExpr', (): Expr => {
    const first = this.CONSUME(keyword.match);
    const subject = this.SUBRULE(this.expression);
    const arms: MatchArm[] = [];
    let empty = true;
    this.CONSUME(sign['{']);
    this.MANY(() => {
      empty = false;
      const arm = this.SUBRULE(this.matchArm);
      this.OPTION(() => this.CONSUME(Separator));
      this.ACTION(() => arm && arms.push(arm));
    });
    this.CONSUME(sign['}']);
    return this.ACTION(() => {
      if (empty) this.problems.push(messages.emptyBrackets('a `match`', this.spanFrom(first)));
      return { kind: 'match', subject, arms, span: this.spanFrom(first) };
    });
  });

  private readonly matchArm: Rule<MatchArm | undefined> = this.RULE('matchArm', (): MatchArm | undefined => {
    const first = this.LA(1);
    const arm = this.OR({
      ERR_MSG: 'a pattern and `=>`',
      DEF: [
        { ALT: () => void this.CONSUME(Broken) },
        {
          ALT: () => {
            const pattern = this.OR2([
              { ALT: () => (this.CONSUME(Underscore), '_' as const) },
              { ALT: () => this.SUBRULE(this.expression) },
            ]);
            this.CONSUME(sign['=>']);
            const value = this.SUBRULE2(this.expression);
            return { pattern, value, span: this.spanFrom(first) };
          },
        },
      ],
    });
    return this.ACTION(() => (arm ? { ...arm, ...this.trivia(first) } : undefined));
  });
}
