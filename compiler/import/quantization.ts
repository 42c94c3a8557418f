/** `quantization_config` of compressed-tensors, as the spec's `quantize` statements. */
import type { Config } from './config.js';

/** A kind of matrix that published checkpoints may store as int4: one of its module names, and its selector in the spec. */
export interface Matrix { readonly module: string; readonly selector: string }

/** The `quantize` lines for those of `matrices` that the configuration does not leave out. */
export function readQuantization(config: Config, matrices: readonly Matrix[]): string[] {
  const section = config.section('quantization_config');
  if (section === undefined) return [];
  const method = section.text('quant_method');
  if (method !== 'compressed-tensors') {
    section.reject('quant_method', method, 'only compressed-tensors int4 is imported');
    return [];
  }
  const format = section.text('format');
  if (format !== 'pack-quantized') section.reject('format', format, 'only pack-quantized is imported');
  section.skip('quantization_status', 'global_compression_ratio', 'version', 'sparsity_config', 'transform_config');
  section.must('kv_cache_scheme', null, 'the cache is not quantised here');
  const group = readGroup(section);
  const ignored = section.strings('ignore').map((pattern) => nameMatcher(section, pattern));
  section.finish();
  return matrices.filter((m) => !ignored.some((matches) => matches(m.module))).map((m) => `quantize ${m.selector} to int4(group: ${group}, along: in)`);
}

/** Elements per scale. */
function readGroup(section: Config): number {
  const groups = section.section('config_groups');
  const group = groups?.section('group_0');
  groups?.finish();
  if (group === undefined) {
    section.reject('config_groups', null, 'one group named group_0 is imported');
    return 32;
  }
  const targets = group.strings('targets');
  if (targets.join() !== 'Linear') group.reject('targets', targets, 'only the target "Linear" is imported');
  group.must('input_activations', null, 'activations are not quantised here');
  group.must('output_activations', null, 'activations are not quantised here');
  group.skip('format');
  const weights = group.section('weights');
  if (weights !== undefined) {
    weights.must('num_bits', 4, 'only 4 bits are imported');
    weights.must('type', 'int', 'only integers are imported');
    weights.must('symmetric', true, 'zero points are not imported');
    weights.must('strategy', 'group', 'only scales per group are imported');
    weights.must('actorder', null, 'reordered groups are not imported');
    weights.must('dynamic', false, 'weights are quantised once');
    weights.must('block_structure', null, 'blocks are not imported');
    weights.skip('observer', 'observer_kwargs', 'scale_dtype', 'zp_dtype');
  }
  const size = weights?.integer('group_size') ?? 32;
  weights?.finish();
  group.finish();
  return size;
}

/** `re:` patterns match from the name's start. Only `.*`, escaped characters and `(a|b)` are accepted: nothing that backtracks. */
function nameMatcher(section: Config, pattern: string): (name: string) => boolean {
  if (!pattern.startsWith('re:')) return (name) => name === pattern;
  const body = pattern.slice(3);
  const literal = body.replaceAll('.*', '').replace(/\\\./g, '');
  if (body.length > 300 || !/^[\w.()|^$-]*$/.test(literal) || body.split('.*').length > 6) {
    section.reject('ignore', pattern, 'this pattern is beyond what the importer evaluates');
    return () => false;
  }
  const expression = new RegExp(`^(?:${body})`);
  return (name) => expression.test(name);
}
