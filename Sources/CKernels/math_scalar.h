/* exp and erf on float32, the same polynomials in every instruction set. */
#pragma once
#include <stdint.h>
#include <string.h>

#pragma STDC FP_CONTRACT OFF                /* the same bits where the compiler could fuse products */

#pragma STDC FP_CONTRACT OFF

/* 2^n for whole n in −126…127 */
static inline float power_of_two(float n) {
  uint32_t bits = (uint32_t)((int32_t)n + 127) << 23;
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/* Rounds to the nearest whole number: adding 1.5·2^23 leaves no bits for a fraction. */
static inline float nearest(float x) { return (x + 12582912.0f) - 12582912.0f; }

/* e^r for |r| ≤ ln 2 / 2 (Cephes expf), 1 ulp */
static inline float exp_core(float r) {
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  return (p * (r * r) + r) + 1.0f;
}

/* e^x, 2 ulp for −87 ≤ x ≤ 88; beyond, the value at that end. ln 2 is split so that n·hi is exact. */
static inline float exp_scalar(float x) {
  x = x < -87.0f ? -87.0f : x > 88.0f ? 88.0f : x;
  float n = nearest(x * 1.44269504f);
  float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  return exp_core(r) * power_of_two(n);
}

/* 2^t for t ≤ 0, 2 ulp; 0 for t < −100, so that no product with it is subnormal */
static inline float exp2_scalar(float t) {
  if (t < -100.0f) return 0;
  float n = nearest(t);
  return exp_core((t - n) * 0.693147181f) * power_of_two(n);
}

/* erf x as x·P(x²)/Q(x²) on |x| ≤ 4 (the rational of Eigen and XLA), absolute error 2e-7 */
static inline float erf_scalar(float x) {
  x = x < -4.0f ? -4.0f : x > 4.0f ? 4.0f : x;
  float u = x * x;
  float p = -2.72614225801306e-10f;
  p = p * u + 2.77068142495902e-08f;
  p = p * u + -2.10102402082508e-06f;
  p = p * u + -5.69250639462346e-05f;
  p = p * u + -7.34990630326855e-04f;
  p = p * u + -2.95459980854025e-03f;
  p = p * u + -1.60960333262415e-02f;
  float q = -1.45660718464996e-05f;
  q = q * u + -2.13374055278905e-04f;
  q = q * u + -1.68282697438203e-03f;
  q = q * u + -7.37332916720468e-03f;
  q = q * u + -1.42647390514189e-02f;
  return x * p / q;
}
