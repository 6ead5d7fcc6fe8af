#include "ckernels.h"

#if defined(__x86_64__)
#include "math_avx512.h"
#include "weight_s8.h"

INLINE __m512 clamp(__m512 t) {
  return _mm512_max_ps(_mm512_min_ps(t, _mm512_set1_ps(127)), _mm512_set1_ps(-127));
}

TARGET double quantization_error_avx512(size_t n, const float *x, float by) {
  __m512 sum = _mm512_setzero_ps();
  for (size_t j = 0; j < n; j += 16) {
    __m512 t = _mm512_mul_ps(load(lanes(n - j), x + j), _mm512_set1_ps(by));
    __m512 e = _mm512_sub_ps(t, _mm512_roundscale_ps(clamp(t), _MM_FROUND_TO_NEAREST_INT));
    sum = _mm512_add_ps(sum, _mm512_mul_ps(e, e));
  }
  float lane[16];
  _mm512_storeu_ps(lane, sum);
  return sum_of_lanes(lane);
}

TARGET static void round_to_bytes(size_t n, const float *x, float scale, int8_t *q) {
  for (size_t j = 0; j < n; j += 16) {
    __m512 v = _mm512_div_ps(load(lanes(n - j), x + j), _mm512_set1_ps(scale));
    _mm_storeu_si128((__m128i *)(q + j), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(clamp(v))));
  }
}

TARGET void pack_panel_s8_avx512(size_t rows, size_t channels, size_t taps, const float *x,
                                 const float *scale, int8_t *y) {
  pack_s8(rows, channels, taps, x, scale, y, round_to_bytes);
}

#endif
