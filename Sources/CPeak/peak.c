#include "cpeak.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Each loop keeps enough sums to hide the latency of its instruction (4 or 5 cycles, two a cycle), and an empty
 * statement that may have changed the operands keeps the compiler from doing the work once. */
enum { ROUNDS = 40000, SUMS = 12 };

#define LOOP(statement)                                             \
  for (int round = 0; round < ROUNDS; round++) {                    \
    _Pragma("clang loop unroll(full)")                              \
    for (int i = 0; i < SUMS; i++) { statement; }                   \
    __asm__ volatile("" : "+" REGISTER(x), "+" REGISTER(y));        \
  }                                                                 \
  _Pragma("clang loop unroll(full)")                                \
  for (int i = 0; i < SUMS; i++) __asm__ volatile("" ::REGISTER(sum[i]));

#if defined(__x86_64__)
#include <immintrin.h>
#define TARGET(features) __attribute__((target(features), noinline))
#define REGISTER(v) "v"(v)
#define DONE(width) return (double)ROUNDS * SUMS * width

TARGET("sse4.1") static double f32_sse41(void) {
  __m128 sum[SUMS] = {0}, x = _mm_set1_ps(0.5f), y = x;
  LOOP(sum[i] = _mm_add_ps(sum[i], _mm_mul_ps(x, y)))
  DONE(4);
}

TARGET("avx2,fma") static double f32_avx2(void) {
  __m256 sum[SUMS] = {0}, x = _mm256_set1_ps(0.5f), y = x;
  LOOP(sum[i] = _mm256_fmadd_ps(x, y, sum[i]))
  DONE(8);
}

TARGET("avx512f") static double f32_avx512(void) {
  __m512 sum[SUMS] = {0}, x = _mm512_set1_ps(0.5f), y = x;
  LOOP(sum[i] = _mm512_fmadd_ps(x, y, sum[i]))
  DONE(16);
}

/* Unsigned by signed bytes: pairs in 16 bits, then fours in 32. */
TARGET("sse4.1") static double s8_sse41(void) {
  __m128i sum[SUMS] = {0}, x = _mm_set1_epi8(3), y = _mm_set1_epi8(-2), ones = _mm_set1_epi16(1);
  LOOP(sum[i] = _mm_add_epi32(sum[i], _mm_madd_epi16(_mm_maddubs_epi16(x, y), ones));
       __asm__ volatile("" : "+" REGISTER(x)))
  DONE(16);
}

TARGET("avx2") static double s8_avx2(void) {
  __m256i sum[SUMS] = {0}, x = _mm256_set1_epi8(3), y = _mm256_set1_epi8(-2), ones = _mm256_set1_epi16(1);
  LOOP(sum[i] = _mm256_add_epi32(sum[i], _mm256_madd_epi16(_mm256_maddubs_epi16(x, y), ones));
       __asm__ volatile("" : "+" REGISTER(x)))
  DONE(32);
}

TARGET("avx2,avxvnni") static double s8_avxvnni(void) {
  __m256i sum[SUMS] = {0}, x = _mm256_set1_epi8(3), y = _mm256_set1_epi8(-2);
  LOOP(sum[i] = _mm256_dpbusd_avx_epi32(sum[i], x, y))
  DONE(32);
}

TARGET("avx512f,avx512vnni") static double s8_avx512vnni(void) {
  __m512i sum[SUMS] = {0}, x = _mm512_set1_epi8(3), y = _mm512_set1_epi8(-2);
  LOOP(sum[i] = _mm512_dpbusd_epi32(sum[i], x, y))
  DONE(64);
}

static const struct { const char *set; peak_fn *f32, *s8; } peaks[] = {
  {"sse41", f32_sse41, s8_sse41},
  {"avx2", f32_avx2, s8_avx2},
  {"avxvnni", f32_avx2, s8_avxvnni},
  {"avx512", f32_avx512, s8_avx2},
  {"avx512vnni", f32_avx512, s8_avx512vnni},
};

#elif defined(__aarch64__)
#include <arm_neon.h>
#define TARGET(features) __attribute__((target(features), noinline))
#define REGISTER(v) "w"(v)
#define DONE(width) return (double)ROUNDS * SUMS * width

static double f32_neon(void) {
  float32x4_t sum[SUMS] = {0}, x = vdupq_n_f32(0.5f), y = x;
  LOOP(sum[i] = vfmaq_f32(sum[i], x, y))
  DONE(4);
}

/* Two products of 8 bytes in 16 bits, added up in pairs in 32. */
static double s8_neon(void) {
  int32x4_t sum[SUMS] = {0};
  int8x8_t x = vdup_n_s8(3), y = vdup_n_s8(-2);
  LOOP(sum[i] = vpadalq_s16(sum[i], vmlal_s8(vmull_s8(x, y), x, y)); __asm__ volatile("" : "+" REGISTER(x)))
  DONE(16);
}

TARGET("dotprod") static double s8_neondot(void) {
  int32x4_t sum[SUMS] = {0};
  int8x16_t x = vdupq_n_s8(3), y = vdupq_n_s8(-2);
  LOOP(sum[i] = vdotq_s32(sum[i], x, y))
  DONE(16);
}

TARGET("i8mm") static double s8_i8mm(void) {
  int32x4_t sum[SUMS] = {0};
  int8x16_t x = vdupq_n_s8(3), y = vdupq_n_s8(-2);
  LOOP(sum[i] = vmmlaq_s32(sum[i], x, y))
  DONE(32);
}

static const struct { const char *set; peak_fn *f32, *s8; } peaks[] = {
  {"neon", f32_neon, s8_neon},
  {"neondot", f32_neon, s8_neondot},
  {"neoni8mm", f32_neon, s8_i8mm},
};

#else
static const struct { const char *set; peak_fn *f32, *s8; } peaks[] = {{"", NULL, NULL}};
#endif

static size_t place(const char *set) {
  size_t i = 0;
  while (i < sizeof peaks / sizeof peaks[0] && strcmp(peaks[i].set, set) != 0) i++;
  return i;
}

peak_fn *peak_f32(const char *set) {
  size_t i = place(set);
  return i < sizeof peaks / sizeof peaks[0] ? peaks[i].f32 : NULL;
}

peak_fn *peak_s8(const char *set) {
  size_t i = place(set);
  return i < sizeof peaks / sizeof peaks[0] ? peaks[i].s8 : NULL;
}
