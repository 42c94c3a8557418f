/**
 * A tokenizer file that cannot be used. `code` is stable:
 * T01 cannot be read · T02 not what its name says · T03 a kind that is not known
 */
export class TokenizerError extends Error {
  constructor(readonly code: string, readonly file: string, cause: string, readonly fix: string) {
    super(`${code} ${file}: ${cause}\n  fix: ${fix}`);
    this.name = 'TokenizerError';
  }
}
