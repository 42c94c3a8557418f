/** The items of a file, and the one instance of the parser (building its lookahead tables takes some 30 ms). */
import type { ParserMethod } from 'chevrotain';
import type { File, Identifier, Item, Model, Override, Use } from './ast.js';
import * as messages from './messages.js';
import { StatementParser } from './parser-statements.js';
import { Broken, Identifier as Name, keyword, Separator, sign, StringLiteral } from './tokens.js';

type Rule<T> = ParserMethod<[], T>;
type Contents = Pick<File, 'uses' | 'items'>;

export class FirnParser extends StatementParser {
  readonly file: Rule<Contents> = this.RULE('file', (): Contents => {
    const uses: Use[] = [];
    const items: Item[] = [];
    this.MANY_SEP({
      SEP: Separator,
      DEF: () => {
        const item = this.SUBRULE(this.item);
        this.ACTION(() => {
          if (item?.kind === 'use' && items.length > 0) this.problems.push(messages.lateUse(item.span));
          if (item?.kind === 'use') uses.push(item);
          else if (item) items.push(item);
        });
      },
    });
    return { uses, items };
  });

  private readonly item: Rule<Use | Item | undefined> = this.RULE('item', (): Use | Item | undefined => this.OR<Use | Item | undefined>({
    ERR_MSG: '`use`, `model`, `layer`, `fn` or `const`',
    DEF: [
      {
        ALT: () => {
          this.CONSUME(Broken);
          this.OPTION(() => this.SUBRULE(this.block));
          return undefined;
        },
      },
      { ALT: () => this.SUBRULE(this.use) },
      { ALT: () => this.SUBRULE(this.model) },
      { ALT: () => this.SUBRULE(this.layer) },
      { ALT: () => this.SUBRULE(this.fn) },
      { ALT: () => this.SUBRULE(this.constItem) },
    ],
  }));

  /** `use std.{a, b}`, `use std.math.{clamp}`, `use "./mine.firn".{c}`; `module` keeps what was written. */
  private readonly use: Rule<Use> = this.RULE('use', (): Use => {
    const first = this.CONSUME(keyword.use);
    const names: Identifier[] = [];
    const path: string[] = [];
    this.OR({
      ERR_MSG: 'a module: `std`, `std.math` or a path such as "./mine.firn"',
      DEF: [
        { ALT: () => path.push(this.string(this.CONSUME(StringLiteral)).value) },
        {
          ALT: () => {
            path.push(this.CONSUME(Name).image);
            this.MANY({
              GATE: () => this.isName(2),
              DEF: () => {
                this.CONSUME(sign['.']);
                path.push(this.CONSUME2(Name).image);
              },
            });
          },
        },
      ],
    });
    this.CONSUME2(sign['.']);
    this.CONSUME(sign['{']);
    this.AT_LEAST_ONE_SEP({ SEP: sign[','], DEF: () => names.push(this.identifier(this.CONSUME3(Name))) });
    this.CONSUME(sign['}']);
    return this.ACTION(() => ({ kind: 'use', module: path.join('.'), names, span: this.spanFrom(first), ...this.trivia(first) }));
  });

  private readonly model: Rule<Item> = this.RULE('model', (): Item => {
    const first = this.CONSUME(keyword.model);
    const name = this.identifier(this.CONSUME(Name));
    return this.OR<Model>([
      {
        ALT: () => {
          const { opener, body } = this.SUBRULE(this.block);
          return this.ACTION(() => ({ kind: 'model', name, body, span: this.spanFrom(first), ...this.trivia(first, opener) }));
        },
      },
      {
        ALT: () => {
          const overrides: Override[] = [];
          this.CONSUME(sign['=']);
          const base = this.identifier(this.CONSUME2(Name));
          this.CONSUME(keyword.with);
          const opener = this.CONSUME(sign['{']);
          this.MANY(() => {
            const override = this.SUBRULE(this.override);
            this.OPTION(() => this.OR2([{ ALT: () => this.CONSUME(Separator) }, { ALT: () => this.CONSUME(sign[',']) }]));
            this.ACTION(() => override && overrides.push(override));
          });
          this.CONSUME(sign['}']);
          return this.ACTION(() => ({
            kind: 'model', name, base: { name: base, overrides }, body: [], span: this.spanFrom(first), ...this.trivia(first, opener),
          }));
        },
      },
    ]);
  });

  private readonly override: Rule<Override | undefined> = this.RULE('override', (): Override | undefined => {
    const first = this.LA(1);
    return this.OR<Override | undefined>({
      ERR_MSG: 'a replacement `name = value`',
      DEF: [
        { ALT: () => void this.CONSUME(Broken) },
        {
          ALT: () => {
            const name = this.identifier(this.CONSUME(Name));
            this.CONSUME(sign['=']);
            const value = this.SUBRULE(this.expression);
            return this.ACTION(() => ({ name, value, span: this.spanFrom(first), ...this.trivia(first) }));
          },
        },
      ],
    });
  });

  private readonly layer: Rule<Item> = this.RULE('layer', (): Item => {
    const first = this.CONSUME(keyword.layer);
    const name = this.identifier(this.CONSUME(Name));
    const params = this.SUBRULE(this.parameters);
    this.CONSUME(sign['->']);
    const results = this.SUBRULE(this.results);
    const { opener, body } = this.SUBRULE(this.block);
    return this.ACTION(() => ({ kind: 'layer', name, params, results, body, span: this.spanFrom(first), ...this.trivia(first, opener) }));
  });

  private readonly fn: Rule<Item> = this.RULE('fn', (): Item => {
    const first = this.CONSUME(keyword.fn);
    const name = this.identifier(this.CONSUME(Name));
    const params = this.SUBRULE(this.parameters);
    this.CONSUME(sign['=']);
    const body = this.SUBRULE(this.expression);
    return this.ACTION(() => ({ kind: 'fn', name, params, body, span: this.spanFrom(first), ...this.trivia(first) }));
  });

  private readonly constItem: Rule<Item> = this.RULE('constItem', (): Item => {
    const first = this.CONSUME(keyword.const);
    const name = this.identifier(this.CONSUME(Name));
    this.CONSUME(sign['=']);
    const value = this.SUBRULE(this.expression);
    return this.ACTION(() => ({ kind: 'const-item', name, value, span: this.spanFrom(first), ...this.trivia(first) }));
  });

  constructor(validate: boolean) {
    super(validate);
    this.performSelfAnalysis();
  }
}

export const parser = new FirnParser(false);
