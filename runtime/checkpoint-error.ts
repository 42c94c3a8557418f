/**
 * A weight file that cannot be used as it is. Every code is stable; `docs` and tests refer to it.
 *
 * F01 cannot be read · F02 too short · F03 header length · F04 header not an object · F05 not UTF-8 · F06 not JSON ·
 * F07 name twice · F08 unknown dtype · F09 size overflows · F10 offsets · F11 size does not match shape ·
 * F12 hole or overlap · F13 bytes not covered · F14 changed while read · F15 cannot be fetched · F16 size unknown
 * F20 index not readable · F21 shard missing · F22 path leaves the folder · F23 tensor not in its shard ·
 * F24 tensor not in the index · F25 total size differs · F26 no weights found
 * F30 cannot be written · F31 exists already
 * F40 tensor missing · F41 tensor not expected · F42 shape differs · F43 stored dtype cannot serve · F44 parts of
 * codes with scales · F45 not a number · F46 cannot be quantized as asked
 */
export class CheckpointError extends Error {
  readonly code: string;
  readonly file: string;
  readonly tensor: string | undefined;
  override readonly cause: string;
  readonly fix: string;

  constructor(where: { code: string; file: string; tensor?: string; cause: string; fix: string }) {
    super(`${where.code} ${where.file}${where.tensor === undefined ? '' : `: tensor '${where.tensor}'`}: ${where.cause}\n  fix: ${where.fix}`);
    this.name = 'CheckpointError';
    this.code = where.code;
    this.file = where.file;
    this.tensor = where.tensor;
    this.cause = where.cause;
    this.fix = where.fix;
  }
}
