/**
 * A published `config.json`, read with the suspicion it deserves: every key is either read, stated to be without effect
 * on the numbers, or an error. Absent, null and 0 are three different things.
 */
import type { Diagnostic } from '../../dsl/diagnostics.js';
import type { SourceFile, Span } from '../../dsl/span.js';
import { jsonDepth } from '../ir/json-depth.js';
import * as message from './messages.js';

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject { readonly [key: string]: Json }

/** A value of a configuration; objects keep their path, so that what is read of them can be told. */
export type Value = null | boolean | number | string | readonly Value[] | ConfigObject;
export class ConfigObject {
  constructor(readonly path: string, readonly json: JsonObject) {}
}

/** Keys that published configurations of every family have and that do not change what the model computes. */
const withoutEffect = new Set([
  'architectures', 'model_type', 'torch_dtype', 'dtype', 'transformers_version', '_name_or_path', 'auto_map', 'bos_token_id', 'eos_token_id', 'pad_token_id',
  'use_cache', 'initializer_range', 'return_dict', 'output_attentions', 'output_hidden_states', 'is_encoder_decoder', '_attn_implementation', 'task_specific_params',
]);

export class Config {
  private readonly used = new Set<string>();
  private readonly objects = new Map<string, JsonObject>();
  /** Paths in the order in which they were asked for. */
  readonly reads: string[] = [];
  readonly root: ConfigObject;
  private readonly inner: ConfigObject;

  /** `within`: where the text decoder's own keys are, if the configuration has that object. */
  private constructor(readonly file: SourceFile, json: JsonObject, within: string | undefined) {
    this.root = this.opened('', json);
    const nested = within === undefined ? undefined : json[within];
    this.inner = nested !== undefined && isObject(nested) ? this.opened(within!, nested) : this.root;
    if (this.inner !== this.root) this.used.add(within!);
  }

  /** Undefined, with a diagnostic, if the text is not a JSON object. */
  static parse(file: SourceFile, diagnostics: Diagnostic[], within?: string): Config | undefined {
    const start: Span = { file: file.path, start: 0, end: 1, line: 1, column: 1 };
    try {
      const json = JSON.parse(file.text) as Json;
      if (!isObject(json)) diagnostics.push(message.notJson('it is not an object', start));
      else if (jsonDepth(file.text) > deepest) diagnostics.push(message.tooDeep(deepest, start));
      else return new Config(file, json, within);
    } catch (error) {
      diagnostics.push(message.notJson((error as Error).message, start));
    }
    return undefined;
  }

  /** A key of the decoder's configuration, or else of the outer one; undefined if absent. */
  get(key: string): Value | undefined {
    const value = this.member(this.inner, key);
    return value === undefined && this.inner !== this.root ? this.member(this.root, key) : value;
  }

  member(object: ConfigObject, key: string): Value | undefined {
    const path = object.path === '' ? key : `${object.path}.${key}`;
    this.used.add(path);
    this.reads.push(path);
    return Object.hasOwn(object.json, key) ? this.wrap(path, object.json[key]) : undefined;
  }

  /** Marks a path as known to have no effect; within the decoder's configuration and outside of it. */
  skip(path: string): void {
    this.used.add(path);
    if (this.inner !== this.root) this.used.add(`${this.inner.path}.${path}`);
  }

  /** Every key of every object that was opened and that nobody read. Call it last. */
  unread(): string[] {
    return [...this.objects].flatMap(([path, json]) => Object.keys(json).flatMap((key) => {
      const full = path === '' ? key : `${path}.${key}`;
      const bookkeeping = withoutEffect.has(key) && (path === '' || path === this.inner.path);
      return this.used.has(full) || bookkeeping ? [] : [full];
    }));
  }

  /** Where the last part of the path is written; the file's start if it is not. */
  spanOf(path: string): Span {
    const key = path.slice(path.lastIndexOf('.') + 1);
    const found = this.file.text.indexOf(JSON.stringify(key));
    const start = Math.max(0, found);
    const before = this.file.text.slice(0, start);
    return { file: this.file.path, start, end: found < 0 ? 1 : start + key.length + 2, line: before.split('\n').length, column: start - before.lastIndexOf('\n') };
  }

  private wrap(path: string, json: Json): Value {
    if (isObject(json)) return this.opened(path, json);
    return Array.isArray(json) ? json.map((item: Json, i) => this.wrap(`${path}.${i}`, item)) : (json as null | boolean | number | string);
  }

  private opened(path: string, json: JsonObject): ConfigObject {
    this.objects.set(path, json);
    return new ConfigObject(path, json);
  }
}

/** Levels of lists and objects; published configurations have five. */
const deepest = 64;

function isObject(value: Json): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
