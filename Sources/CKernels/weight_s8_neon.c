#include "ckernels.h"

#if defined(__aarch64__)
#include "math_neon.h"
#include "weight_s8.h"

#pragma STDC FP_CONTRACT OFF

INLINE float32x4_t clamp(float32x4_t t) { return vmaxq_f32(vminq_f32(t, all(127)), all(-127)); }

/* The next 4 of a row, zeros behind its end. */
INLINE float32x4_t next(size_t n, size_t j, const float *x) {
  if (j + 4 <= n) return vld1q_f32(x + j);
  float last[4] = {0};
  if (j < n) memcpy(last, x + j, (n - j) * sizeof last[0]);
  return vld1q_f32(last);
}

double quantization_error_neon(size_t n, const float *x, float by) {
  float32x4_t sum[4] = {all(0), all(0), all(0), all(0)};
  for (size_t j = 0; j < n; j += 16)
#pragma clang loop unroll(full)
    for (size_t i = 0; i < 4; i++) {
      float32x4_t t = vmulq_n_f32(next(n, j + 4 * i, x), by);
      float32x4_t e = vsubq_f32(t, vrndnq_f32(clamp(t)));
      sum[i] = vaddq_f32(sum[i], vmulq_f32(e, e));
    }
  float lane[16];
  for (size_t i = 0; i < 4; i++) vst1q_f32(lane + 4 * i, sum[i]);
  return sum_of_lanes(lane);
}

static void round_to_bytes(size_t n, const float *x, float scale, int8_t *q) {
  for (size_t j = 0; j < n; j += 4) {
    int16x4_t words = vmovn_s32(vcvtnq_s32_f32(clamp(vdivq_f32(next(n, j, x), all(scale)))));
    int8x8_t packed = vmovn_s16(vcombine_s16(words, words));
    memcpy(q + j, &packed, 4);
  }
}

void pack_panel_s8_neon(size_t rows, size_t channels, size_t taps, const float *x, const float *scale,
                        int8_t *y) {
  pack_s8(rows, channels, taps, x, scale, y, round_to_bytes);
}

#endif
