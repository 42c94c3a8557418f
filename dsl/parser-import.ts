/** The `import` section: where a template's names come from in a published configuration. */
import type { ParserMethod } from 'chevrotain';
import type { Expr, Identifier, ImportEntry, Statement, StringLiteral, Type } from './ast.js';
import { TypeParser } from './parser-types.js';
import { Broken, Identifier as Name, keyword, Separator, sign, StringLiteral as Text } from './tokens.js';

type Rule<T> = ParserMethod<[], T>;

export abstract class ImportParser extends TypeParser {
  protected readonly importSection: Rule<Statement> = this.RULE('importSection', (): Statement => {
    const first = this.CONSUME(keyword.import);
    const architectures: StringLiteral[] = [];
    const entries: ImportEntry[] = [];
    let within: Identifier | undefined;
    this.AT_LEAST_ONE_SEP({ SEP: sign[','], DEF: () => architectures.push(this.string(this.CONSUME(Text))) });
    this.OPTION(() => {
      this.CONSUME(keyword.within);
      within = this.identifier(this.CONSUME(Name));
    });
    const opener = this.CONSUME(sign['{']);
    this.MANY(() => {
      const entry = this.SUBRULE(this.importEntry);
      this.OPTION2(() => this.CONSUME(Separator));
      this.ACTION(() => entry && entries.push(entry));
    });
    this.CONSUME(sign['}']);
    return this.ACTION(() => ({
      kind: 'import', architectures, ...(within ? { within } : {}), entries, span: this.spanFrom(first), ...this.trivia(first, opener),
    }));
  });

  private readonly importEntry: Rule<ImportEntry | undefined> = this.RULE('importEntry', (): ImportEntry | undefined => this.OR<ImportEntry | undefined>({
    ERR_MSG: 'an entry: `name : type = key`, `known key` or `require condition`',
    IGNORE_AMBIGUITIES: true,
    MAX_LOOKAHEAD: 1,
    DEF: [
      { ALT: () => void this.CONSUME(Broken) },
      { GATE: () => this.is(2, sign['='], sign[':']), ALT: () => this.SUBRULE(this.binding) },
      { ALT: () => this.SUBRULE(this.knownKeys) },
      { ALT: () => this.SUBRULE(this.requirement) },
      { ALT: () => this.SUBRULE2(this.binding) },
    ],
  }));

  private readonly binding: Rule<ImportEntry> = this.RULE('binding', (): ImportEntry => {
    const first = this.LA(1);
    const name = this.identifier(this.CONSUME(Name));
    let type: Type | undefined;
    this.OPTION(() => {
      this.CONSUME(sign[':']);
      type = this.SUBRULE(this.type);
    });
    this.CONSUME(sign['=']);
    const value = this.SUBRULE(this.expression);
    return this.ACTION(() => ({ kind: 'binding', name, ...(type ? { type } : {}), value, span: this.spanFrom(first), ...this.trivia(first) }));
  });

  private readonly knownKeys: Rule<ImportEntry> = this.RULE('knownKeys', (): ImportEntry => {
    const first = this.CONSUME(keyword.known);
    const keys: Identifier[] = [];
    this.AT_LEAST_ONE_SEP({
      SEP: sign[','],
      DEF: () => {
        const start = this.LA(1);
        const path = [this.CONSUME(Name).image];
        this.MANY(() => {
          this.CONSUME(sign['.']);
          path.push(this.CONSUME2(Name).image);
        });
        this.ACTION(() => keys.push({ name: path.join('.'), span: this.spanFrom(start) }));
      },
    });
    return this.ACTION(() => ({ kind: 'known', keys, span: this.spanFrom(first), ...this.trivia(first) }));
  });

  private readonly requirement: Rule<ImportEntry> = this.RULE('requirement', (): ImportEntry => {
    const first = this.CONSUME(keyword.require);
    const condition: Expr = this.SUBRULE(this.expression);
    let message: string | undefined;
    this.OPTION(() => {
      this.CONSUME(sign[',']);
      message = this.string(this.CONSUME(Text)).value;
    });
    return this.ACTION(() => ({
      kind: 'require', condition, ...(message === undefined ? {} : { message }), span: this.spanFrom(first), ...this.trivia(first),
    }));
  });
}
