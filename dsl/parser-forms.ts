/** The expression forms that bind names: `attend`, `route` and `scan`. */
import type { IToken, ParserMethod } from 'chevrotain';
import type { Argument, AttendExpr, AttendSource, Expr, Identifier, RouteArm, ScanExpr } from './ast.js';
import * as messages from './messages.js';
import { ExpressionParser } from './parser-expressions.js';
import { Identifier as Name, keyword, Separator, sign, Underscore } from './tokens.js';

type Rule<T> = ParserMethod<[], T>;

export abstract class FormParser extends ExpressionParser {
  /** `attend(q, over: kv as (c, kr), k: ..., v: ..., score: ..., mask: ...)`, `select(picks, over: index as (key), by: ...)` */
  protected readonly attendExpr: Rule<Expr> = this.RULE('attendExpr', (): Expr => {
    const first = this.OR1([{ ALT: () => this.CONSUME(keyword.attend) }, { ALT: () => this.CONSUME(keyword.select) }]);
    const sources: AttendSource[] = [];
    const options: Argument[] = [];
    this.CONSUME(sign['(']);
    const query = this.SUBRULE(this.labelled);
    this.MANY(() => {
      this.CONSUME(sign[',']);
      this.OR({
        IGNORE_AMBIGUITIES: true,
        DEF: [
          {
            GATE: () => this.is(2, sign[':']),
            ALT: () => {
              const found = this.SUBRULE(this.attendSources);
              this.ACTION(() => {
                if (sources.length > 0) this.problems.push(messages.duplicateClause('over', found[0].span));
                sources.push(...found);
              });
            },
          },
          {
            ALT: () => {
              const option = this.SUBRULE(this.argument);
              this.ACTION(() => options.push(option));
            },
          },
        ],
      });
    });
    this.OPTION(() => this.CONSUME2(sign[',']));
    this.CONSUME(sign[')']);
    return this.ACTION(() => this.checkAttend({ kind: first.image as AttendExpr['kind'], query, sources, options, span: this.spanFrom(first) }));
  });

  private checkAttend(e: AttendExpr): Expr {
    if (e.sources.length === 0) this.problems.push(messages.missingOption(e.kind, 'over', '`over: state as (parts)`', e.span));
    const unnamed = e.options.find((o) => o.name === undefined);
    if (unnamed) this.problems.push(messages.unnamedOption(e.kind, unnamed.span));
    return e;
  }

  private readonly attendSources: Rule<AttendSource[]> = this.RULE('attendSources', (): AttendSource[] => {
    const sources: AttendSource[] = [];
    this.CONSUME(keyword.over);
    this.CONSUME(sign[':']);
    this.OR({
      IGNORE_AMBIGUITIES: true,
      DEF: [
        {
          ALT: () => {
            this.CONSUME(sign['[']);
            this.AT_LEAST_ONE_SEP({ SEP: sign[','], DEF: () => sources.push(this.SUBRULE(this.attendSource)) });
            this.CONSUME(sign[']']);
          },
        },
        { ALT: () => sources.push(this.SUBRULE2(this.attendSource)) },
      ],
    });
    return sources;
  });

  private readonly attendSource: Rule<AttendSource> = this.RULE('attendSource', (): AttendSource => {
    const first = this.LA(1);
    const state = this.SUBRULE(this.postfix);
    let names: readonly Identifier[] = [];
    this.OPTION(() => {
      this.CONSUME(keyword.as);
      names = this.SUBRULE(this.nameTuple);
    });
    let where: Expr | undefined;
    this.OPTION2(() => {
      this.CONSUME(keyword.where);
      where = this.SUBRULE(this.expression);
    });
    return { state, names, ...(where ? { where } : {}), span: this.spanFrom(first) };
  });

  /** `(a, b)` or a single `a`. */
  protected readonly nameTuple: Rule<Identifier[]> = this.RULE('nameTuple', (): Identifier[] => {
    const names: Identifier[] = [];
    this.OR([
      {
        ALT: () => {
          this.CONSUME(sign['(']);
          this.AT_LEAST_ONE_SEP({ SEP: sign[','], DEF: () => names.push(this.identifier(this.CONSUME(Name))) });
          this.CONSUME(sign[')']);
        },
      },
      { ALT: () => names.push(this.identifier(this.CONSUME2(Name))) },
    ]);
    return names;
  });

  /** `route(x, ids, w) over experts as e { body }`, `{ e < 512 => body  _ => x }` */
  protected readonly routeExpr: Rule<Expr> = this.RULE('routeExpr', (): Expr => {
    const first = this.CONSUME(keyword.route);
    this.CONSUME(sign['(']);
    const input = this.SUBRULE(this.labelled);
    this.CONSUME(sign[',']);
    const ids = this.SUBRULE2(this.labelled);
    this.CONSUME2(sign[',']);
    const weights = this.SUBRULE3(this.labelled);
    this.CONSUME(sign[')']);
    this.CONSUME(keyword.over);
    const axis = this.identifier(this.CONSUME(Name));
    this.CONSUME(keyword.as);
    const index = this.identifier(this.CONSUME2(Name));
    const arms: RouteArm[] = [];
    this.CONSUME(sign['{']);
    this.AT_LEAST_ONE(() => {
      arms.push(this.SUBRULE(this.routeArm));
      this.OPTION(() => this.CONSUME(Separator));
    });
    this.CONSUME(sign['}']);
    return { kind: 'route', input, ids, weights, axis, index, arms, span: this.spanFrom(first) };
  });

  /** `body` alone, or behind the ids that it is for. */
  private readonly routeArm: Rule<RouteArm> = this.RULE('routeArm', (): RouteArm => {
    const first = this.LA(1);
    return this.OR({
      ERR_MSG: 'what an expert computes',
      DEF: [
        {
          ALT: (): RouteArm => {
            this.CONSUME(Underscore);
            this.CONSUME(sign['=>']);
            return { value: this.SUBRULE(this.labelled), span: this.spanFrom(first) };
          },
        },
        {
          ALT: (): RouteArm => {
            const before = this.SUBRULE2(this.labelled);
            let value: Expr | undefined;
            this.OPTION(() => {
              this.CONSUME2(sign['=>']);
              value = this.SUBRULE3(this.labelled);
            });
            return { ...(value ? { pattern: before } : {}), value: value ?? before, span: this.spanFrom(first) };
          },
        },
      ],
    });
  });

  /** `scan (q, k) carry s : [dk, dv] f32 = 0 { ... } chunk 16 as (i, j) { ... }` */
  protected readonly scanExpr: Rule<Expr> = this.RULE('scanExpr', (): Expr => {
    const first = this.CONSUME(keyword.scan);
    const inputs: Identifier[] = [];
    const carries: ScanExpr['carries'][number][] = [];
    let chunk: ScanExpr['chunk'];
    this.CONSUME(sign['(']);
    this.AT_LEAST_ONE_SEP({ SEP: sign[','], DEF: () => inputs.push(this.identifier(this.CONSUME(Name))) });
    this.CONSUME(sign[')']);
    this.CONSUME(keyword.carry);
    this.AT_LEAST_ONE_SEP2({ SEP: sign[','], DEF: () => carries.push(this.SUBRULE(this.scanCarry)) });
    const { body } = this.SUBRULE(this.block);
    this.OPTION(() => {
      const word: IToken = this.CONSUME(keyword.chunk);
      const size = this.SUBRULE(this.expression);
      this.CONSUME(keyword.as);
      const names = this.SUBRULE(this.nameTuple);
      const inner = this.SUBRULE2(this.block);
      chunk = { size, names, body: inner.body, span: this.spanFrom(word) };
    });
    return { kind: 'scan', inputs, carries, body, ...(chunk ? { chunk } : {}), span: this.spanFrom(first) };
  });

  private readonly scanCarry: Rule<ScanExpr['carries'][number]> = this.RULE('scanCarry', (): ScanExpr['carries'][number] => {
    const name = this.identifier(this.CONSUME(Name));
    this.CONSUME(sign[':']);
    const type = this.SUBRULE(this.tensorType);
    this.CONSUME(sign['=']);
    const initial = this.SUBRULE(this.expression);
    return { name, type, initial };
  });
}
