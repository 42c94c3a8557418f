/**
 * How much work one spec may ask of the checker: ten times what the largest published models need, and little enough that
 * every text gets its answer within about a second. Functions that call each other double by double would never end.
 */
import * as messages from '../../dsl/check-messages.js';
import type { Span } from '../../dsl/span.js';
import { Abandoned, fail, type Frame } from './frame.js';

/** In evaluated expressions. */
export const checkerBudget = 500_000;

/** Takes `amount` of what is left; the first time that it is not there is an error, after that nothing more is read. */
export function spend(frame: Frame, amount: number, span: Span): void {
  const { budget } = frame.run;
  budget.left -= amount;
  if (budget.left >= 0) return;
  if (budget.told) throw new Abandoned();
  budget.told = true;
  fail(messages.tooMuchWork(span));
}

/** Elements of a list cost little, but not nothing. */
export function spendElements(frame: Frame, count: number, span: Span): void {
  spend(frame, count / 4, span);
}
