/** Types of parameters and results. */
import type { ParserMethod } from 'chevrotain';
import type { Expr, Identifier, Parameter, ResultType, StateType, TensorTypeExpr, Type } from './ast.js';
import * as messages from './messages.js';
import { FormParser } from './parser-forms.js';
import { suggest } from './suggest.js';
import { dtypeNames, Identifier as Name, keyword, sign } from './tokens.js';

type Rule<T> = ParserMethod<[], T>;
type SimpleName = (Type & { kind: 'simple-type' })['name'];

const simpleTypes: readonly SimpleName[] = ['dim', 'int', 'real', 'bool', 'layer', 'fn', 'list', 'state'];

export abstract class TypeParser extends FormParser {
  /** `[.., heads, nope + rope] f32?` */
  protected readonly tensorType: Rule<TensorTypeExpr> = this.RULE('tensorType', (): TensorTypeExpr => {
    const first = this.CONSUME(sign['[']);
    const axes: Expr[] = [];
    let rest = false;
    this.MANY_SEP({
      SEP: sign[','],
      DEF: () => this.OR([
        {
          ALT: () => {
            const dots = this.CONSUME(sign['..']);
            this.ACTION(() => (axes.length > 0 || rest) && this.problems.push(messages.restNotFirst(this.spanFrom(dots))));
            rest = true;
          },
        },
        { ALT: () => axes.push(this.SUBRULE(this.expression)) },
      ]),
    });
    this.CONSUME(sign[']']);
    let dtype: Identifier | undefined;
    this.OPTION({
      GATE: () => dtypeNames.has(this.LA(1).image),
      DEF: () => {
        dtype = this.identifier(this.CONSUME(Name));
      },
    });
    let optional = false;
    this.OPTION2(() => {
      this.CONSUME(sign['?']);
      optional = true;
    });
    return { kind: 'tensor-type', rest, axes, ...(dtype ? { dtype } : {}), optional, span: this.spanFrom(first) };
  });

  protected readonly type: Rule<Type> = this.RULE('type', (): Type => this.OR({
    ERR_MSG: 'a type',
    IGNORE_AMBIGUITIES: true,
    DEF: [
      { ALT: () => this.SUBRULE(this.tensorType) },
      { ALT: () => this.SUBRULE(this.enumType) },
      { ALT: () => this.SUBRULE(this.simpleType) },
    ],
  }));

  private readonly enumType: Rule<Type> = this.RULE('enumType', (): Type => {
    const first = this.CONSUME(keyword.enum);
    const values: Identifier[] = [];
    let optional = false;
    this.CONSUME(sign['{']);
    this.AT_LEAST_ONE_SEP({ SEP: sign[','], DEF: () => values.push(this.identifier(this.CONSUME(Name))) });
    this.CONSUME(sign['}']);
    this.OPTION(() => {
      this.CONSUME(sign['?']);
      optional = true;
    });
    return { kind: 'enum-type', values, optional, span: this.spanFrom(first) };
  });

  private readonly simpleType: Rule<Type> = this.RULE('simpleType', (): Type => {
    const first = this.CONSUME(Name);
    let optional = false;
    this.OPTION(() => {
      this.CONSUME(sign['?']);
      optional = true;
    });
    this.ACTION(() => {
      if (simpleTypes.includes(first.image as SimpleName)) return;
      const { name, span } = this.identifier(first);
      this.problems.push(messages.unknownType(name, suggest(name, simpleTypes), span));
    });
    return { kind: 'simple-type', name: first.image as SimpleName, optional, span: this.spanFrom(first) };
  });

  private readonly parameter: Rule<Parameter> = this.RULE('parameter', (): Parameter => {
    const first = this.LA(1);
    const name = this.identifier(this.CONSUME(Name));
    let type: Type | undefined;
    let initial: Expr | undefined;
    this.OPTION(() => {
      this.CONSUME(sign[':']);
      type = this.SUBRULE(this.type);
    });
    this.OPTION2(() => {
      this.CONSUME(sign['=']);
      initial = this.SUBRULE(this.expression);
    });
    return this.ACTION(() => ({
      name, ...(type ? { type } : {}), ...(initial ? { default: initial } : {}), span: this.spanFrom(first), ...this.inlineTrivia(first),
    }));
  });

  /** `(x: [.., d], width: dim)` */
  protected readonly parameters: Rule<Parameter[]> = this.RULE('parameters', (): Parameter[] => {
    const params: Parameter[] = [];
    this.CONSUME(sign['(']);
    this.OPTION(() => {
      params.push(this.SUBRULE(this.parameter));
      this.MANY(() => {
        this.CONSUME(sign[',']);
        params.push(this.SUBRULE2(this.parameter));
      });
      this.OPTION2(() => this.CONSUME2(sign[',']));
    });
    this.CONSUME(sign[')']);
    return params;
  });

  /** `[.., d]` or `([.., active] i32, w: [.., active])` */
  protected readonly results: Rule<ResultType[]> = this.RULE('results', (): ResultType[] => {
    const results: ResultType[] = [];
    this.OR({
      ERR_MSG: 'the type of a result, such as `[.., d]`',
      DEF: [
        {
          ALT: () => {
            this.CONSUME(sign['(']);
            this.AT_LEAST_ONE_SEP({ SEP: sign[','], DEF: () => results.push(this.SUBRULE(this.result)) });
            this.CONSUME(sign[')']);
          },
        },
        {
          ALT: () => {
            const type = this.SUBRULE(this.resultType);
            this.ACTION(() => results.push({ type, span: type.span }));
          },
        },
      ],
    });
    return results;
  });

  private readonly resultType: Rule<ResultType['type']> = this.RULE('resultType', (): ResultType['type'] => this.OR([
    { ALT: () => this.SUBRULE(this.tensorType) },
    {
      ALT: () => {
        const word = this.CONSUME(keyword.state);
        return { kind: 'simple-type', name: 'state', optional: false, span: this.spanFrom(word) } satisfies StateType;
      },
    },
  ]));

  private readonly result: Rule<ResultType> = this.RULE('result', (): ResultType => {
    const first = this.LA(1);
    let name: Identifier | undefined;
    this.OPTION(() => {
      name = this.identifier(this.CONSUME(Name));
      this.CONSUME(sign[':']);
    });
    const type = this.SUBRULE(this.resultType);
    return { ...(name ? { name } : {}), type, span: this.spanFrom(first) };
  });
}
