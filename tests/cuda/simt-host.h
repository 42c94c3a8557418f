// Runs generated CUDA kernels on the host: every thread is a fiber, what PTX does is written out from its manual. Copies
// land when they are waited for. Only for tests.
#pragma once
#include <ucontext.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <vector>

#define __global__
#define __device__
#define __forceinline__ inline
#define __shared__
#define __grid_constant__
#define __launch_bounds__(...)
using std::max;
using std::min;

struct alignas(64) TensorMap { unsigned long long words[16]; };
struct Index { unsigned x; };
struct Copy { unsigned to; unsigned char data[16]; };
struct Thread {
  ucontext_t context;
  std::vector<char> stack;
  Index id;
  bool done = false;
  std::vector<std::vector<Copy>> groups;
  std::vector<Copy> open;
};

alignas(1024) unsigned char dynamic_shared[256 * 1024];
static Thread* current;
static ucontext_t scheduler;
static Index blockIdx, gridDim;
static std::vector<Thread> threads;
#define threadIdx (current->id)

static void yield() { swapcontext(&current->context, &scheduler); }
static unsigned __cvta_generic_to_shared(const void* p) { return (unsigned)((const unsigned char*)p - dynamic_shared); }
static unsigned word_at(unsigned at) { unsigned w; std::memcpy(&w, dynamic_shared + at, 4); return w; }
static unsigned half_at(unsigned at) { unsigned short h; std::memcpy(&h, dynamic_shared + at, 2); return h; }

struct Meeting { unsigned arrived = 0, generation = 0; };
static std::map<int, Meeting> meetings;
static void meet(int key, unsigned count) {
  Meeting& m = meetings[key];
  const unsigned generation = m.generation;
  if (++m.arrived == count) { m.arrived = 0; ++m.generation; }
  while (m.generation == generation) yield();
}
static int warp_key() { return (int)(threadIdx.x >> 5); }
static void __syncwarp() { meet(warp_key(), 32); }
static void __syncthreads() { meet(-1, (unsigned)threads.size()); }

// What the lanes of a warp show each other, [warp][lane].
struct Shown { unsigned a[4], b[2], address; float value; };
static Shown shown[32][32];
static Shown& mine() { return shown[threadIdx.x >> 5][threadIdx.x & 31]; }
static Shown& lane_of_warp(int lane) { return shown[threadIdx.x >> 5][lane]; }

static float __uint_as_float(unsigned u) { float f; std::memcpy(&f, &u, 4); return f; }
static float __int_as_float(int i) { return __uint_as_float((unsigned)i); }
#define __expf(x) expf(x)
static float __fdividef(float a, float b) { return a / b; }
static float rsqrtf(float x) { return 1.0f / sqrtf(x); }
static float bf(unsigned half) { return __uint_as_float(half << 16); }
static unsigned round_half(double x) {
  float f = (float)x;
  unsigned u;
  std::memcpy(&u, &f, 4);
  if ((u & 0x7fffffffu) > 0x7f800000u) return (u >> 16) | 0x40;
  return ((u + 0x7fffu + ((u >> 16) & 1)) >> 16) & 0xffffu;
}
static unsigned pack_bf16(float low, float high) { return round_half(low) | round_half(high) << 16; }
static unsigned fma_bf16(unsigned a, unsigned b, unsigned c) {
  unsigned out = 0;
  for (int h = 0; h < 32; h += 16) out |= round_half((double)bf(a >> h & 0xffff) * bf(b >> h & 0xffff) + bf(c >> h & 0xffff)) << h;
  return out;
}
template <int N> static void load_words(unsigned (&out)[N], unsigned at) { for (int i = 0; i < N; ++i) out[i] = word_at(at + 4 * i); }
static unsigned load_scale(unsigned at) { return half_at(at) * 0x10001u; }
static float __shfl_xor_sync(unsigned, float value, int mask) {
  mine().value = value;
  __syncwarp();
  const float out = lane_of_warp((threadIdx.x & 31) ^ mask).value;
  __syncwarp();
  return out;
}

static void copy_16(unsigned to, const void* from, bool valid) {
  Copy c{to, {0}};
  if (valid && (uintptr_t)from % 16 != 0) { std::fprintf(stderr, "cp.async from an address that is not a multiple of 16\n"); std::exit(2); }
  if (valid) std::memcpy(c.data, from, 16);
  current->open.push_back(c);
}
static void commit_copies() { current->groups.push_back(current->open); current->open.clear(); }
template <int N> static void wait_copies() {
  auto& groups = current->groups;
  while (groups.size() > (size_t)N) {
    for (const Copy& c : groups.front()) std::memcpy(dynamic_shared + c.to, c.data, 16);
    groups.erase(groups.begin());
  }
}

static void load_matrices(unsigned* out, unsigned at, int count, bool transposed) {
  mine().address = at;
  __syncwarp();
  const int lane = threadIdx.x & 31, g = lane >> 2, t = lane & 3;
  for (int j = 0; j < count; ++j) {
    auto row = [&](int r) { return lane_of_warp(j * 8 + r).address; };
    out[j] = transposed ? half_at(row(2 * t) + 2 * g) | half_at(row(2 * t + 1) + 2 * g) << 16 : word_at(row(g) + 4 * t);
  }
  __syncwarp();
}
static void load_matrix_4(unsigned* out, unsigned at) { load_matrices(out, at, 4, false); }
static void load_matrix_2(unsigned* out, unsigned at) { load_matrices(out, at, 2, false); }
static void load_matrix_4_trans(unsigned* out, unsigned at) { load_matrices(out, at, 4, true); }
static void load_matrix_2_trans(unsigned* out, unsigned at) { load_matrices(out, at, 2, true); }

// Element (row, k) of the 16 x 16 left operand that the warp's lanes show.
static float left_element(int row, int k) {
  const unsigned w = lane_of_warp((row & 7) * 4 + ((k & 7) >> 1)).a[(row >> 3) + (k >> 3) * 2];
  return bf(w >> (k & 1) * 16 & 0xffff);
}
static void mma(float* d, const unsigned* a, const unsigned* b) {
  std::memcpy(mine().a, a, 16);
  std::memcpy(mine().b, b, 8);
  __syncwarp();
  const int lane = threadIdx.x & 31, g = lane >> 2, t = lane & 3;
  for (int e = 0; e < 4; ++e) {
    const int row = g + 8 * (e >> 1), n = 2 * t + (e & 1);
    double sum = d[e];
    for (int k = 0; k < 16; ++k) sum += (double)left_element(row, k) * bf(lane_of_warp(n * 4 + ((k & 7) >> 1)).b[k >> 3] >> (k & 1) * 16 & 0xffff);
    d[e] = (float)sum;
  }
  __syncwarp();
}

// Barriers in shared memory by address.
struct Barrier { int expected = 0, arrived = 0, bytes = 0; unsigned phase = 0; };
static std::map<unsigned, Barrier> barriers;
static void settle(Barrier& b) { if (b.arrived == b.expected && b.bytes == 0) { b.arrived = 0; ++b.phase; } }
static void init_barrier(unsigned at, int arrivals) { barriers[at] = Barrier(); barriers[at].expected = arrivals; }
static void fence_barriers() {}
static void expect(unsigned at, int bytes) { Barrier& b = barriers[at]; b.bytes += bytes; ++b.arrived; settle(b); }
static void arrive(unsigned at) { Barrier& b = barriers[at]; ++b.arrived; settle(b); }
static void wait_barrier(unsigned at, unsigned parity) { while ((barriers[at].phase & 1) == parity) yield(); }
static void proxy_fence() {}
static void wgmma_fence() {}
static void wgmma_commit() {}
template <int N> static void wgmma_wait() {}
template <int N> static void raise_registers() {}
template <int N> static void lower_registers() {}

// A tensor map as the host describes it, fastest dimension first.
struct Tensor { const unsigned char* base; int bytes, rank; long long extents[5], strides[5]; int box[5], swizzle; };
static TensorMap tensor_map(const Tensor* t) { TensorMap m{}; m.words[0] = (unsigned long long)(uintptr_t)t; return m; }
static unsigned swizzle_address(unsigned at, int pattern) {
  const unsigned mask = pattern == 128 ? 0x380 : pattern == 64 ? 0x180 : pattern == 32 ? 0x080 : 0;
  return at ^ ((at & mask) >> 3);
}
static void bulk(unsigned to, const TensorMap* map, unsigned barrier, std::vector<int> at) {
  const Tensor& t = *(const Tensor*)(uintptr_t)map->words[0];
  long long count = 1;
  for (int d = 0; d < t.rank; ++d) count *= t.box[d];
  for (long long i = 0; i < count; ++i) {
    long long rest = i, offset = 0;
    bool inside = true;
    for (int d = 0; d < t.rank; ++d) {
      const long long p = at[d] + rest % t.box[d];
      rest /= t.box[d];
      inside = inside && p >= 0 && p < t.extents[d];
      offset += p * t.strides[d];
    }
    unsigned char* target = dynamic_shared + swizzle_address(to + (unsigned)(i * t.bytes), t.swizzle);
    if (inside) std::memcpy(target, t.base + offset, t.bytes); else std::memset(target, 0, t.bytes);
  }
  barriers[barrier].bytes -= (int)(count * t.bytes);
  settle(barriers[barrier]);
}
static void bulk_2(unsigned to, const TensorMap* m, unsigned b, int c0, int c1) { bulk(to, m, b, {c0, c1}); }
static void bulk_3(unsigned to, const TensorMap* m, unsigned b, int c0, int c1, int c2) { bulk(to, m, b, {c0, c1, c2}); }

// Element (row, k) of an operand that a descriptor points to: rows of the pattern's width in groups of eight.
static float described(unsigned long long d, int row, int k) {
  const int mode = (int)(d >> 62), pattern = mode == 1 ? 128 : mode == 2 ? 64 : 32;
  const unsigned start = (unsigned)(d & 0x3fff) << 4, group = (unsigned)(d >> 32 & 0x3fff) << 4;
  return bf(half_at(swizzle_address(start + (row >> 3) * group + (row & 7) * pattern + k * 2, pattern)));
}
static void wgmma_result(float* d, int n, const std::function<float(int, int)>& left, unsigned long long b) {
  const int lane = threadIdx.x & 31;
  for (int i = 0; i < n / 2; ++i) {
    const int row = (lane >> 2) + 8 * (i >> 1 & 1), column = 8 * (i >> 2) + 2 * (lane & 3) + (i & 1);
    double sum = d[i];
    for (int k = 0; k < 16; ++k) sum += (double)left(row, k) * described(b, column, k);
    d[i] = (float)sum;
  }
}
template <int N> static void wgmma_ss(float* d, unsigned long long a, unsigned long long b) {
  const int first = (threadIdx.x >> 5 & 3) * 16;
  wgmma_result(d, N, [&](int row, int k) { return described(a, first + row, k); }, b);
}
template <int N> static void wgmma_rs(float* d, const unsigned* a, unsigned long long b) {
  std::memcpy(mine().a, a, 16);
  __syncwarp();
  wgmma_result(d, N, left_element, b);
  __syncwarp();
}

static std::function<void()> body;
static void enter() { body(); current->done = true; swapcontext(&current->context, &scheduler); }

/** Every block in turn; threads in an order that changes from round to round. */
static void launch(unsigned blocks, unsigned count, const std::function<void()>& kernel) {
  body = kernel;
  gridDim.x = blocks;
  for (blockIdx.x = 0; blockIdx.x < blocks; ++blockIdx.x) {
    std::memset(dynamic_shared, 0xff, sizeof dynamic_shared);
    barriers.clear();
    meetings.clear();
    threads = std::vector<Thread>(count);
    for (unsigned i = 0; i < count; ++i) {
      Thread& t = threads[i];
      t.stack.resize(128 * 1024);
      t.id.x = i;
      getcontext(&t.context);
      t.context.uc_stack.ss_sp = t.stack.data();
      t.context.uc_stack.ss_size = t.stack.size();
      makecontext(&t.context, enter, 0);
    }
    unsigned alive = count, rounds = 0;
    for (; alive > 0; ++rounds) {
      if (rounds > 2000000) { std::fprintf(stderr, "threads wait for ever\n"); std::exit(3); }
      for (unsigned i = 0; i < count; ++i) {
        Thread& t = threads[(i * 97 + rounds * 31) % count];
        if (t.done) continue;
        current = &t;
        swapcontext(&scheduler, &t.context);
        if (t.done) --alive;
      }
    }
  }
}

static std::vector<unsigned char> read_file(const std::string& path) {
  std::FILE* f = std::fopen(path.c_str(), "rb");
  if (!f) { std::fprintf(stderr, "cannot read %s\n", path.c_str()); std::exit(1); }
  std::fseek(f, 0, SEEK_END);
  std::vector<unsigned char> out((size_t)std::ftell(f));
  std::rewind(f);
  if (std::fread(out.data(), 1, out.size(), f) != out.size()) std::exit(1);
  std::fclose(f);
  return out;
}
static void write_file(const std::string& path, const std::vector<unsigned char>& bytes) {
  std::FILE* f = std::fopen(path.c_str(), "wb");
  if (!f || std::fwrite(bytes.data(), 1, bytes.size(), f) != bytes.size()) std::exit(1);
  std::fclose(f);
}
