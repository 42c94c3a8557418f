// What generated kernels are written in terms of: conversions, scalar functions that vectorise (no branches, no calls)
// and vectors of FIRN_LANES floats. Included by generated code only, compiled once per instruction set level.
#pragma once
#include <cstdint>
#include <cstring>

#define FIRN_INLINE static inline __attribute__((always_inline))

namespace {

template <class To, class From> FIRN_INLINE To bits(From x) { return __builtin_bit_cast(To, x); }

// --- uniform integers; a zero divisor gives 0 ---
FIRN_INLINE int64_t minimum64(int64_t a, int64_t b) { return a < b ? a : b; }
FIRN_INLINE int64_t maximum64(int64_t a, int64_t b) { return a > b ? a : b; }
FIRN_INLINE int64_t clamp64(int64_t x, int64_t lo, int64_t hi) { return x < lo ? lo : x > hi ? hi : x; }
template <class T> FIRN_INLINE T floor_divide(T a, T b) {
  if (b == 0) return 0;
  T q = a / b;
  return q - ((a % b != 0) && ((a < 0) != (b < 0)) ? 1 : 0);
}
template <class T> FIRN_INLINE T floor_mod(T a, T b) { return b == 0 ? 0 : a - floor_divide(a, b) * b; }
FIRN_INLINE int64_t divide64(int64_t a, int64_t b) { return floor_divide(a, b); }
FIRN_INLINE int64_t mod64(int64_t a, int64_t b) { return floor_mod(a, b); }

// --- 16-bit floats ---
FIRN_INLINE float from_bf16(uint16_t x) { return bits<float>((uint32_t)x << 16); }
FIRN_INLINE uint32_t bf16_bits(float x) {
  const uint32_t b = bits<uint32_t>(x);
  const uint32_t rounded = b + 0x7fff + ((b >> 16) & 1);
  return (x != x ? (b | 0x400000) : rounded) & 0xffff0000u;
}
FIRN_INLINE float round_bf16(float x) { return bits<float>(bf16_bits(x)); }
FIRN_INLINE uint16_t to_bf16(float x) { return (uint16_t)(bf16_bits(x) >> 16); }
FIRN_INLINE float from_f16(uint16_t x) { return (float)bits<_Float16>(x); }
FIRN_INLINE float round_f16(float x) { return (float)(_Float16)x; }
FIRN_INLINE uint16_t to_f16(float x) { return bits<uint16_t>((_Float16)x); }
// One element of a packed int4 tensor: offsets of its word (u32), of its scale (16-bit units) and the code's shift.
FIRN_INLINE float int4_element(const uint8_t* p, int64_t word, int64_t shift, int64_t scale) {
  uint32_t w;
  uint16_t s;
  memcpy(&w, p + word * 4, 4);
  memcpy(&s, p + scale * 2, 2);
  return (float)((int32_t)((w >> shift) & 15) - 8) * from_bf16(s);
}
// e4m3: the exponent moves from bias 7 to 127; below the smallest normal number, a multiple of 2^-9.
FIRN_INLINE float from_e4m3(uint32_t code) {
  uint32_t magnitude = code & 0x7f;
  float x = magnitude < 8 ? (float)magnitude * 0x1p-9f : bits<float>((magnitude << 20) + (120u << 23));
  return code & 0x80 ? -x : x;
}
// e2m1: as above with bias 1; below it, a multiple of a half.
FIRN_INLINE float from_e2m1(uint32_t code) {
  uint32_t magnitude = code & 7;
  float x = magnitude < 2 ? (float)magnitude * 0.5f : bits<float>((magnitude << 22) + (126u << 23));
  return code & 8 ? -x : x;
}
// One element of codes with scales: offsets of its word (u32) and of its scale (f32, or one byte with an exponent), shift of the code.
FIRN_INLINE float e4m3_element(const uint8_t* p, int64_t word, int64_t shift, int64_t scale) {
  uint32_t w;
  float s;
  memcpy(&w, p + word * 4, 4);
  memcpy(&s, p + scale * 4, 4);
  return from_e4m3((w >> shift) & 255) * s;
}
FIRN_INLINE float e2m1_element(const uint8_t* p, int64_t word, int64_t shift, int64_t scale) {
  uint32_t w;
  memcpy(&w, p + word * 4, 4);
  return from_e2m1((w >> shift) & 15) * bits<float>((uint32_t)p[scale] << 23);
}
FIRN_INLINE int32_t to_i32(float x) { return (int32_t)x; }
FIRN_INLINE uint32_t to_u32(float x) { return (uint32_t)(int64_t)x; }

// --- scalar functions ---
template <class T> FIRN_INLINE T minimum_(T a, T b) { return a < b ? a : b; }
template <class T> FIRN_INLINE T maximum_(T a, T b) { return a > b ? a : b; }
template <class T> FIRN_INLINE T absolute_(T a) { return a < 0 ? -a : a; }
FIRN_INLINE float absolute_(float a) { return __builtin_fabsf(a); }
FIRN_INLINE uint32_t absolute_(uint32_t a) { return a; }
template <class T> FIRN_INLINE T sign_(T a) { return (T)((a > 0) - (a < 0)); }
FIRN_INLINE float floor_(float a) { return __builtin_floorf(a); }
FIRN_INLINE int32_t floor_(int32_t a) { return a; }
FIRN_INLINE float round_(float a) { return __builtin_rintf(a); }
FIRN_INLINE int32_t round_(int32_t a) { return a; }
FIRN_INLINE float sqrt_(float a) { return __builtin_sqrtf(a); }
FIRN_INLINE float rsqrt_(float a) { return 1.0f / __builtin_sqrtf(a); }
FIRN_INLINE float power_(float a, float b) { return (float)__builtin_pow((double)a, (double)b); }
FIRN_INLINE float floor_divide_(float a, float b) { return __builtin_floorf(a / b); }
FIRN_INLINE float mod_(float a, float b) { return a - __builtin_floorf(a / b) * b; }
template <class T> FIRN_INLINE T floor_divide_(T a, T b) { return floor_divide(a, b); }
template <class T> FIRN_INLINE T mod_(T a, T b) { return floor_mod(a, b); }

// x = n ln 2 + r with |r| <= ln 2 / 2; 2^n is applied in two halves so that results reach 0, denormals and infinity.
FIRN_INLINE float exp_(float x) {
  x = x > 89.0f ? 89.0f : x;
  x = x < -104.0f ? -104.0f : x;
  const float n = __builtin_rintf(x * 1.44269504088896341f);
  const float r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  const int32_t k = (int32_t)n;
  const int32_t half = k >> 1;
  return p * bits<float>((half + 127) << 23) * bits<float>((k - half + 127) << 23);
}

// log(m 2^e) with m in [sqrt(1/2), sqrt(2)).
FIRN_INLINE float log_(float x) {
  const bool tiny = x < 1.17549435e-38f;
  const float y = tiny ? x * 8388608.0f : x;
  const int32_t b = bits<int32_t>(y);
  const int32_t shifted = b - 0x3f3504f3;
  const float e = (float)(shifted >> 23) - (tiny ? 23.0f : 0.0f);
  const float f = bits<float>((shifted & 0x007fffff) + 0x3f3504f3) - 1.0f;
  const float z = f * f;
  float p = 7.0376836292e-2f;
  p = p * f - 1.1514610310e-1f;
  p = p * f + 1.1676998740e-1f;
  p = p * f - 1.2420140846e-1f;
  p = p * f + 1.4249322787e-1f;
  p = p * f - 1.6668057665e-1f;
  p = p * f + 2.0000714765e-1f;
  p = p * f - 2.4999993993e-1f;
  p = p * f + 3.3333331174e-1f;
  float r = p * f * z + e * -2.12194440e-4f - 0.5f * z;
  r = f + r + e * 0.693359375f;
  r = x == 0.0f ? -__builtin_inff() : r;
  r = x < 0.0f ? __builtin_nanf("") : r;
  return (x > 3.4028234e38f) | (x != x) ? x : r;
}

FIRN_INLINE float sigmoid_(float x) { return 1.0f / (1.0f + exp_(-x)); }

FIRN_INLINE float tanh_(float x) {
  const float a = __builtin_fabsf(x);
  const float z = x * x;
  float p = -5.70498872745e-3f;
  p = p * z + 2.06390887954e-2f;
  p = p * z - 5.37397155531e-2f;
  p = p * z + 1.33314422036e-1f;
  p = p * z - 3.33332819422e-1f;
  const float small = p * z * x + x;
  const float large = __builtin_copysignf(1.0f - 2.0f / (exp_(2.0f * a) + 1.0f), x);
  return a < 0.625f ? small : x != x ? x : large;
}

// max(x, 0) + log(1 + exp(-|x|)); the last term mends what rounding 1 + e loses.
FIRN_INLINE float softplus_(float x) {
  const float e = exp_(-__builtin_fabsf(x));
  const float u = 1.0f + e;
  return (x > 0.0f ? x : x != x ? x : 0.0f) + log_(u) + (e - (u - 1.0f)) / u;
}

// Rational and exponential forms of Cephes' ndtrf (S. L. Moshier).
FIRN_INLINE float erf_(float x) {
  const float a = __builtin_fabsf(x);
  const float z = x * x;
  float s = 7.853861353153693e-5f;
  s = s * z - 8.010193625184903e-4f;
  s = s * z + 5.188327685732524e-3f;
  s = s * z - 2.685381193529856e-2f;
  s = s * z + 1.128358514861418e-1f;
  s = s * z - 3.761262582423300e-1f;
  s = s * z + 1.128379165726710f;
  const float q = 1.0f / (a > 1.0f ? a : 1.0f);
  const float y = q * q;
  float p = 2.326819970068386e-2f;
  p = p * y - 1.387039388740657e-1f;
  p = p * y + 3.687424674597105e-1f;
  p = p * y - 5.824733027278666e-1f;
  p = p * y + 6.210004621745983e-1f;
  p = p * y - 4.944515323274145e-1f;
  p = p * y + 3.404879937665872e-1f;
  p = p * y - 2.741127028184656e-1f;
  p = p * y + 5.638259427386472e-1f;
  float r = -1.047766399936249e1f;
  r = r * y + 1.297719955372516e1f;
  r = r * y - 7.495518717768503f;
  r = r * y + 2.921019019210786f;
  r = r * y - 1.015265279202700f;
  r = r * y + 4.218463358204948e-1f;
  r = r * y - 2.820767439740514e-1f;
  r = r * y + 5.641895067754075e-1f;
  const float tail = exp_(-z) * q * (a < 2.0f ? p : r);
  return a <= 1.0f ? s * x : x != x ? x : __builtin_copysignf(1.0f - tail, x);
}

// x - n pi/2 in double: exact enough for any f32 angle below 2^31.
FIRN_INLINE float sine_quarter(float x, int32_t turn) {
  const double n = __builtin_rint((double)x * 0.63661977236758134);
  const float r = (float)(((double)x - n * 1.5707963267948966) - n * 6.123233995736766e-17);
  const int32_t quarter = (int32_t)n + turn;
  const float z = r * r;
  const float sine = ((-1.9515295891e-4f * z + 8.3321608736e-3f) * z - 1.6666654611e-1f) * z * r + r;
  const float cosine = ((2.443315711809948e-5f * z - 1.388731625493765e-3f) * z + 4.166664568298827e-2f) * z * z - 0.5f * z + 1.0f;
  const float value = (quarter & 1) ? cosine : sine;
  return (quarter & 2) ? -value : value;
}
FIRN_INLINE float sin_(float x) { return sine_quarter(x, 0); }
FIRN_INLINE float cos_(float x) { return sine_quarter(x, 1); }

// Philox-4x32-10 (Salmon et al. 2011), first word, key (seed, 0), counter (counter, 0, 0, 0).
FIRN_INLINE uint32_t philox(uint32_t seed, uint32_t counter) {
  uint32_t c0 = counter, c1 = 0, c2 = 0, c3 = 0, k0 = seed, k1 = 0;
#pragma GCC unroll 10  // a loop inside would keep the loop around it from being vectorised
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
    const uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
    c1 = (uint32_t)p1;
    c3 = (uint32_t)p0;
    c0 = n0;
    c2 = n2;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return c0;
}
FIRN_INLINE int32_t order_(float x) {
  int32_t bits;
  __builtin_memcpy(&bits, &x, 4);
  return bits < 0 ? -(bits & 0x7fffffff) : bits;
}
FIRN_INLINE float uniform_(uint32_t x) { return ((float)(int32_t)(x >> 8) + 0.5f) * 5.9604644775390625e-8f; }

// --- vectors ---
typedef float vf __attribute__((vector_size(4 * FIRN_LANES)));
typedef uint32_t vu __attribute__((vector_size(4 * FIRN_LANES)));
typedef uint16_t vh __attribute__((vector_size(2 * FIRN_LANES)));
typedef int32_t vi __attribute__((vector_size(4 * FIRN_LANES)));
typedef float vf_any __attribute__((vector_size(4 * FIRN_LANES), aligned(4), may_alias));
typedef uint32_t vu_any __attribute__((vector_size(4 * FIRN_LANES), aligned(4), may_alias));
typedef uint16_t vh_any __attribute__((vector_size(2 * FIRN_LANES), aligned(2), may_alias));

FIRN_INLINE vf splat(float x) { return x - (vf){}; }
FIRN_INLINE vf load(const float* p) { return *(const vf_any*)p; }
FIRN_INLINE vu load_words(const uint8_t* p) { return *(const vu_any*)p; }
FIRN_INLINE void put(float* p, vf x) { *(vf_any*)p = x; }
// Rows of a few cache lines, for which a call or a string instruction would take longer.
FIRN_INLINE void move(float* to, const float* from, int64_t n) {
  int64_t i = 0;
  for (; i + 4 * FIRN_LANES <= n; i += 4 * FIRN_LANES) {
    const vf a = load(from + i), b = load(from + i + FIRN_LANES), c = load(from + i + 2 * FIRN_LANES), d = load(from + i + 3 * FIRN_LANES);
    put(to + i, a), put(to + i + FIRN_LANES, b), put(to + i + 2 * FIRN_LANES, c), put(to + i + 3 * FIRN_LANES, d);
  }
  for (; i < n; ++i) to[i] = from[i];
}
// The generic conversions of vectors become shuffles between half registers where one instruction would do.
#if FIRN_LANES == 8 && defined(__AVX2__) && defined(__F16C__)
typedef short v8hi __attribute__((vector_size(16)));
FIRN_INLINE vf load_bf16(const uint16_t* p) { return (vf)((vu)__builtin_ia32_pmovzxwd256((v8hi) * (const vh_any*)p) << 16); }
FIRN_INLINE vf load_f16(const uint16_t* p) { return (vf)__builtin_ia32_vcvtph2ps256((v8hi) * (const vh_any*)p); }
#else
FIRN_INLINE vf load_bf16(const uint16_t* p) { return (vf)(__builtin_convertvector(*(const vh_any*)p, vu) << 16); }
FIRN_INLINE vf load_f16(const uint16_t* p) {
  vf x;
  for (int i = 0; i < FIRN_LANES; ++i) x[i] = from_f16(p[i]);
  return x;
}
#endif
// 16^i times code i of 8, exactly: the conversion reads signed integers, so the topmost code is brought down by one place.
template <int i> FIRN_INLINE vf code_in_place(vu words) {
  constexpr uint32_t mask = 15u << 4 * (i < 7 ? i : 6);
  return __builtin_convertvector((vi)((i < 7 ? words : words >> 4) & mask), vf);
}
constexpr float code_scale[8] = {0x1p0f, 0x1p-4f, 0x1p-8f, 0x1p-12f, 0x1p-16f, 0x1p-20f, 0x1p-24f, 0x1p-24f};
typedef uint8_t vb_any __attribute__((vector_size(FIRN_LANES), aligned(1), may_alias));
FIRN_INLINE vf load_floats(const uint8_t* p) { return *(const vf_any*)p; }
// Powers of two, of which the exponents are stored.
FIRN_INLINE vf load_exponents(const uint8_t* p) { return (vf)(__builtin_convertvector(*(const vb_any*)p, vu) << 23); }
// As from_e4m3 and from_e2m1, of the code at bit `shift` of every word.
FIRN_INLINE vf e4m3_values(vu words, int shift) {
  vu code = words >> shift, magnitude = code & 0x7f;
  vf x = magnitude < 8 ? __builtin_convertvector((vi)magnitude, vf) * 0x1p-9f : (vf)((magnitude << 20) + (120u << 23));
  return (vf)((vu)x | ((code & 0x80) << 24));
}
FIRN_INLINE vf e2m1_values(vu words, int shift) {
  vu code = words >> shift, magnitude = code & 7;
  vf x = magnitude < 2 ? __builtin_convertvector((vi)magnitude, vf) * 0.5f : (vf)((magnitude << 22) + (126u << 23));
  return (vf)((vu)x | ((code & 8) << 28));
}
FIRN_INLINE vf code(vu words, int shift) { return __builtin_convertvector((vi)((words >> shift) & 15), vf); }
FIRN_INLINE float sum(vf x) {
#if FIRN_LANES == 8
  x += __builtin_shuffle(x, (vi){4, 5, 6, 7, 0, 1, 2, 3});
  x += __builtin_shuffle(x, (vi){2, 3, 0, 1, 6, 7, 4, 5});
  x += __builtin_shuffle(x, (vi){1, 0, 3, 2, 5, 4, 7, 6});
#else
  x += __builtin_shuffle(x, (vi){2, 3, 0, 1});
  x += __builtin_shuffle(x, (vi){1, 0, 3, 2});
#endif
  return x[0];
}

}  // namespace
