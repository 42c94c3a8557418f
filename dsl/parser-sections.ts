/** The sections of a model: checkpoint names, quantisation, precision, training, mesh and settings. */
import type { IToken, ParserMethod } from 'chevrotain';
import type { Expr, NamedEntry, Selector, SelectorSegment, SettingStatement, Statement, StringLiteral, WeightRule } from './ast.js';
import { ImportParser } from './parser-import.js';
import { Broken, Identifier as Name, keyword, Separator, sign, StringLiteral as Text } from './tokens.js';

type Rule<T> = ParserMethod<[], T>;

export abstract class SectionParser extends ImportParser {
  protected readonly section: Rule<Statement> = this.RULE('section', (): Statement => this.OR([
    { ALT: () => this.SUBRULE(this.weights) },
    { ALT: () => this.SUBRULE(this.quantize) },
    { ALT: () => this.SUBRULE(this.entriesSection) },
    { ALT: () => this.SUBRULE(this.train) },
    { ALT: () => this.SUBRULE(this.setting) },
    { ALT: () => this.SUBRULE(this.importSection) },
  ]));

  private readonly weights: Rule<Statement> = this.RULE('weights', (): Statement => {
    const first = this.CONSUME(keyword.weights);
    const rules: WeightRule[] = [];
    const opener = this.CONSUME(sign['{']);
    this.MANY(() => {
      const rule = this.SUBRULE(this.weightRule);
      this.OPTION(() => this.CONSUME(Separator));
      this.ACTION(() => rule && rules.push(rule));
    });
    this.CONSUME(sign['}']);
    return this.ACTION(() => ({ kind: 'weights', rules, span: this.spanFrom(first), ...this.trivia(first, opener) }));
  });

  private readonly weightRule: Rule<WeightRule | undefined> = this.RULE('weightRule', (): WeightRule | undefined => this.OR<WeightRule | undefined>({
    ERR_MSG: 'a rule: `"name" -> path`, `ignore "pattern"` or `tap "name" <- path`',
    DEF: [
      { ALT: () => void this.CONSUME(Broken) },
      { ALT: () => this.SUBRULE(this.mapRule) },
      { ALT: () => this.SUBRULE(this.ignoreRule) },
      { ALT: () => this.SUBRULE(this.tapRule) },
    ],
  }));

  private readonly mapRule: Rule<WeightRule> = this.RULE('mapRule', (): WeightRule => {
    const first = this.LA(1);
    const sources = this.SUBRULE(this.strings);
    let layout: StringLiteral | undefined;
    let storage: Expr | undefined;
    this.CONSUME(sign['->']);
    const target = this.SUBRULE(this.selector);
    this.OPTION({
      GATE: () => this.is(2, Text),
      DEF: () => {
        this.CONSUME(sign[':']);
        layout = this.string(this.CONSUME(Text));
      },
    });
    this.OPTION2(() => {
      this.CONSUME2(sign[':']);
      storage = this.SUBRULE(this.expression);
    });
    const when = this.SUBRULE(this.ruleCondition);
    return this.ACTION(() => ({
      kind: 'map', sources, target, ...(layout ? { layout } : {}), ...(storage ? { storage } : {}), ...(when ? { when } : {}), span: this.spanFrom(first), ...this.trivia(first),
    }));
  });

  private readonly strings: Rule<StringLiteral[]> = this.RULE('strings', (): StringLiteral[] => {
    const out: StringLiteral[] = [];
    this.AT_LEAST_ONE_SEP({ SEP: sign[','], DEF: () => out.push(this.string(this.CONSUME(Text))) });
    return out;
  });

  private readonly ignoreRule: Rule<WeightRule> = this.RULE('ignoreRule', (): WeightRule => {
    const first = this.CONSUME(keyword.ignore);
    const patterns = this.SUBRULE(this.strings);
    const when = this.SUBRULE(this.ruleCondition);
    return this.ACTION(() => ({ kind: 'ignore', patterns, ...(when ? { when } : {}), span: this.spanFrom(first), ...this.trivia(first) }));
  });

  private readonly tapRule: Rule<WeightRule> = this.RULE('tapRule', (): WeightRule => {
    const first = this.CONSUME(keyword.tap);
    const name = this.string(this.CONSUME(Text));
    this.CONSUME(sign['<-']);
    const target = this.SUBRULE(this.selector);
    const when = this.SUBRULE(this.ruleCondition);
    return this.ACTION(() => ({ kind: 'tap', name, target, ...(when ? { when } : {}), span: this.spanFrom(first), ...this.trivia(first) }));
  });

  private readonly ruleCondition: Rule<Expr | undefined> = this.RULE('ruleCondition', (): Expr | undefined => {
    let when: Expr | undefined;
    this.OPTION(() => {
      this.CONSUME(keyword.when);
      when = this.SUBRULE(this.expression);
    });
    return when;
  });

  private readonly selector: Rule<Selector> = this.RULE('selector', (): Selector => {
    const first = this.LA(1);
    const segments: SelectorSegment[] = [];
    this.AT_LEAST_ONE_SEP({
      SEP: sign['.'],
      ERR_MSG: 'a path such as `layers[i].attn.{p}`',
      DEF: () => {
        const segment = this.SUBRULE(this.segment);
        segments.push(segment);
      },
    });
    return { kind: 'selector', segments, span: this.spanFrom(first) };
  });

  /** `name`, `*`, `{capture}`, `w{capture}_norm` or `{a, b}`, with `[index]` or `[*]` behind it. */
  private readonly segment: Rule<SelectorSegment> = this.RULE('segment', (): SelectorSegment => {
    const first = this.LA(1);
    const names: string[] = [];
    let index: Expr | '*' | undefined;
    let braced = false;
    let before: string | undefined;
    let after: string | undefined;
    this.OR({
      ERR_MSG: 'a path such as `layers[i].attn.{p}`',
      DEF: [
        {
          GATE: () => this.is(1, sign['{']) || this.touches(2, sign['{']),
          ALT: () => {
            this.OPTION3(() => { before = this.CONSUME3(Name).image; });
            this.CONSUME(sign['{']);
            this.AT_LEAST_ONE_SEP({ SEP: sign[','], DEF: () => names.push(this.CONSUME2(Name).image) });
            this.CONSUME(sign['}']);
            braced = true;
            this.OPTION2({ GATE: () => this.touches(1, Name), DEF: () => { after = this.CONSUME4(Name).image; } });
          },
        },
        { ALT: () => names.push(this.CONSUME(Name).image) },
        { ALT: () => names.push(this.CONSUME(sign['*']).image) },
      ],
    });
    this.OPTION(() => {
      this.CONSUME(sign['[']);
      index = this.OR2<Expr | '*'>([
        { ALT: () => (this.CONSUME2(sign['*']), '*') },
        { ALT: () => this.SUBRULE(this.expression) },
      ]);
      this.CONSUME(sign[']']);
    });
    const name = braced && names.length === 1 ? { names: [], capture: names[0], ...(before ? { before } : {}), ...(after ? { after } : {}) } : { names: names.map((n) => `${before ?? ''}${n}${after ?? ''}`) };
    return { ...name, ...(index ? { index } : {}), span: this.spanFrom(first) };
  });

  private readonly quantize: Rule<Statement> = this.RULE('quantize', (): Statement => {
    const first = this.CONSUME(keyword.quantize);
    const selector = this.SUBRULE(this.selector);
    this.CONSUME(keyword.to);
    const format = this.SUBRULE(this.expression);
    return this.ACTION(() => ({ kind: 'quantize', selector, format, span: this.spanFrom(first), ...this.trivia(first) }));
  });

  /** `precision { ... }`, `mesh { ... }` */
  private readonly entriesSection: Rule<Statement> = this.RULE('entriesSection', (): Statement => {
    const first = this.OR([{ ALT: () => this.CONSUME(keyword.precision) }, { ALT: () => this.CONSUME(keyword.mesh) }]);
    const entries: NamedEntry[] = [];
    const opener: IToken = this.CONSUME(sign['{']);
    this.MANY(() => {
      const entry = this.SUBRULE(this.entry);
      this.OPTION(() => this.OR2([{ ALT: () => this.CONSUME(Separator) }, { ALT: () => this.CONSUME(sign[',']) }]));
      this.ACTION(() => entry && entries.push(entry));
    });
    this.CONSUME(sign['}']);
    return this.ACTION(() => ({ kind: first.image as 'precision' | 'mesh', entries, span: this.spanFrom(first), ...this.trivia(first, opener) }));
  });

  private readonly entry: Rule<NamedEntry | undefined> = this.RULE('entry', (): NamedEntry | undefined => {
    const first = this.LA(1);
    return this.OR<NamedEntry | undefined>({
      ERR_MSG: 'an entry `name: value`',
      DEF: [
        { ALT: () => void this.CONSUME(Broken) },
        {
          ALT: () => {
            const name = this.identifier(this.CONSUME(Name));
            this.CONSUME(sign[':']);
            const value = this.SUBRULE(this.expression);
            return this.ACTION(() => ({ name, value, span: this.spanFrom(first), ...this.trivia(first) }));
          },
        },
      ],
    });
  });

  private readonly train: Rule<Statement> = this.RULE('train', (): Statement => {
    const first = this.CONSUME(keyword.train);
    this.CONSUME(keyword.with);
    const value = this.SUBRULE(this.expression);
    return this.ACTION(() => ({ kind: 'train', value, span: this.spanFrom(first), ...this.trivia(first) }));
  });

  private readonly setting: Rule<Statement> = this.RULE('setting', (): Statement => {
    const word = this.OR([{ ALT: () => this.CONSUME(keyword.context) }, { ALT: () => this.CONSUME(keyword.stop) }]);
    const value = this.SUBRULE(this.expression);
    return this.ACTION(() => ({ kind: 'setting', name: word.image as SettingStatement['name'], value, span: this.spanFrom(word), ...this.trivia(word) }));
  });
}
