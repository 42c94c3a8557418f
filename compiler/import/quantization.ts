/** `quantization_config`, as the formats of `quantize` statements. */
import type { Expr } from '../../dsl/ast.js';
import type { Span } from '../../dsl/span.js';
import { type Config, ConfigObject, type Value } from './config.js';
import { ImportFailure } from './evaluate.js';
import { jsonOf } from './bindings.js';
import * as message from './messages.js';

/** The format in which a module (`model.layers.0.mlp.up_proj`) is stored; undefined if it is not quantized. */
export type StoredFormat = (module: string) => Expr | undefined;

export function readQuantization(config: Config): StoredFormat {
  const found = config.get('quantization_config');
  if (found === undefined || found === null) return () => undefined;
  if (!(found instanceof ConfigObject)) throw new ImportFailure(message.wrongKind('quantization_config', 'an object', jsonOf(found), config.spanOf('quantization_config')));
  const section = new Section(config, found);
  switch (section.get('quant_method')) {
    case 'compressed-tensors': return readGroups(section);
    case 'fp8': return readBlocks(section);
    case 'mxfp4': return readMxfp4(section);
    default: return section.reject('quant_method', 'compressed-tensors int4, fp8 in blocks and mxfp4 are imported');
  }
}

/** An object of the configuration of which every key must be as the importer understands it. */
class Section {
  constructor(private readonly config: Config, private readonly object: ConfigObject) {}

  get(key: string): Value | undefined {
    return this.config.member(this.object, key);
  }

  reject(key: string, why: string): never {
    const path = `${this.object.path}.${key}`;
    throw new ImportFailure(message.quantization(path, jsonOf(this.get(key) ?? null), why, this.config.spanOf(path)));
  }

  /** An absent key is as good. */
  must(key: string, value: Value, why: string): void {
    const found = this.get(key);
    if (found !== undefined && found !== value && !(found === null && value === false)) this.reject(key, why);
  }

  skip(...keys: string[]): void {
    for (const key of keys) this.get(key);
  }

  section(key: string, why: string): Section {
    const value = this.get(key);
    return value instanceof ConfigObject ? new Section(this.config, value) : this.reject(key, why);
  }

  strings(key: string): string[] {
    const value = this.get(key) ?? [];
    if (!Array.isArray(value) || value.some((v) => typeof v !== 'string')) this.reject(key, 'a list of names is expected');
    return value as string[];
  }

  number(key: string): number {
    const value = this.get(key);
    return typeof value === 'number' ? value : this.reject(key, 'a number is expected');
  }
}

/** compressed-tensors, pack-quantized: codes of 4 bits, a scale per group, on all linear modules but those ignored. */
function readGroups(section: Section): StoredFormat {
  section.must('format', 'pack-quantized', 'only pack-quantized is imported');
  section.skip('quantization_status', 'global_compression_ratio', 'version', 'sparsity_config', 'transform_config');
  section.must('kv_cache_scheme', null, 'the cache is not quantised here');
  const group = section.section('config_groups', 'one group named group_0 is imported').section('group_0', 'one group named group_0 is imported');
  if (group.strings('targets').join() !== 'Linear') group.reject('targets', 'only the target "Linear" is imported');
  group.must('input_activations', null, 'activations are not quantised here');
  group.must('output_activations', null, 'activations are not quantised here');
  group.skip('format');
  const weights = group.section('weights', 'it says how the weights are stored');
  weights.must('num_bits', 4, 'only 4 bits are imported');
  weights.must('type', 'int', 'only integers are imported');
  weights.must('symmetric', true, 'zero points are not imported');
  weights.must('strategy', 'group', 'only scales per group are imported');
  weights.must('actorder', null, 'reordered groups are not imported');
  weights.must('dynamic', false, 'weights are quantised once');
  weights.must('block_structure', null, 'blocks are not imported');
  weights.skip('observer', 'observer_kwargs', 'scale_dtype', 'zp_dtype');
  const size = weights.number('group_size');
  const ignored = section.strings('ignore').map((pattern) => nameMatcher(section, pattern));
  return (module) => (ignored.some((matches) => matches(module)) ? undefined : format('int4', { group: size, along: 'in' }));
}

/** e4m3 codes with a multiplier per block; the head, and what else is listed, is left as it is. */
function readBlocks(section: Section): StoredFormat {
  section.must('fmt', 'e4m3', 'only e4m3 is imported');
  section.must('activation_scheme', 'dynamic', 'activations are not quantised here, and scales of their own are not imported');
  const sizes = section.get('weight_block_size');
  if (!Array.isArray(sizes) || sizes[0] !== 128 || sizes[1] !== 128) section.reject('weight_block_size', 'only blocks of 128 by 128 are imported');
  const kept = section.get('modules_to_not_convert') === undefined ? ['lm_head'] : section.strings('modules_to_not_convert');
  return (module) => (isKept(kept, module) ? undefined : format('fp8', { block: 128 }));
}

/** e2m1 codes with a power of two per 32 neighbours. */
function readMxfp4(section: Section): StoredFormat {
  const kept = section.strings('modules_to_not_convert').map((name) => name.replace(/\.\*\./g, '.0.'));
  return (module) => (isKept(kept, module) ? undefined : { kind: 'name', name: 'mxfp4', span: nowhere });
}

/** A listed name stands for the module, those below it, and those of that name elsewhere. */
function isKept(kept: readonly string[], module: string): boolean {
  return kept.some((name) => `.${module}.`.includes(`.${name}.`));
}

/** `re:` patterns match from the name's start. Only `.*`, escaped characters and `(a|b)` are accepted: nothing that backtracks. */
function nameMatcher(section: Section, pattern: string): (name: string) => boolean {
  if (!pattern.startsWith('re:')) return (name) => name === pattern;
  const expression = expressionOf(pattern.slice(3)) ?? section.reject('ignore', 'this pattern is beyond what the importer evaluates');
  return (name) => expression.test(name);
}

function expressionOf(body: string): RegExp | undefined {
  const literal = body.replaceAll('.*', '').replace(/\\\./g, '');
  if (body.length > 300 || !/^[\w.()|^$-]*$/.test(literal) || body.split('.*').length > 6) return undefined;
  try {
    return new RegExp(`^(?:${body})`);
  } catch {
    return undefined;
  }
}

const nowhere: Span = { file: '', start: 0, end: 0, line: 1, column: 1 };

function format(name: string, args: Readonly<Record<string, number | string>>): Expr {
  return {
    kind: 'call', span: nowhere, callee: { kind: 'name', name, span: nowhere },
    args: Object.entries(args).map(([key, value]) => ({
      name: { name: key, span: nowhere }, span: nowhere,
      value: typeof value === 'number' ? { kind: 'number', value, integer: true, text: String(value), span: nowhere } : { kind: 'name', name: value, span: nowhere },
    })),
  };
}
