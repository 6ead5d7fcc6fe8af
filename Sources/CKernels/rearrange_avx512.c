#include "ckernels.h"

#if defined(__x86_64__)
#include "math_avx512.h"

TARGET void widen_f16_avx512(size_t n, const uint16_t *x, float *y) {
  size_t j = 0;
  for (; j + 16 <= n; j += 16)
    _mm512_storeu_ps(y + j, _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(x + j))));
  if (j < n) {
    __mmask16 m = lanes(n - j);
    store(m, y + j, _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(m, x + j)));
  }
}

INLINE __m512 widen_bf16(__m256i x) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16));
}

TARGET void widen_bf16_avx512(size_t n, const uint16_t *x, float *y) {
  size_t j = 0;
  for (; j + 16 <= n; j += 16)
    _mm512_storeu_ps(y + j, widen_bf16(_mm256_loadu_si256((const __m256i *)(x + j))));
  if (j < n) {
    __mmask16 m = lanes(n - j);
    store(m, y + j, widen_bf16(_mm256_maskz_loadu_epi16(m, x + j)));
  }
}

TARGET void narrow_f16_avx512(size_t n, const float *x, uint16_t *y) {
  for (size_t j = 0; j < n; j += 16) {
    __mmask16 m = lanes(n - j);
    __m256i halves = _mm512_cvtps_ph(load(m, x + j), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    _mm256_mask_storeu_epi16(y + j, m, halves);
  }
}

/* Four rounds swap blocks of 1, 2, 4 and 8 lanes between rows that far apart. */
TARGET void transpose_16x16_avx512(const float *x, size_t ldx, float *y, size_t ldy) {
  __m512 a[16], b[16];
#pragma clang loop unroll(full)
  for (int i = 0; i < 16; i++) a[i] = _mm512_loadu_ps(x + (size_t)i * ldx);
#pragma clang loop unroll(full)
  for (int i = 0; i < 16; i += 2) {
    b[i] = _mm512_unpacklo_ps(a[i], a[i + 1]);
    b[i + 1] = _mm512_unpackhi_ps(a[i], a[i + 1]);
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < 16; i += 4) {
    a[i] = _mm512_shuffle_ps(b[i], b[i + 2], 0x44);
    a[i + 1] = _mm512_shuffle_ps(b[i], b[i + 2], 0xee);
    a[i + 2] = _mm512_shuffle_ps(b[i + 1], b[i + 3], 0x44);
    a[i + 3] = _mm512_shuffle_ps(b[i + 1], b[i + 3], 0xee);
  }
  /* a[4g + q] now holds columns q, q + 4, q + 8, q + 12 of rows 4g…4g + 3 */
#pragma clang loop unroll(full)
  for (int q = 0; q < 4; q++) {
    __m512 low0 = _mm512_shuffle_f32x4(a[q], a[4 + q], 0x88);
    __m512 low1 = _mm512_shuffle_f32x4(a[8 + q], a[12 + q], 0x88);
    __m512 high0 = _mm512_shuffle_f32x4(a[q], a[4 + q], 0xdd);
    __m512 high1 = _mm512_shuffle_f32x4(a[8 + q], a[12 + q], 0xdd);
    _mm512_storeu_ps(y + (size_t)q * ldy, _mm512_shuffle_f32x4(low0, low1, 0x88));
    _mm512_storeu_ps(y + (size_t)(8 + q) * ldy, _mm512_shuffle_f32x4(low0, low1, 0xdd));
    _mm512_storeu_ps(y + (size_t)(4 + q) * ldy, _mm512_shuffle_f32x4(high0, high1, 0x88));
    _mm512_storeu_ps(y + (size_t)(12 + q) * ldy, _mm512_shuffle_f32x4(high0, high1, 0xdd));
  }
}

#endif
