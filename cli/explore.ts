import { type Command, InvalidArgumentError, Option } from 'commander';
import { measureNames, parseBudget, type Budget, type Measure } from '../compiler/model/measures.js';
import { example, names, positive, precisionOption, withJson } from './options.js';

export interface ExploreOptions {
  vary: { name: string; values: string[] }[]; budget: Budget[]; device: string; context?: number; batch: number; front: Measure[];
  precision?: 'f32' | 'bf16'; output?: string; json?: boolean;
}

export function defineExplore(program: Command): void {
  const command = program.command('explore')
    .description('variants of a spec side by side: sizes, work, and modelled times on a device')
    .argument('<spec>', 'a .firn file')
    .addOption(new Option('--vary <name=values>', 'what varies, and its values: experts=256,384 (repeat it for every combination)').argParser(collectVariation).default([], 'nothing'))
    .addOption(new Option('--budget <limit>', `what variants must meet: "decode<=20ms" (of ${measureNames.join(', ')})`).argParser(collectBudget).default([], 'none'))
    .option('--device <name>', 'h200, h100, cpu (this machine, measured), or figures: "bandwidth=2e12,flops=4e14"', 'h200')
    .option('--context <n>', 'tokens in each sequence (8192, or the spec\'s context if that is shorter)', positive)
    .option('--batch <n>', 'sequences of a decode step', positive, 1)
    .addOption(new Option('--front <measures>', 'what the Pareto front is about').argParser(front).default(['parameters', 'decode'], 'parameters,decode'))
    .addOption(precisionOption())
    .option('-o, --output <file>', 'write the table as .csv or .json, or a page with plots as .html');
  withJson(command);
  example(command,
    'firn explore examples/kimi-k2.firn --vary experts=256,384,512 --vary active=6,8',
    'firn explore examples/kimi-k2.firn --vary kv_rank=256,512 --vary layers=48,61 --budget "decode<=12ms" --device h100 -o k2.html')
    .addHelpText('after', '\nTimes are modelled, not measured: for each kernel a launch, and the longer of its bytes over the bandwidth and its\noperations over the peak. A name is a dim, const, table, def, repeat or argument of the model: hidden, layers,\nsparse.experts; its end alone will do where only one has it.')
    .action(async (spec: string, options: ExploreOptions) => (await import('./explore-spec.js')).exploreSpec(spec, options));
}

function collectVariation(text: string, before: ExploreOptions['vary']): ExploreOptions['vary'] {
  const [, name, values] = /^([^=]+?)\s*=(?!=)(.+)$/s.exec(text) ?? [];
  if (name === undefined) throw new InvalidArgumentError('Write it as name=value,value: experts=256,384.');
  return [...before, { name: name.trim(), values: splitValues(values) }];
}

/** At commas outside brackets: `gqa(heads: 8, size: 64),mla(..)` are two. */
function splitValues(text: string): string[] {
  const out = [''];
  let depth = 0;
  for (const c of text) {
    if ('([{'.includes(c)) depth++;
    else if (')]}'.includes(c)) depth--;
    if (c === ',' && depth === 0) out.push('');
    else out[out.length - 1] += c;
  }
  return out.map((v) => v.trim());
}

function collectBudget(text: string, before: readonly Budget[]): Budget[] {
  const budget = parseBudget(text);
  if (typeof budget === 'string') throw new InvalidArgumentError(`${budget}.`);
  return [...before, budget];
}

function front(text: string): Measure[] {
  const wanted = names(text);
  const unknown = wanted.find((n) => !measureNames.includes(n as Measure));
  if (wanted.length === 0 || unknown !== undefined) throw new InvalidArgumentError(`${unknown === undefined ? 'Name at least one measure' : `'${unknown}' is not measured`}; what is: ${measureNames.join(', ')}.`);
  return wanted as Measure[];
}
