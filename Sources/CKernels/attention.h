/* What the attention kernels of all sets share: numbers of the probabilities, and the step from one maximum of a
 * query to the next, which is rare and therefore plain C.                                                       */
#pragma once
#include <stddef.h>
#include <stdint.h>

#pragma STDC FP_CONTRACT OFF

/* A score below the maximum is counted in steps of 2^−11 octaves, from −2^15, where nothing is left, to 0. */
enum { STEPS = 2048 };

/* p = 2^(x/STEPS)·16384, less a step: whole part i and fraction f of z = x + POWER say p = 2^i·2^f/2. */
enum { POWER = 15 * STEPS - 1 };

/* 2^f = 1 + f·(C1 + f·(C2 + f·C3)) with 14 fractional bits (C's have 14, f 15): within 1.3·2^−13 of the truth, every
 * product rounded as below; found by search over all 2048 fractions.                                           */
enum { ONE = 16384, C1 = 11384, C2 = 3744, C3 = 1253 };

/* state = (maximum of s, sum of p) of 16 queries, 16 floats each. Makes `high` the maximum and writes the factors
 * 2^((old − new)·by/STEPS) for sums of earlier tiles, within 2^−21.                                             */
static inline void raise_maximum(const float *high, const float *by, float *state, float *factor) {
  int rises = 0;
  for (size_t j = 0; j < 16; j++) rises |= high[j] > state[j];
  if (!rises) {
    for (size_t j = 0; j < 16; j++) factor[j] = 1;
    return;
  }
  for (size_t j = 0; j < 16; j++) {
    const float top = high[j] > state[j] ? high[j] : state[j];
    float t = (state[j] - top) * (by[j] * (1.0f / STEPS));
    t = t > -120 ? t : -120;                           /* also where the old maximum was −∞ */
    const int32_t whole = (int32_t)t;                  /* towards 0: the fraction lies in −1…0 */
    const float f = t - (float)whole;
    float p = 1.5353362e-4f;
    p = p * f + 1.3398874e-3f;
    p = p * f + 9.6184373e-3f;
    p = p * f + 5.5503324e-2f;
    p = p * f + 2.4022649e-1f;
    p = p * f + 6.9314720e-1f;
    p = p * f + 1.0f;
    union { int32_t bits; float value; } power = {(127 + whole) << 23};
    factor[j] = p * power.value;
    state[j] = top;
  }
}
