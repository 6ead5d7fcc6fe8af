#include "ckernels.h"

#if defined(__x86_64__)
#include "math_avx512.h"

TARGET float softmax_row_avx512(size_t valid, size_t n, float scale, float *s, float *state) {
  const __m512 by = _mm512_set1_ps(scale);
  __m512 high = _mm512_set1_ps(-__builtin_inff());
  for (size_t j = 0; j < valid; j += 16) {
    __mmask16 m = lanes(valid - j);
    high = _mm512_mask_max_ps(high, m, high, load(m, s + j));
  }
  /* scale > 0, so the largest score has the largest t; valid = 0 keeps the old maximum */
  float top = valid ? _mm512_reduce_max_ps(high) * scale : state[0];
  if (state[0] > top) top = state[0];

  const __m512 shift = _mm512_set1_ps(top);
  __m512 sum = _mm512_setzero_ps();
  size_t j = 0;
  for (; j < valid; j += 16) {
    __mmask16 m = lanes(valid - j);
    __m512 p = exp2_avx512(_mm512_fmsub_ps(load(m, s + j), by, shift));
    p = _mm512_maskz_mov_ps(m, p);
    sum = _mm512_add_ps(sum, p);
    store(lanes(n - j), s + j, p);
  }
  for (; j < n; j += 16) store(lanes(n - j), s + j, _mm512_setzero_ps());

  float factor = 1;
  if (state[0] != top)
    factor = _mm512_cvtss_f32(exp2_avx512(_mm512_set1_ps(state[0] - top)));
  state[0] = top;
  state[1] = state[1] * factor + _mm512_reduce_add_ps(sum);
  return factor;
}

TARGET void probability_row_avx512(size_t n, float scale, const float *log_sum, size_t step, float *s) {
  const __m512 by = _mm512_set1_ps(scale);
  for (size_t j = 0; j < n; j += 16) {
    __mmask16 m = lanes(n - j);
    store(m, s + j, exp2_avx512(_mm512_fmsub_ps(load(m, s + j), by, load_step(m, log_sum, j, step))));
  }
}

TARGET void dscore_row_avx512(size_t n, float scale, const float *p, const float *delta, size_t step,
                              float *dp) {
  const __m512 by = _mm512_set1_ps(scale);
  for (size_t j = 0; j < n; j += 16) {
    __mmask16 m = lanes(n - j);
    __m512 d = _mm512_sub_ps(load(m, dp + j), load_step(m, delta, j, step));
    store(m, dp + j, _mm512_mul_ps(_mm512_mul_ps(load(m, p + j), d), by));
  }
}

#endif
