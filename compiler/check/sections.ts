/** The sections of a model. Those that decide what is built (precision, quantize) are read first, the others afterwards. */
import type { MeshSection, PrecisionSection, QuantizeStatement, SettingStatement, Statement, TrainStatement, WeightsSection } from '../../dsl/ast.js';
import * as messages from '../../dsl/check-messages.js';
import { suggest } from '../../dsl/suggest.js';
import type { DType } from '../ir/dtype.js';
import { evaluateTemplate } from './call.js';
import { largestExtent } from './dims.js';
import { evaluate } from './evaluate.js';
import { attempt, fail, type Elaboration, type Frame, type Precision } from './frame.js';
import type { MeshInfo, TrainInfo } from './model-info.js';
import { describe } from './value.js';

const storedDTypes: readonly string[] = ['f32', 'bf16', 'f16'];

export interface Sections {
  readonly precision?: PrecisionSection;
  readonly quantize: readonly QuantizeStatement[];
  readonly weights?: WeightsSection;
  readonly train?: TrainStatement;
  readonly mesh?: MeshSection;
  readonly context?: SettingStatement;
  readonly stop?: SettingStatement;
}

/** Finds the sections; each may stand once, `quantize` often. */
export function collectSections(run: Elaboration, body: readonly Statement[]): Sections {
  const found = new Map<string, Statement>();
  for (const s of body) {
    const name = s.kind === 'setting' ? s.name : s.kind;
    if (!['precision', 'weights', 'train', 'mesh', 'context', 'stop'].includes(name)) continue;
    const first = found.get(name);
    if (first !== undefined) attempt(run, () => fail(messages.sectionTwice(name, s.span, first.span)));
    else found.set(name, s);
  }
  return { ...Object.fromEntries(found), quantize: body.filter((s) => s.kind === 'quantize') };
}

const precisionEntries = ['weights', 'activations', 'cache', 'accumulate'];

/** f32 where nothing is said: the spec's meaning is real arithmetic plus what it rounds explicitly. */
export function readPrecision(run: Elaboration, section: PrecisionSection | undefined): Precision {
  const out: Record<string, DType> = { weights: 'f32', activations: 'f32', cache: 'f32' };
  for (const { name, value } of section?.entries ?? []) {
    attempt(run, () => {
      if (!precisionEntries.includes(name.name)) fail(messages.unknownEntry('precision', name.name, precisionEntries, suggest(name.name, precisionEntries), name.span));
      const dtype = value.kind === 'name' ? value.name : '';
      if (name.name === 'accumulate') {
        if (dtype !== 'f32') fail(messages.wrongEntry('accumulate', 'f32', value.span));
        return;
      }
      if (!storedDTypes.includes(dtype)) fail(messages.wrongEntry(name.name, `one of ${storedDTypes.join(', ')}`, value.span));
      out[name.name] = dtype as DType;
    });
  }
  return { weights: out.weights, activations: out.activations, cache: out.cache };
}

/** `context 131072`; 4096 where nothing is said. */
export function readContext(frame: Frame, s: SettingStatement | undefined): number {
  if (s === undefined) return 4096;
  const value = evaluate(frame, s.value);
  const size = value.kind === 'axis' ? value.size : value.kind === 'number' ? value.value : undefined;
  if (typeof size !== 'number' || !Number.isInteger(size) || size < 1 || size > largestExtent) fail(messages.wrongSetting('context', 'a number of tokens, at most 2147483647', describe(value), s.value.span));
  return size;
}

export function readStop(frame: Frame, s: SettingStatement | undefined): readonly number[] {
  if (s === undefined) return [];
  const value = evaluate(frame, s.value);
  const ids = value.kind === 'vector' ? value.data : value.kind === 'number' ? [value.value] : value.kind === 'list' && value.items.length === 0 ? [] : undefined;
  if (ids === undefined) fail(messages.wrongSetting('stop', 'a list of token ids', describe(value), s.value.span));
  const wrong = ids.find((i) => !Number.isInteger(i) || i < 0);
  if (wrong !== undefined) fail(messages.wrongSetting('stop', 'a list of token ids', `the number ${wrong} in it`, s.value.span));
  return ids;
}

/** The rule is a layer of the standard library (or the file) that lacks the tensors it will be given. */
export function readTrain(frame: Frame, s: TrainStatement | undefined): TrainInfo | undefined {
  if (s === undefined) return undefined;
  const value = evaluateTemplate(frame, s.value);
  if (value.kind !== 'template') fail(messages.wrongUpdateRule(describe(value), s.value.span));
  const settings = new Map<string, number | boolean>();
  for (const [name, v] of value.bound) if (v.kind === 'number' || v.kind === 'bool') settings.set(name, v.value);
  return { rule: value.layer.name.name, settings, span: s.span };
}

const meshEntries = ['tensor', 'expert', 'pipeline', 'data', 'context'];

export function readMesh(frame: Frame, s: MeshSection | undefined): MeshInfo | undefined {
  if (s === undefined) return undefined;
  const entries = new Map<string, number>();
  for (const { name, value } of s.entries) {
    if (!meshEntries.includes(name.name)) fail(messages.unknownEntry('mesh', name.name, meshEntries, suggest(name.name, meshEntries), name.span));
    const ranks = evaluate(frame, value);
    if (ranks.kind !== 'number' || !Number.isInteger(ranks.value) || ranks.value < 1) fail(messages.wrongEntry(name.name, 'a number of ranks', value.span));
    entries.set(name.name, ranks.value);
  }
  return { entries, spans: new Map(s.entries.map((e) => [e.name.name, e.span])), span: s.span };
}
