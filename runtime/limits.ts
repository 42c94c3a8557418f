/** What a plan can take, and whether a prompt is within it: known before a weight is loaded. */
import type { Plan } from '../compiler/ir/plan.js';
import { InputError } from './input-error.js';

/** Number of token ids. */
export function vocabularyOf(plan: Plan): number {
  const shape = plan.entries[0].outputs.find((p) => p.name === 'logits')?.shape.at(-1);
  if (shape?.kind !== 'int') throw new Error('limits: the plan has no logits over a known vocabulary');
  return shape.value;
}

/** Most tokens that one sequence can hold. */
export function contextOf(plan: Plan): number {
  const most = (name: string): number => plan.dims.find((d) => d.name === name)?.max ?? Infinity;
  return Math.min(Math.floor(most('slots') / plan.block) * plan.block, most('blocks') * plan.block, most('context'));
}

/** Throws InputError R01, R02 or R06. */
export function checkPrompt(plan: Plan, prompt: readonly number[]): void {
  if (prompt.length === 0) throw new InputError('R06', 'the prompt has no token', 'give a prompt of at least one token');
  checkIds(plan, prompt);
  checkLength(plan, prompt.length);
}

export function checkIds(plan: Plan, ids: readonly number[]): void {
  const vocabulary = vocabularyOf(plan);
  const bad = ids.find((id) => !Number.isInteger(id) || id < 0 || id >= vocabulary);
  if (bad !== undefined) throw new InputError('R01', `token id ${bad} is outside the vocabulary of ${vocabulary}`, 'use the tokenizer that belongs to this model');
}

/** `length`: tokens of one sequence. */
export function checkLength(plan: Plan, length: number): void {
  const most = contextOf(plan);
  if (length > most) throw new InputError('R02', `a sequence of ${length} tokens is longer than the context of ${most}`, 'give fewer tokens, or compile for a larger context (--context N, up to what the spec states)');
}
