import type { Plan } from '../ir/plan.js';
import { canonicalJson } from './canonical-json.js';
import { sha256 } from './sha256.js';

/** What `plan.hash` must be: the digest of everything else in the plan. */
export function planHash(plan: Plan): string {
  return sha256(canonicalJson({ ...plan, hash: '' }));
}
