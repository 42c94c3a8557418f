/** Plans and kernels as files: canonical JSON out, strictly checked JSON in. docs/plan-format.md describes the fields. */
import type { DType } from '../ir/dtype.js';
import { jsonDepth } from '../ir/json-depth.js';
import type { Program, Scalar } from '../ir/kernel.js';
import type { Packing } from '../ir/packing.js';
import { planVersion, type Bundle, type Plan, type Region, type Step } from '../ir/plan.js';
import { canonicalJson } from './canonical-json.js';
import { byKind, dictionary, flag, FormatError, integer, lazy, list, number, oneOf, record, size, text, type Reader } from './json-reader.js';
import { planHash } from './plan-hash.js';
import { sha256 } from './sha256.js';

const dtype: Reader<DType> = oneOf('f32', 'bf16', 'f16', 'i32', 'u32', 'bool');
const bufferKind = oneOf('weights', 'constants', 'state', 'input', 'output', 'scratch');
const policy = oneOf('append', 'recurrent', 'last');
const sizedAxes = list(record({ name: text, size }));
const dimMaxima = list(record({ name: text, max: size }));

const packing: Reader<Packing> = byKind({
  dense: record({ kind: oneOf('dense'), order: list(text) }),
  panel: record({ kind: oneOf('panel'), order: list(text), lanes: text, width: size }),
  'int4-mma': record({ kind: oneOf('int4-mma'), order: list(text), lanes: text, width: oneOf(16), group: size }),
  scaled: record({ kind: oneOf('scaled'), code: oneOf('e4m3', 'e2m1'), order: list(text), lanes: text, width: size, group: size }),
  int4: record({ kind: oneOf('int4'), order: list(text), lanes: text, width: size, group: size }),
});

/** Plans hold arithmetic over dims only. */
const scalar: Reader<Scalar> = lazy(() => {
  const binary = <const K extends string>(kind: K) => record({ kind: oneOf(kind), a: scalar, b: scalar });
  return byKind({
    int: record({ kind: oneOf('int'), value: number }), dim: record({ kind: oneOf('dim'), name: text }),
    add: binary('add'), subtract: binary('subtract'), multiply: binary('multiply'), divide: binary('divide'), mod: binary('mod'),
    minimum: binary('minimum'), maximum: binary('maximum'), less: binary('less'),
  });
});

const region: Reader<Region> = record({
  buffer: text, offset: record({ base: size, terms: list(record({ variable: text, stride: integer })) }), bytes: size, tensor: text,
});

const step: Reader<Step> = lazy(() => byKind({
  launch: record({ kind: oneOf('launch'), kernel: text, args: list(region), grid: list(scalar), cost: record({ contraction: scalar, flops: scalar, bytes: scalar }) }),
  repeat: record({
    kind: oneOf('repeat'), variable: text, count: size, reverse: flag, body: list(step),
    carries: list(record({ initial: text, inside: text, next: text, out: text })), stacked: list(record({ inside: text, out: text })),
  }),
  copy: record({ kind: oneOf('copy'), from: region, to: region, bytes: scalar }),
  collective: record({
    kind: oneOf('collective'), op: oneOf('all_reduce', 'all_gather', 'reduce_scatter'), group: text, tag: size, dtype, from: region, to: region, count: scalar,
  }),
}));

const port = record({ name: text, region, dtype, shape: list(scalar) }, { stretches: list(record({ count: size, stride: size })) });

const initOrNumber: Reader<string | number> = (v, path) => (typeof v === 'string' ? v : number(v, path));
const init: Reader<Plan['weights'][number]['init']> = (v, path) => {
  const fields = dictionary(initOrNumber)(v, path);
  return { ...fields, kind: text(fields.kind, `${path}.kind`) };
};

const plan: Reader<Plan> = record({
  version: oneOf(planVersion), model: text, target: text, hash: text, dims: dimMaxima, block: size, ranks: size,
  groups: list(record({ name: text, teams: list(list(size)) })),
  buffers: list(record({ id: text, kind: bufferKind, bytes: size }, { pieces: list(size) })),
  weights: list(record({ path: text, buffer: text, offset: size, bytes: size, dtype, axes: sizedAxes, packing, init }, { shard: list(record({ axis: text, group: text })) })),
  states: list(record({ path: text, policy, buffer: text, offset: size, bytes: size, dtype, axes: sizedAxes, initial: number })),
  constants: list(record({ buffer: text, offset: size, dtype, data: text }, { rank: size })),
  kernels: list(record({
    name: text, program: text, views: list(record({ name: text, dtype, access: oneOf('read', 'write', 'readwrite') })),
    origin: list(record({ what: text, where: text })),
  })),
  entries: list(record({ name: text, dims: dimMaxima, inputs: list(port), outputs: list(port), steps: list(step) })),
  peakBytes: size,
});

/** `plan.json` and `kernels.json`: the same bundle gives the same bytes. */
export function writeBundle(bundle: Bundle): { readonly plan: string; readonly kernels: string } {
  return { plan: `${canonicalJson(bundle.plan)}\n`, kernels: `${canonicalJson(bundle.programs)}\n` };
}

/** Throws FormatError with the path of the first thing that is not as the format says, digests included. */
export function readBundle(planText: string, kernelsText: string): Bundle {
  const read = readPlan(planText);
  const programs = list(dictionary((v) => v))(parse(kernelsText, 'kernels'), 'kernels') as unknown as Program[];
  if (programs.length !== read.kernels.length) throw new FormatError('kernels', `has ${programs.length} programs, the plan has ${read.kernels.length} kernels`);
  programs.forEach((program, i) => {
    if (sha256(canonicalJson(program)) !== read.kernels[i].program) throw new FormatError(`kernels[${i}]`, `is not the program that the plan was made with for '${read.kernels[i].name}'`);
  });
  return { plan: read, programs };
}

export function readPlan(planText: string): Plan {
  const value = parse(planText, 'plan');
  const { version } = record({ version: integer }, {})({ version: (value as { version?: unknown } | null)?.version }, 'plan');
  if (version !== planVersion) throw new FormatError('plan.version', `this firn reads version ${planVersion}, the plan has ${version}; compile it again`);
  const read = plan(value, 'plan');
  if (planHash(read) !== read.hash) throw new FormatError('plan.hash', 'does not match the content: the file was changed or cut short');
  return read;
}

/** Far more levels than expressions of a kernel have, far fewer than the stack. */
const deepest = 1000;

function parse(source: string, name: string): unknown {
  try {
    const value: unknown = JSON.parse(source);
    if (jsonDepth(source) <= deepest) return value;
  } catch (error) {
    throw new FormatError(name, `is not JSON: ${(error as Error).message}`);
  }
  throw new FormatError(name, `has lists and objects nested more than ${deepest} levels deep`);
}
