/* exp and erf on four float32 at a time: the polynomials of math_scalar.h with fused steps, and the
 * loop that the element-wise kernels share.                                                       */
#pragma once
#include <arm_neon.h>
#include <stddef.h>
#include <string.h>

#define INLINE __attribute__((always_inline)) static inline

INLINE float32x4_t all(float value) { return vdupq_n_f32(value); }

/* p·x + c */
INLINE float32x4_t horner(float32x4_t p, float32x4_t x, float c) { return vfmaq_f32(all(c), p, x); }

/* 2^n for whole n in −126…127 */
INLINE float32x4_t power_of_two(int32x4_t n) {
  return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(n, vdupq_n_s32(127)), 23));
}

/* e^r for |r| ≤ ln 2 / 2 (Cephes expf), 1 ulp */
INLINE float32x4_t exp_core(float32x4_t r) {
  float32x4_t p = all(1.9875691500e-4f);
  p = horner(p, r, 1.3981999507e-3f);
  p = horner(p, r, 8.3334519073e-3f);
  p = horner(p, r, 4.1665795894e-2f);
  p = horner(p, r, 1.6666665459e-1f);
  p = horner(p, r, 5.0000001201e-1f);
  return vaddq_f32(vfmaq_f32(r, p, vmulq_f32(r, r)), all(1));
}

/* e^x, 2 ulp for −87 ≤ x ≤ 88; beyond, the value at that end. ln 2 is split so that n·hi is exact. */
INLINE float32x4_t exp_neon(float32x4_t x) {
  x = vminq_f32(vmaxq_f32(x, all(-87)), all(88));
  int32x4_t whole = vcvtnq_s32_f32(vmulq_f32(x, all(1.44269504f)));
  float32x4_t n = vcvtq_f32_s32(whole);
  float32x4_t r = vfmsq_f32(x, n, all(0.693359375f));
  return vmulq_f32(exp_core(vfmaq_f32(r, n, all(2.12194440e-4f))), power_of_two(whole));
}

/* 2^t for t ≤ 0 (an ulp above does no harm), 2 ulp; 0 for t < −100 */
INLINE float32x4_t exp2_neon(float32x4_t t) {
  int32x4_t whole = vcvtnq_s32_f32(t);
  float32x4_t r = vmulq_f32(vsubq_f32(t, vcvtq_f32_s32(whole)), all(0.693147181f));
  uint32x4_t bits = vreinterpretq_u32_f32(vmulq_f32(exp_core(r), power_of_two(whole)));
  return vreinterpretq_f32_u32(vbicq_u32(bits, vcltq_f32(t, all(-100))));
}

/* erf x as x·P(x²)/Q(x²) on |x| ≤ 4 (the rational of Eigen and XLA), absolute error 2e-7 */
INLINE float32x4_t erf_neon(float32x4_t x) {
  x = vminq_f32(vmaxq_f32(x, all(-4)), all(4));
  float32x4_t u = vmulq_f32(x, x), p = all(-2.72614225801306e-10f), q = all(-1.45660718464996e-05f);
  p = horner(p, u, 2.77068142495902e-08f);
  p = horner(p, u, -2.10102402082508e-06f);
  p = horner(p, u, -5.69250639462346e-05f);
  p = horner(p, u, -7.34990630326855e-04f);
  p = horner(p, u, -2.95459980854025e-03f);
  p = horner(p, u, -1.60960333262415e-02f);
  q = horner(q, u, -2.13374055278905e-04f);
  q = horner(q, u, -1.68282697438203e-03f);
  q = horner(q, u, -7.37332916720468e-03f);
  q = horner(q, u, -1.42647390514189e-02f);
  return vdivq_f32(vmulq_f32(x, p), q);
}

/* -- sixteen values at a time ------------------------------------------------------------------- */

/* Four independent vectors per step: an in-order core waits eight cycles for a fused product. */
typedef struct { float32x4_t v[4]; } lanes16;

/* Runs the statements with j = 0, 16, … and count = 16, and once more with the count that is left;
 * in the first copy the compiler knows count and drops what only the last one needs.              */
#define IN_BLOCKS(n, ...)                   \
  do {                                      \
    size_t j = 0;                           \
    for (; j + 16 <= n; j += 16) {          \
      const size_t count = 16;              \
      __VA_ARGS__                           \
    }                                       \
    if (j < n) {                            \
      const size_t count = n - j;           \
      __VA_ARGS__                           \
    }                                       \
  } while (0)

INLINE lanes16 all16(float value) {
  return (lanes16){{all(value), all(value), all(value), all(value)}};
}

/* count values of x and zeros */
INLINE lanes16 get(const float *x, size_t count) {
  float edge[16] = {0};
  if (count < 16) x = memcpy(edge, x, count * sizeof *x);
  return (lanes16){{vld1q_f32(x), vld1q_f32(x + 4), vld1q_f32(x + 8), vld1q_f32(x + 12)}};
}

/* Values j… of x (step 1) or its only value (step 0) */
INLINE lanes16 get_stepped(const float *x, size_t step, size_t j, size_t count) {
  return step ? get(x + j, count) : all16(*x);
}

INLINE void put(float *y, size_t count, lanes16 x) {
  float edge[16], *to = count < 16 ? edge : y;
  for (size_t u = 0; u < 4; u++) vst1q_f32(to + 4 * u, x.v[u]);
  if (count < 16) memcpy(y, edge, count * sizeof *y);
}
