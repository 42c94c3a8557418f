/**
 * A published `config.json`, read with the suspicion it deserves: every key is either read, stated to be without effect
 * on the numbers, or an error. Absent, null and 0 are three different things.
 */
import type { Diagnostic } from '../../dsl/diagnostics.js';
import type { SourceFile, Span } from '../../dsl/span.js';
import * as message from './messages.js';

type Json = { readonly [key: string]: unknown };

/** Keys of every family that do not change what the model computes. */
const withoutEffect = new Set([
  'architectures', 'model_type', 'torch_dtype', 'dtype', 'transformers_version', '_name_or_path', 'auto_map', 'bos_token_id', 'pad_token_id',
  'use_cache', 'initializer_range', 'attention_dropout', 'pretraining_tp', 'return_dict', 'output_attentions', 'output_hidden_states', 'is_encoder_decoder',
  'output_router_logits', 'router_aux_loss_coef', 'router_jitter_noise', 'aux_loss_alpha', 'seq_aux', 'ep_size', '_attn_implementation',
]);

export class Config {
  private readonly used = new Set<string>();

  private constructor(readonly file: SourceFile, private readonly json: Json, readonly diagnostics: Diagnostic[], private readonly prefix: string) {}

  /** Undefined, with a diagnostic, if the text is not a JSON object. */
  static parse(file: SourceFile, diagnostics: Diagnostic[]): Config | undefined {
    const start: Span = { file: file.path, start: 0, end: 1, line: 1, column: 1 };
    try {
      const json = JSON.parse(file.text) as unknown;
      if (isObject(json)) return new Config(file, json, diagnostics, '');
      diagnostics.push(message.notJson('it is not an object', start));
    } catch (error) {
      diagnostics.push(message.notJson((error as Error).message, start));
    }
    return undefined;
  }

  has(key: string): boolean {
    return this.json[key] !== undefined && this.json[key] !== null;
  }

  /** A nested object; undefined if absent or null. */
  section(key: string): Config | undefined {
    const value = this.take(key);
    if (value === undefined || value === null) return undefined;
    if (isObject(value)) return new Config(this.file, value, this.diagnostics, `${this.prefix}${key}.`);
    this.diagnostics.push(message.wrongKind(this.prefix + key, 'an object', value, this.spanOf(key)));
    return undefined;
  }

  /** A whole number of 0 or more; 0 after a diagnostic. `otherwise` stands for an absent or null key. */
  integer(key: string, otherwise?: number): number {
    return this.read(key, otherwise, (v): v is number => Number.isSafeInteger(v) && (v as number) >= 0, 'a whole number of 0 or more', 0);
  }

  real(key: string, otherwise?: number): number {
    return this.read(key, otherwise, (v): v is number => typeof v === 'number' && Number.isFinite(v), 'a number', 1);
  }

  flag(key: string, otherwise?: boolean): boolean {
    return this.read(key, otherwise, (v): v is boolean => typeof v === 'boolean', 'true or false', false);
  }

  text(key: string, otherwise?: string): string {
    return this.read(key, otherwise, (v): v is string => typeof v === 'string', 'a string', '');
  }

  strings(key: string): string[] {
    return this.read(key, undefined, (v): v is string[] => Array.isArray(v) && v.every((x) => typeof x === 'string'), 'a list of strings', []);
  }

  /** One id or several; none if absent or null. */
  ids(key: string): number[] {
    const value = this.take(key);
    if (value === undefined || value === null) return [];
    const list = Array.isArray(value) ? value : [value];
    if (list.every((v): v is number => Number.isSafeInteger(v))) return list;
    this.diagnostics.push(message.wrongKind(this.prefix + key, 'a token id or a list of them', value, this.spanOf(key)));
    return [];
  }

  /** The importer writes `value` only; an absent key means it too. */
  must(key: string, value: unknown, why: string): void {
    const found = this.take(key);
    if (found === undefined || found === value || (found === null && value === false)) return;
    this.reject(key, found, why);
  }

  reject(key: string, found: unknown, why: string): void {
    this.used.add(key);
    this.diagnostics.push(message.unsupported(this.prefix + key, found, why, this.spanOf(key)));
  }

  /** Marks keys as known to have no effect. */
  skip(...keys: string[]): void {
    for (const key of keys) this.used.add(key);
  }

  /** Every key that nobody read is an error. Call it last. */
  finish(): void {
    for (const key of Object.keys(this.json)) {
      if (!this.used.has(key) && !(this.prefix === '' && withoutEffect.has(key)) && !(this.prefix === 'text_config.' && withoutEffect.has(key))) {
        this.diagnostics.push(message.unknownKey(this.prefix + key, this.spanOf(key)));
      }
    }
  }

  spanOf(key: string): Span {
    return keySpan(this.file, key);
  }

  private take(key: string): unknown {
    this.used.add(key);
    return this.json[key];
  }

  private read<T>(key: string, otherwise: T | undefined, is: (value: unknown) => value is T, wanted: string, broken: T): T {
    const value = this.take(key);
    if (value === undefined || value === null) {
      if (otherwise !== undefined) return otherwise;
      this.diagnostics.push(message.missingKey(this.prefix + key, this.spanOf(key)));
      return broken;
    }
    if (is(value)) return value;
    this.diagnostics.push(message.wrongKind(this.prefix + key, wanted, value, this.spanOf(key)));
    return broken;
  }
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Where the key is written; the file's start if it is not. */
function keySpan(file: SourceFile, key: string): Span {
  const found = file.text.indexOf(`${JSON.stringify(key)}`);
  const start = Math.max(0, found);
  const before = file.text.slice(0, start);
  const line = before.split('\n').length;
  return { file: file.path, start, end: found < 0 ? 1 : start + key.length + 2, line, column: start - before.lastIndexOf('\n') };
}
