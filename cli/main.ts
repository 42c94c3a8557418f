/** The command line. Commands say here what they take; what they do is loaded when one is called, so that `--help` is quick. */
import { Command, CommanderError } from 'commander';
import { defineBindings } from './bindings.js';
import { defineBuild } from './build.js';
import { defineCheck } from './check.js';
import { defineCompile } from './compile.js';
import { defineDiff } from './diff.js';
import { defineDoctor } from './doctor.js';
import { defineExplain } from './explain.js';
import { defineExplore } from './explore.js';
import { reportFailure } from './failure.js';
import { defineFormat } from './fmt.js';
import { defineImport } from './import.js';
import { defineLogits } from './logits.js';
import { definePlan } from './plan.js';
import { defineQuantize } from './quantize.js';
import { defineRun } from './run.js';
import { defineShrink } from './shrink.js';
import { defineStats } from './stats.js';

const program = new Command('firn')
  .description('Compiles a model written in one text file, and runs it.')
  .version('0.1.0')
  .showHelpAfterError('(firn COMMAND --help shows what it takes)')
  .showSuggestionAfterError();
for (const define of [defineCheck, defineFormat, defineStats, defineImport, defineCompile, defineExplain, defineExplore, defineDiff, defineShrink, definePlan, defineDoctor, defineQuantize, defineLogits, defineRun, defineBuild, defineBindings]) define(program);

for (const command of [program, ...program.commands, ...program.commands.flatMap((c) => c.commands)]) command.exitOverride();

// Handlers of `exit` remove what is half written.
process.on('SIGINT', () => process.exit(130));
process.on('SIGTERM', () => process.exit(143));
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 74));

try {
  await program.parseAsync();
} catch (error) {
  // Commander has printed its message already.
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else process.exitCode = reportFailure(error);
}
