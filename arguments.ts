/**
 * What a caller without a type checker can get wrong, told where the call is: a TypeError that names the argument, what it
 * must be and what it was, instead of one from deep inside. Wrong input (a spec, a checkpoint, ids) has errors of its own.
 */
interface Rule { readonly wanted: string; readonly fits: (value: unknown) => boolean; readonly optional?: boolean }
type Rules = Readonly<Record<string, Rule>>;

const isObject = (v: unknown): v is Record<string, unknown> => typeof v === 'object' && v !== null;
const has = (v: unknown, type: string, ...names: readonly string[]): boolean => isObject(v) && names.every((n) => typeof v[n] === type);
const isList = (v: unknown): boolean => Array.isArray(v) || (ArrayBuffer.isView(v) && !(v instanceof DataView));
const whole = (least: number, most = Number.MAX_SAFE_INTEGER): Rule => ({ wanted: `a whole number of ${least} or more`, fits: (v) => Number.isInteger(v) && (v as number) >= least && (v as number) <= most });
const oneOf = (...values: readonly string[]): Rule => ({ wanted: `one of ${values.map((v) => `'${v}'`).join(', ')}`, fits: (v) => values.includes(v as string) });
const func: Rule = { wanted: 'a function', fits: (v) => typeof v === 'function' };
const string: Rule = { wanted: 'a string', fits: (v) => typeof v === 'string' };
const optional = (rule: Rule): Rule => ({ ...rule, optional: true });

export const rules = {
  source: { wanted: 'a file as { path, text }, such as readSpec gives', fits: (v) => has(v, 'string', 'path', 'text') },
  loader: { wanted: 'a module loader, such as nodeLoader', fits: (v) => has(v, 'function', 'standard', 'read') },
  path: string,
  device: oneOf('cpu', 'wgsl', 'reference', 'null'),
  bundle: { wanted: 'the bundle that compile gives', fits: (v) => isObject(v) && has(v, 'object', 'plan', 'programs') },
  openDevice: { wanted: 'a device that openDevice gives', fits: (v) => has(v, 'function', 'load') },
  weights: {
    wanted: '{ seed } or { checkpoint, sources }',
    fits: (v) => isObject(v) && (whole(0).fits(v.seed) || (has(v.checkpoint, 'function', 'read') && isObject(v.sources))),
  },
  session: { wanted: 'the session of a loaded model', fits: (v) => has(v, 'function', 'run', 'open') },
  prompt: { wanted: 'an array of token ids', fits: isList },
  prompts: { wanted: 'an array of arrays of token ids', fits: (v) => Array.isArray(v) && v.every(isList) },
  object: { wanted: 'an object', fits: isObject },
} as const satisfies Rules;

export const compileRules: Rules = {
  entry: rules.source, load: rules.loader, target: oneOf('reference', 'null', 'cpu', 'wgsl', 'cuda:sm_80', 'cuda:sm_90a'), model: optional(string),
  context: optional(whole(1)), longest: optional(whole(1)), maxTokens: optional(whole(1)), sequences: optional(whole(1)), outputs: optional(whole(1)),
  precision: optional(oneOf('f32', 'bf16')), stored: optional(func), onPhase: optional(func),
};

export const generateRules: Rules = {
  maxTokens: whole(0), temperature: optional({ wanted: 'a number of 0 or more', fits: (v) => Number.isFinite(v) && (v as number) >= 0 }),
  seed: optional({ ...whole(0, 2 ** 32 - 1), wanted: 'a whole number from 0 to 4294967295' }), topK: optional(whole(0)),
  topP: optional({ wanted: 'a number above 0 and at most 1', fits: (v) => typeof v === 'number' && v > 0 && v <= 1 }),
  chunk: optional(whole(1)), stop: optional(rules.prompt), onPrompt: optional(func), onToken: optional(func),
  signal: optional({ wanted: 'an AbortSignal', fits: (v) => has(v, 'boolean', 'aborted') }),
};

/** @throws TypeError `generate: options.maxTokens must be a whole number of 0 or more, it is '5'`. */
export function requireArgument(where: string, name: string, value: unknown, rule: Rule): void {
  if (!rule.fits(value)) throw new TypeError(`${where}: ${name} must be ${rule.wanted}, it is ${shown(value)}`);
}

/** The same for every field of an object of options. */
export function requireOptions(where: string, name: string, value: unknown, fields: Rules): void {
  requireArgument(where, name, value, rules.object);
  for (const [field, rule] of Object.entries(fields)) {
    const given = (value as Record<string, unknown>)[field];
    if (!(rule.optional && given === undefined)) requireArgument(where, `${name}.${field}`, given, rule);
  }
}

function shown(value: unknown): string {
  if (typeof value === 'string') return `'${value.length > 40 ? `${value.slice(0, 40)}..` : value}'`;
  if (typeof value === 'function') return 'a function';
  if (Array.isArray(value)) return 'an array';
  return isObject(value) ? 'an object without that' : String(value);
}
