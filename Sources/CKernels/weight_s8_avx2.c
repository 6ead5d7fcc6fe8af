#include "ckernels.h"

#if defined(__x86_64__)
#include "math_avx2.h"
#include "weight_s8.h"

INLINE __m256 clamp(__m256 t) {
  return _mm256_max_ps(_mm256_min_ps(t, _mm256_set1_ps(127)), _mm256_set1_ps(-127));
}

INLINE __m256 squared_error(__m256 x, __m256 by) {
  __m256 t = _mm256_mul_ps(x, by);
  __m256 e = _mm256_sub_ps(t, _mm256_round_ps(clamp(t), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
  return _mm256_mul_ps(e, e);
}

TARGET double quantization_error_avx2(size_t n, const float *x, float by) {
  const __m256 factor = _mm256_set1_ps(by);
  __m256 low = _mm256_setzero_ps(), high = low;
  for (size_t j = 0; j < n; j += 16) {
    low = _mm256_add_ps(low, squared_error(load(n - j, x + j), factor));
    if (n - j > 8) high = _mm256_add_ps(high, squared_error(load(n - j - 8, x + j + 8), factor));
  }
  float lane[16];
  _mm256_storeu_ps(lane, low);
  _mm256_storeu_ps(lane + 8, high);
  return sum_of_lanes(lane);
}

TARGET static void round_to_bytes(size_t n, const float *x, float scale, int8_t *q) {
  for (size_t j = 0; j < n; j += 8) {
    __m256i whole = _mm256_cvtps_epi32(clamp(_mm256_div_ps(load(n - j, x + j), _mm256_set1_ps(scale))));
    __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));
    _mm_storel_epi64((__m128i *)(q + j), _mm_packs_epi16(words, words));
  }
}

TARGET void pack_panel_s8_avx2(size_t rows, size_t channels, size_t taps, const float *x,
                               const float *scale, int8_t *y) {
  pack_s8(rows, channels, taps, x, scale, y, round_to_bytes);
}

#endif
