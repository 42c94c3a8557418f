import type { WeightRule } from '../../dsl/ast.js';
import type { Program } from '../../dsl/modules.js';

/** The rules of every `weights` section of the program's files, for questions asked before a model is chosen. */
export function weightRules(program: Program): WeightRule[] {
  const models = [...program.files.values()].flatMap((file) => file.items).filter((item) => item.kind === 'model');
  return models.flatMap((m) => m.body).flatMap((s) => (s.kind === 'weights' ? s.rules : []));
}
