/**
 * A request that this plan or device cannot serve. `code` is stable:
 * R01 token id outside the vocabulary · R02 cache full · R03 too many sequences · R04 more tokens than an entry takes ·
 * R05 unknown output · R06 empty prompt · R07 a tokenizer whose ids this vocabulary cannot hold
 */
export class InputError extends Error {
  constructor(readonly code: string, message: string, readonly fix: string) {
    super(`${code} ${message}\n  fix: ${fix}`);
    this.name = 'InputError';
  }
}
