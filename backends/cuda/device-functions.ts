/** Device functions that generated kernels call: one PTX instruction each, or the few that stand for one scalar function. */

/** Name -> text, with the functions it calls. Only what a kernel uses is printed. */
const library: Readonly<Record<string, { readonly calls?: readonly string[]; readonly text: string }>> = {
  floor_divide: { text: 'int floor_divide(int a, int b) { int q = a / b; return q - ((a % b != 0) && ((a < 0) != (b < 0))); }' },
  floor_mod: { calls: ['floor_divide'], text: 'int floor_mod(int a, int b) { return a - floor_divide(a, b) * b; }' },
  sign: { text: 'float sign(float x) { return x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : x; }' },
  order: { text: 'int order(float x) { return __float_as_int(x) < 0 ? -(__float_as_int(x) & 0x7fffffff) : __float_as_int(x); }' },
  logistic: { text: 'float logistic(float x) { return __fdividef(1.0f, 1.0f + __expf(-x)); }' },
  softplus: { text: 'float softplus(float x) { return fmaxf(x, 0.0f) + log1pf(expf(-fabsf(x))); }' },
  pack_bf16: { text: `unsigned pack_bf16(float low, float high) {
  unsigned out;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(out) : "f"(high), "f"(low));
  return out;
}` },
  to_bf16: { calls: ['pack_bf16'], text: 'unsigned short to_bf16(float x) { return (unsigned short)pack_bf16(x, 0.0f); }' },
  from_bf16: { text: 'float from_bf16(unsigned short x) { return __uint_as_float((unsigned)x << 16); }' },
  round_bf16: { calls: ['to_bf16', 'from_bf16'], text: 'float round_bf16(float x) { return from_bf16(to_bf16(x)); }' },
  fma_bf16: { text: `unsigned fma_bf16(unsigned a, unsigned b, unsigned c) {
  unsigned out;
  asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(out) : "r"(a), "r"(b), "r"(c));
  return out;
}` },
  // Codes as the low bits of bf16 128 .. 143; minus 136 is exact, times the scale rounds once.
  unpack_codes: { calls: ['fma_bf16'], text: `unsigned unpack_codes(unsigned word, int pair, unsigned scale) {
  unsigned code = ((word >> (4 * pair)) & 0x000f000fu) | 0x43004300u;
  return fma_bf16(fma_bf16(code, 0x3f803f80u, 0xc308c308u), scale, 0x80008000u);
}` },
  load_words_4: { text: `void load_words(unsigned (&out)[4], unsigned at) {
  asm volatile("ld.shared.v4.u32 {%0, %1, %2, %3}, [%4];" : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3]) : "r"(at) : "memory");
}` },
  load_words_2: { text: `void load_words(unsigned (&out)[2], unsigned at) {
  asm volatile("ld.shared.v2.u32 {%0, %1}, [%2];" : "=r"(out[0]), "=r"(out[1]) : "r"(at) : "memory");
}` },
  load_scale: { text: `unsigned load_scale(unsigned at) {
  unsigned short half;
  asm volatile("ld.shared.u16 %0, [%1];" : "=h"(half) : "r"(at) : "memory");
  return half * 0x10001u;
}` },
  copy_16: { text: `void copy_16(unsigned to, const void* from, bool valid) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" :: "r"(to), "l"(from), "r"(valid ? 16 : 0) : "memory");
}` },
  commit_copies: { text: 'void commit_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }' },
  wait_copies: { text: 'template <int N> __device__ __forceinline__ void wait_copies() { asm volatile("cp.async.wait_group %0;" :: "n"(N) : "memory"); }' },
  load_matrix_4: { text: `void load_matrix_4(unsigned* out, unsigned at) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];" : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3]) : "r"(at) : "memory");
}` },
  load_matrix_2: { text: `void load_matrix_2(unsigned* out, unsigned at) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];" : "=r"(out[0]), "=r"(out[1]) : "r"(at) : "memory");
}` },
  load_matrix_4_trans: { text: `void load_matrix_4_trans(unsigned* out, unsigned at) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];" : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3]) : "r"(at) : "memory");
}` },
  load_matrix_2_trans: { text: `void load_matrix_2_trans(unsigned* out, unsigned at) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0, %1}, [%2];" : "=r"(out[0]), "=r"(out[1]) : "r"(at) : "memory");
}` },
  mma: { text: `void mma(float* d, const unsigned* a, const unsigned* b) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}` },
  init_barrier: { text: 'void init_barrier(unsigned at, int arrivals) { asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" :: "r"(at), "r"(arrivals) : "memory"); }' },
  fence_barriers: { text: 'void fence_barriers() { asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory"); }' },
  expect: { text: 'void expect(unsigned at, int bytes) { asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" :: "r"(at), "r"(bytes) : "memory"); }' },
  arrive: { text: 'void arrive(unsigned at) { asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" :: "r"(at) : "memory"); }' },
  wait_barrier: { text: `void wait_barrier(unsigned at, unsigned parity) {
  unsigned done;
  do {
    asm volatile("{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2; selp.u32 %0, 1, 0, p; }" : "=r"(done) : "r"(at), "r"(parity) : "memory");
  } while (!done);
}` },
  proxy_fence: { text: 'void proxy_fence() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }' },
  wgmma_fence: { text: 'void wgmma_fence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }' },
  wgmma_commit: { text: 'void wgmma_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }' },
  wgmma_wait: { text: 'template <int N> __device__ __forceinline__ void wgmma_wait() { asm volatile("wgmma.wait_group.sync.aligned %0;" :: "n"(N) : "memory"); }' },
  raise_registers: { text: 'template <int N> __device__ __forceinline__ void raise_registers() { asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" :: "n"(N)); }' },
  lower_registers: { text: 'template <int N> __device__ __forceinline__ void lower_registers() { asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" :: "n"(N)); }' },
  // K-major operand: rows of `pattern` bytes in groups of eight.
  describe_operand: { text: `unsigned long long describe_operand(unsigned at, int pattern) {
  unsigned long long mode = pattern == 128 ? 1 : pattern == 64 ? 2 : 3;
  return (unsigned long long)((at & 0x3ffff) >> 4) | (1ull << 16) | ((unsigned long long)(8 * pattern >> 4) << 32) | (mode << 62);
}` },
};

/** cp.async.bulk.tensor of `rank` dimensions. */
function bulkText(rank: number): string {
  const at = Array.from({ length: rank }, (_, i) => `int c${i}`).join(', ');
  const slots = Array.from({ length: rank }, (_, i) => `%${i + 3}`).join(', ');
  const inputs = Array.from({ length: rank }, (_, i) => `"r"(c${i})`).join(', ');
  return `void bulk_${rank}(unsigned to, const TensorMap* map, unsigned barrier, ${at}) {
  asm volatile("cp.async.bulk.tensor.${rank}d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {${slots}}], [%2];"
      :: "r"(to), "l"(map), "r"(barrier), ${inputs} : "memory");
}`;
}

/** wgmma m64nNk16 with the left operand from registers (`rs`) or shared memory (`ss`). */
function wgmmaText(n: number, form: 'rs' | 'ss'): string {
  const count = n / 2;
  const registers = Array.from({ length: count }, (_, i) => `%${i}`).join(', ');
  const left = form === 'rs' ? `{%${count}, %${count + 1}, %${count + 2}, %${count + 3}}, %${count + 4}` : `%${count}, %${count + 1}`;
  const inputs = form === 'rs' ? '"r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b)' : '"l"(a), "l"(b)';
  const options = form === 'rs' ? '1, 1, 1, 0' : '1, 1, 1, 0, 0';
  return `void wgmma_${n}_${form}(float* d, ${form === 'rs' ? 'const unsigned* a' : 'unsigned long long a'}, unsigned long long b) {
  asm volatile("wgmma.mma_async.sync.aligned.m64n${n}k16.f32.bf16.bf16 {${registers}}, ${left}, ${options};"
      : ${Array.from({ length: count }, (_, i) => `"+f"(d[${i}])`).join(', ')} : ${inputs});
}`;
}

function textOf(name: string): { readonly calls?: readonly string[]; readonly text: string } {
  const bulk = /^bulk_(\d)$/.exec(name);
  if (bulk) return { text: bulkText(Number(bulk[1])) };
  const wgmma = /^wgmma_(\d+)_(rs|ss)$/.exec(name);
  if (wgmma) return { text: wgmmaText(Number(wgmma[1]), wgmma[2] as 'rs' | 'ss') };
  const swizzle = /^swizzle_(32|64|128)$/.exec(name);
  if (swizzle) return { text: `int ${name}(int at) { return at ^ ((at & ${swizzle[1] === '128' ? '0x380' : swizzle[1] === '64' ? '0x180' : '0x080'}) >> 3); }` };
  const found = library[name];
  if (!found) throw new Error(`CUDA emitter: no device function '${name}'`);
  return found;
}

/** The functions `names` and what they call, callees first. */
export function printFunctions(names: Iterable<string>): string {
  const done = new Set<string>();
  const out: string[] = [];
  const visit = (name: string): void => {
    if (done.has(name)) return;
    done.add(name);
    const { calls, text } = textOf(name);
    calls?.forEach(visit);
    out.push(text.startsWith('template') ? text : `__device__ __forceinline__ ${text}`);
  };
  for (const name of names) visit(name);
  return out.join('\n');
}
