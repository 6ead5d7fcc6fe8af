#include "ckernels.h"

#if defined(__x86_64__)
#include "math_avx2.h"

TARGET float softmax_row_avx2(size_t valid, size_t n, float scale, float *s, float *state) {
  const __m256 by = splat(scale), none = splat(-__builtin_inff());
  __m256 high = none;
  for (size_t j = 0; j < valid; j += 8) {
    __m256 v = _mm256_blendv_ps(none, load(valid - j, s + j), _mm256_castsi256_ps(lanes(valid - j)));
    high = _mm256_max_ps(high, v);
  }
  /* scale > 0, so the largest score has the largest t; valid = 0 keeps the old maximum */
  float top = valid ? max_lanes(high) * scale : state[0];
  if (state[0] > top) top = state[0];

  const __m256 shift = splat(top);
  __m256 sum = _mm256_setzero_ps();
  size_t j = 0;
  for (; j < valid; j += 8) {
    __m256 p = exp2_avx2(_mm256_fmsub_ps(load(valid - j, s + j), by, shift));
    p = _mm256_and_ps(p, _mm256_castsi256_ps(lanes(valid - j)));
    sum = _mm256_add_ps(sum, p);
    store(n - j, s + j, p);
  }
  for (; j < n; j += 8) store(n - j, s + j, _mm256_setzero_ps());

  float factor = 1;
  if (state[0] != top) factor = _mm256_cvtss_f32(exp2_avx2(splat(state[0] - top)));
  state[0] = top;
  state[1] = state[1] * factor + sum_lanes(sum);
  return factor;
}

TARGET void probability_row_avx2(size_t n, float scale, const float *log_sum, size_t step, float *s) {
  const __m256 by = splat(scale);
  for (size_t j = 0; j < n; j += 8) {
    __m256 t = _mm256_fmsub_ps(load(n - j, s + j), by, load_step(n - j, log_sum, j, step));
    store(n - j, s + j, exp2_avx2(t));
  }
}

TARGET void dscore_row_avx2(size_t n, float scale, const float *p, const float *delta, size_t step,
                            float *dp) {
  const __m256 by = splat(scale);
  for (size_t j = 0; j < n; j += 8) {
    __m256 d = _mm256_sub_ps(load(n - j, dp + j), load_step(n - j, delta, j, step));
    store(n - j, dp + j, _mm256_mul_ps(_mm256_mul_ps(load(n - j, p + j), d), by));
  }
}

#endif
