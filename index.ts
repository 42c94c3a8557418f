/** The typed API: compile a spec, load it on a device with weights, generate. The command line uses nothing else. */
import type { DType } from './compiler/ir/dtype.js';
import type { Checkpoint } from './runtime/checkpoint.js';
import { valueDType } from './runtime/weight-names.js';

export { checkSpec, compile, type Checked, type Compiled, type CompileRequest } from './compiler/compile.js';
export { importHf } from './compiler/import/hf.js';
export { FirnError, renderDiagnostic } from './dsl/diagnostics.js';
export type { Checkpoint } from './runtime/checkpoint.js';
export { openCheckpoint } from './runtime/disk.js';
export { generate } from './runtime/generate.js';
export { generateBatch } from './runtime/generate-batch.js';
export { load, type LoadedModel, type LoadOptions } from './runtime/load-model.js';
export { Session } from './runtime/session.js';
export { loadTokenizer, stopTokens } from './runtime/tokenizer/load.js';
export type { TokenDecoder, Tokenizer } from './runtime/tokenizer/tokenizer.js';

/** For `compile`: the dtype in which a checkpoint stores a tensor. */
export function storedIn(checkpoint: Checkpoint): (name: string) => DType | undefined {
  return (name) => {
    const tensor = checkpoint.tensors.get(name);
    return tensor === undefined ? undefined : valueDType(tensor.dtype);
  };
}
