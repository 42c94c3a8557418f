/** Which of the free cache blocks to hand out next: an index into `free`. The result of a run never depends on it. */
export type BlockPolicy = (free: readonly number[]) => number;

/** The block freed last first: few blocks stay warm. */
const newestFirst: BlockPolicy = (free) => free.length - 1;

/** Ownership of the cache's blocks (`plan.block` entries each). */
export class BlockPool {
  private readonly free: number[];

  constructor(readonly count: number, private readonly policy: BlockPolicy = newestFirst) {
    this.free = Array.from({ length: count }, (_, i) => count - 1 - i);
  }

  get available(): number {
    return this.free.length;
  }

  /** The number of a block that nobody owns, or undefined if there is none. */
  take(): number | undefined {
    if (this.free.length === 0) return undefined;
    const at = this.policy(this.free);
    const block = this.free[at];
    if (block === undefined) throw new Error(`block pool: the policy chose ${at} of ${this.free.length} free blocks`);
    this.free.splice(at, 1);
    return block;
  }

  release(blocks: readonly number[]): void {
    this.free.push(...blocks);
  }
}
