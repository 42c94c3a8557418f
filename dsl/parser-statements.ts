/** Statements of models and layers. The sections `weights`, `quantize`, `precision`, ... are in `parser-sections.ts`. */
import type { IToken, ParserMethod } from 'chevrotain';
import type { Expr, Identifier, ParamStatement, Pattern, RepeatStatement, Statement, StateStatement, TensorTypeExpr } from './ast.js';
import * as messages from './messages.js';
import type { Block } from './parser-base.js';
import { SectionParser } from './parser-sections.js';
import { Broken, dtypeNames, Identifier as Name, keyword, NumberLiteral, Separator, sign, StringLiteral, tokenSpan } from './tokens.js';

type Rule<T> = ParserMethod<[], T>;
type Counted = Pick<RepeatStatement, 'label' | 'count' | 'index'>;

export abstract class StatementParser extends SectionParser {
  /** `{ ... }` with one statement per line. */
  protected readonly block: Rule<Block> = this.RULE('block', (): Block => {
    const body: Statement[] = [];
    const opener = this.CONSUME(sign['{']);
    this.MANY_SEP({
      SEP: Separator,
      DEF: () => {
        const statement = this.SUBRULE(this.statement);
        this.ACTION(() => statement && body.push(statement));
      },
    });
    const closer = this.CONSUME(sign['}']);
    return { opener, closer, body };
  });

  private readonly statement: Rule<Statement | undefined> = this.RULE('statement', (): Statement | undefined => this.OR({
    ERR_MSG: 'a statement',
    IGNORE_AMBIGUITIES: true,
    MAX_LOOKAHEAD: 1,
    DEF: [
      { ALT: () => this.SUBRULE(this.brokenStatement) },
      { GATE: () => this.startsAssignment() || this.is(1, sign['('], sign['[']), ALT: () => this.SUBRULE(this.assign) },
      { ALT: () => this.SUBRULE(this.dim) },
      { ALT: () => this.SUBRULE(this.constant) },
      { ALT: () => this.SUBRULE(this.table) },
      { ALT: () => this.SUBRULE(this.def) },
      { ALT: () => this.SUBRULE(this.sharedStatement) },
      { ALT: () => this.SUBRULE(this.param) },
      { ALT: () => this.SUBRULE(this.state) },
      { ALT: () => this.SUBRULE(this.repeat) },
      { ALT: () => this.SUBRULE(this.head) },
      { ALT: () => this.SUBRULE(this.ifStatement) },
      { ALT: () => this.SUBRULE(this.at) },
      { ALT: () => this.SUBRULE(this.returnStatement) },
      { ALT: () => this.SUBRULE(this.exportStatement) },
      { ALT: () => this.SUBRULE(this.require) },
      { ALT: () => this.SUBRULE(this.emit) },
      { ALT: () => this.SUBRULE(this.section) },
    ],
  }));

  /** A statement that was reported before; its block, if it has one, is still checked. */
  private readonly brokenStatement: Rule<undefined> = this.RULE('brokenStatement', (): undefined => {
    this.CONSUME(Broken);
    this.OPTION(() => this.SUBRULE(this.block));
    return undefined;
  });

  private readonly assign: Rule<Statement> = this.RULE('assign', (): Statement => {
    const first = this.LA(1);
    const target = this.SUBRULE(this.pattern);
    const operator = this.OR([{ ALT: () => this.CONSUME(sign['=']) }, { ALT: () => this.CONSUME(sign['+=']) }]);
    const value = this.SUBRULE(this.labelled);
    return this.ACTION(() => ({ kind: 'assign', target, operator: operator.image as '=' | '+=', value, span: this.spanFrom(first), ...this.trivia(first) }));
  });

  private readonly pattern: Rule<Pattern> = this.RULE('pattern', (): Pattern => {
    const first = this.LA(1);
    const names: Identifier[] = [];
    return this.OR<Pattern>({
      ERR_MSG: 'a name, `(a, b)` or `[a | b]`',
      DEF: [
        {
          ALT: () => {
            this.CONSUME(sign['(']);
            this.AT_LEAST_ONE_SEP({ SEP: sign[','], DEF: () => names.push(this.identifier(this.CONSUME(Name))) });
            this.CONSUME(sign[')']);
            return { kind: 'tuple-pattern', names, span: this.spanFrom(first) };
          },
        },
        {
          ALT: () => {
            this.CONSUME(sign['[']);
            this.AT_LEAST_ONE_SEP2({ SEP: sign['|'], DEF: () => names.push(this.identifier(this.CONSUME2(Name))) });
            this.CONSUME(sign[']']);
            return { kind: 'split-pattern', names, span: this.spanFrom(first) };
          },
        },
        {
          ALT: () => {
            const name = this.identifier(this.CONSUME3(Name));
            let index: Identifier | undefined;
            this.OPTION(() => {
              this.CONSUME2(sign['[']);
              index = this.identifier(this.CONSUME4(Name));
              this.CONSUME2(sign[']']);
            });
            return { kind: 'name-pattern', name, ...(index ? { index } : {}), span: this.spanFrom(first) };
          },
        },
      ],
    });
  });

  private readonly dim: Rule<Statement> = this.RULE('dim', (): Statement => {
    const first = this.CONSUME(keyword.dim);
    const name = this.identifier(this.CONSUME(Name));
    this.CONSUME(sign['=']);
    const { like, value } = this.OR<{ like: boolean; value: Expr }>({
      IGNORE_AMBIGUITIES: true,
      DEF: [
        {
          GATE: () => this.isName(2),
          ALT: () => {
            this.CONSUME(keyword.like);
            return { like: true, value: { kind: 'name', ...this.identifier(this.CONSUME2(Name)) } };
          },
        },
        { ALT: () => ({ like: false, value: this.SUBRULE(this.expression) }) },
      ],
    });
    return this.ACTION(() => ({ kind: 'dim', name, like, value, span: this.spanFrom(first), ...this.trivia(first) }));
  });

  private readonly constant: Rule<Statement> = this.RULE('constant', (): Statement => {
    const first = this.CONSUME(keyword.const);
    const name = this.identifier(this.CONSUME(Name));
    let type: TensorTypeExpr | undefined;
    const params = this.OPTION(() => this.SUBRULE(this.parameters)) ?? [];
    this.OPTION2(() => {
      this.CONSUME(sign[':']);
      type = this.SUBRULE(this.tensorType);
    });
    this.CONSUME(sign['=']);
    const value = this.SUBRULE(this.expression);
    return this.ACTION(() => ({ kind: 'const', name, params, ...(type ? { type } : {}), value, span: this.spanFrom(first), ...this.trivia(first) }));
  });

  private readonly table: Rule<Statement> = this.RULE('table', (): Statement => {
    const first = this.CONSUME(keyword.table);
    const name = this.identifier(this.CONSUME(Name));
    this.CONSUME(sign['[']);
    const extent = this.SUBRULE(this.expression);
    this.CONSUME(sign[']']);
    this.CONSUME(sign['=']);
    const value = this.SUBRULE2(this.expression);
    return this.ACTION(() => ({ kind: 'table', name, extent, value, span: this.spanFrom(first), ...this.trivia(first) }));
  });

  private readonly def: Rule<Statement> = this.RULE('def', (): Statement => {
    const first = this.CONSUME(keyword.def);
    const name = this.identifier(this.CONSUME(Name));
    this.CONSUME(sign['=']);
    const value = this.SUBRULE(this.expression);
    return this.ACTION(() => ({ kind: 'def', name, value, span: this.spanFrom(first), ...this.trivia(first) }));
  });

  private readonly sharedStatement: Rule<Statement> = this.RULE('sharedStatement', (): Statement => {
    const first = this.CONSUME(keyword.shared);
    const name = this.identifier(this.CONSUME(Name));
    const count = this.OPTION(() => {
      this.CONSUME(sign['[']);
      const extent = this.SUBRULE(this.expression);
      this.CONSUME(sign[']']);
      return extent;
    });
    this.CONSUME(sign['=']);
    const value = this.SUBRULE2(this.expression);
    return this.ACTION(() => ({ kind: 'shared', name, ...(count ? { count } : {}), value, span: this.spanFrom(first), ...this.trivia(first) }));
  });

  /** The clauses behind the type come in any order; the printer writes `init`, `frozen`, `own`, `when`. */
  private readonly param: Rule<Statement> = this.RULE('param', (): Statement => {
    const first = this.CONSUME(keyword.param);
    const names: Identifier[] = [];
    const clauses: { init?: Expr; frozen: boolean; own: boolean; when?: Expr } = { frozen: false, own: false };
    this.AT_LEAST_ONE_SEP({ SEP: sign[','], DEF: () => names.push(this.identifier(this.CONSUME(Name))) });
    this.CONSUME(sign[':']);
    const type = this.SUBRULE(this.tensorType);
    this.MANY(() => this.OR([
      {
        ALT: () => {
          this.once(this.CONSUME(keyword.init), clauses.init !== undefined);
          clauses.init = this.SUBRULE(this.expression);
        },
      },
      {
        ALT: () => {
          this.once(this.CONSUME(keyword.frozen), clauses.frozen);
          clauses.frozen = true;
        },
      },
      {
        ALT: () => {
          this.once(this.CONSUME(keyword.own), clauses.own);
          clauses.own = true;
        },
      },
      {
        ALT: () => {
          this.once(this.CONSUME(keyword.when), clauses.when !== undefined);
          clauses.when = this.SUBRULE2(this.expression);
        },
      },
    ]));
    return this.ACTION((): ParamStatement => ({ kind: 'param', names, type, ...clauses, span: this.spanFrom(first), ...this.trivia(first) }));
  });

  private once(word: IToken, given: boolean): void {
    this.ACTION(() => given && this.problems.push(messages.duplicateClause(word.image, tokenSpan(word, word, this.source))));
  }

  private readonly state: Rule<Statement> = this.RULE('state', (): Statement => {
    const first = this.CONSUME(keyword.state);
    const name = this.identifier(this.CONSUME(Name));
    let extent: Expr | undefined;
    let fill: Expr | undefined;
    this.CONSUME(sign[':']);
    const policy = this.OR({
      ERR_MSG: '`append`, `every n`, `window n` or `last n`',
      DEF: [
        { ALT: () => this.CONSUME(keyword.append) },
        {
          ALT: () => {
            const word = this.OR2([{ ALT: () => this.CONSUME(keyword.every) }, { ALT: () => this.CONSUME(keyword.window) }, { ALT: () => this.CONSUME(keyword.last) }]);
            extent = this.SUBRULE(this.extent);
            return word;
          },
        },
      ],
    });
    const type = this.SUBRULE(this.tensorType);
    this.CONSUME(sign['=']);
    const value = this.SUBRULE(this.labelled);
    this.OPTION(() => {
      this.CONSUME(keyword.fill);
      fill = this.SUBRULE2(this.expression);
    });
    return this.ACTION((): StateStatement => ({
      kind: 'state', name, policy: policy.image as StateStatement['policy'], ...(extent ? { extent } : {}), type, value, ...(fill ? { fill } : {}),
      span: this.spanFrom(first), ...this.trivia(first),
    }));
  });

  /** A number, a name or an expression in parentheses: the axis list behind it must not read as its index. */
  private readonly extent: Rule<Expr> = this.RULE('extent', (): Expr => this.OR<Expr>({
    ERR_MSG: 'a number of entries',
    DEF: [
      { ALT: () => this.numberOf(this.CONSUME(NumberLiteral)) },
      { ALT: () => ({ kind: 'name', ...this.identifier(this.CONSUME(Name)) }) },
      {
        ALT: () => {
          this.CONSUME(sign['(']);
          const value = this.SUBRULE(this.expression);
          this.CONSUME(sign[')']);
          return value;
        },
      },
    ],
  }));

  /** `layers[61] as i`. */
  private readonly counted: Rule<Counted> = this.RULE('counted', (): Counted => {
    const label = this.identifier(this.CONSUME(Name));
    this.CONSUME(sign['[']);
    const count = this.SUBRULE(this.expression);
    this.CONSUME(sign[']']);
    this.CONSUME(keyword.as);
    const index = this.identifier(this.CONSUME2(Name));
    return { label, count, index };
  });

  private readonly repeat: Rule<Statement> = this.RULE('repeat', (): Statement => {
    const first = this.CONSUME(keyword.repeat);
    const counted = this.SUBRULE(this.counted);
    let carry: RepeatStatement['carry'];
    this.OPTION(() => {
      carry = this.SUBRULE(this.carry);
    });
    const { opener, body } = this.SUBRULE(this.block);
    return this.ACTION(() => ({
      kind: 'repeat', ...counted, ...(carry ? { carry } : {}), body, span: this.spanFrom(first), ...this.trivia(first, opener),
    }));
  });

  private readonly head: Rule<Statement> = this.RULE('head', (): Statement => {
    const first = this.CONSUME(keyword.head);
    const counted = this.SUBRULE(this.counted);
    const { opener, body } = this.SUBRULE(this.block);
    return this.ACTION(() => ({ kind: 'head', ...counted, body, span: this.spanFrom(first), ...this.trivia(first, opener) }));
  });

  private readonly carry: Rule<NonNullable<RepeatStatement['carry']>> = this.RULE('carry', (): NonNullable<RepeatStatement['carry']> => {
    const carried: { name: Identifier; initial?: Expr }[] = [];
    this.CONSUME(keyword.carry);
    this.CONSUME(sign['(']);
    this.MANY_SEP({
      SEP: sign[','],
      DEF: () => {
        const name = this.identifier(this.CONSUME(Name));
        const initial = this.OPTION(() => {
          this.CONSUME(sign['=']);
          return this.SUBRULE(this.expression);
        });
        carried.push(initial ? { name, initial } : { name });
      },
    });
    this.CONSUME(sign[')']);
    return carried;
  });

  private readonly ifStatement: Rule<Statement> = this.RULE('ifStatement', (): Statement => {
    const first = this.CONSUME(keyword.if);
    const condition = this.SUBRULE(this.expression);
    const then = this.SUBRULE(this.block);
    let otherwise: Block | undefined;
    this.OPTION(() => {
      this.CONSUME(keyword.else);
      otherwise = this.OR<Block>([
        { ALT: () => this.SUBRULE2(this.block) },
        {
          ALT: () => {
            const nested = this.SUBRULE(this.ifStatement);
            return { ...then, body: [nested] };
          },
        },
      ]);
    });
    return this.ACTION(() => {
      const comments = otherwise && otherwise.body.length > 0 ? this.takeComments(then.closer) : [];
      return {
        kind: 'if', condition, then: then.body, otherwise: otherwise?.body ?? [], ...(comments.length > 0 ? { thenClosing: comments } : {}),
        span: this.spanFrom(first), ...this.trivia(first, then.opener),
      };
    });
  });

  private readonly at: Rule<Statement> = this.RULE('at', (): Statement => {
    const first = this.CONSUME(keyword.at);
    const dtype = this.identifier(this.CONSUME(Name));
    this.ACTION(() => dtypeNames.has(dtype.name) || this.problems.push(messages.unknownDtype(dtype.name, dtypeNames, dtype.span)));
    const { opener, body } = this.SUBRULE(this.block);
    return this.ACTION(() => ({ kind: 'at', dtype, body, span: this.spanFrom(first), ...this.trivia(first, opener) }));
  });

  /** `return a`, `return (a, b)`. */
  private readonly returnStatement: Rule<Statement> = this.RULE('returnStatement', (): Statement => {
    const first = this.CONSUME(keyword.return);
    const value = this.SUBRULE(this.labelled);
    return this.ACTION(() => ({
      kind: 'return', values: value.kind === 'tuple' ? value.items : [value], span: this.spanFrom(first), ...this.trivia(first),
    }));
  });

  private readonly exportStatement: Rule<Statement> = this.RULE('exportStatement', (): Statement => {
    const first = this.CONSUME(keyword.export);
    const name = this.identifier(this.CONSUME(Name));
    this.CONSUME(sign['=']);
    const value = this.SUBRULE(this.labelled);
    return this.ACTION(() => ({ kind: 'export', name, value, span: this.spanFrom(first), ...this.trivia(first) }));
  });

  private readonly require: Rule<Statement> = this.RULE('require', (): Statement => {
    const first = this.CONSUME(keyword.require);
    const condition = this.SUBRULE(this.expression);
    const message = this.OPTION(() => {
      this.CONSUME(sign[',']);
      return this.string(this.CONSUME(StringLiteral)).value;
    });
    return this.ACTION(() => ({
      kind: 'require', condition, ...(message !== undefined ? { message } : {}), span: this.spanFrom(first), ...this.trivia(first),
    }));
  });

  private readonly emit: Rule<Statement> = this.RULE('emit', (): Statement => {
    const first = this.CONSUME(keyword.emit);
    const value = this.SUBRULE(this.labelled);
    return this.ACTION(() => ({ kind: 'emit', value, span: this.spanFrom(first), ...this.trivia(first) }));
  });
}
