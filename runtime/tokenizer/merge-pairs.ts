/** Byte-pair encoding by rank: of all neighbours whose joint bytes have a rank, the lowest (leftmost among equals) merges first. */

/** Ids of bytes, one character (0 to 255) per byte; every single byte must have a rank. */
export type Ranks = ReadonlyMap<string, number>;

/** Appends the ids of `bytes` to `out`. */
export function mergePairs(bytes: string, ranks: Ranks, out: number[]): void {
  const whole = ranks.get(bytes);
  if (whole !== undefined) return void out.push(whole);
  const n = bytes.length;
  // Parts as a linked list by their first byte; `end[i]` is where the part at i ends, 0 once it has been merged away.
  const end = Int32Array.from({ length: n }, (_, i) => i + 1);
  const previous = Int32Array.from({ length: n }, (_, i) => i - 1);
  const heap = new PairHeap();
  const offer = (i: number): void => {
    if (i < 0 || end[i] >= n) return;
    const rank = ranks.get(bytes.slice(i, end[end[i]]));
    if (rank !== undefined) heap.push(rank, i, end[end[i]]);
  };
  for (let i = 0; i < n - 1; i++) offer(i);
  for (let pair = heap.pop(); pair !== undefined; pair = heap.pop()) {
    const [, at, to] = pair;
    // Outdated unless both parts are still as they were when the pair was offered.
    if (end[at] === 0 || end[at] >= n || end[end[at]] !== to) continue;
    const right = end[at];
    end[at] = to;
    end[right] = 0;
    if (to < n) previous[to] = at;
    offer(at);
    offer(previous[at]);
  }
  for (let i = 0; i < n; i = end[i]) out.push(ranks.get(bytes.slice(i, end[i]))!);
}

type Pair = readonly [rank: number, at: number, to: number];

class PairHeap {
  private readonly items: Pair[] = [];

  push(...pair: Pair): void {
    let i = this.items.push(pair) - 1;
    for (let up = (i - 1) >> 1; i > 0 && before(pair, this.items[up]); up = (i - 1) >> 1) {
      this.items[i] = this.items[up];
      i = up;
    }
    this.items[i] = pair;
  }

  pop(): Pair | undefined {
    const top = this.items[0];
    const last = this.items.pop();
    if (last === undefined || this.items.length === 0) return top;
    let i = 0;
    for (;;) {
      let down = 2 * i + 1;
      if (down + 1 < this.items.length && before(this.items[down + 1], this.items[down])) down++;
      if (down >= this.items.length || !before(this.items[down], last)) break;
      this.items[i] = this.items[down];
      i = down;
    }
    this.items[i] = last;
    return top;
  }
}

function before(a: Pair, b: Pair): boolean {
  return a[0] < b[0] || (a[0] === b[0] && a[1] < b[1]);
}
