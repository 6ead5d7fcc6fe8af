#include "ckernels.h"

#if defined(__x86_64__)
#include <string.h>

#include "math_avx2.h"

/* The last n % 8 values go through a padded copy: no 16-bit masked loads here. */
#define WIDEN(name, convert)                                              \
  TARGET void name(size_t n, const uint16_t *x, float *y) {               \
    size_t j = 0;                                                         \
    for (; j + 8 <= n; j += 8)                                            \
      _mm256_storeu_ps(y + j, convert(_mm_loadu_si128((const __m128i *)(x + j)))); \
    if (j < n) {                                                          \
      uint16_t last[8] = {0};                                             \
      memcpy(last, x + j, (n - j) * sizeof last[0]);                      \
      store(n - j, y + j, convert(_mm_loadu_si128((const __m128i *)last))); \
    }                                                                     \
  }

INLINE __m256 from_bf16(__m128i x) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(x), 16));
}

WIDEN(widen_f16_avx2, _mm256_cvtph_ps)
WIDEN(widen_bf16_avx2, from_bf16)

TARGET void narrow_f16_avx2(size_t n, const float *x, uint16_t *y) {
  for (size_t j = 0; j < n; j += 8) {
    __m128i halves = _mm256_cvtps_ph(load(n - j, x + j), _MM_FROUND_TO_NEAREST_INT);
    if (n - j >= 8) _mm_storeu_si128((__m128i *)(y + j), halves);
    else memcpy(y + j, &halves, (n - j) * sizeof *y);
  }
}

/* 8 × 8: rounds of 1 and 2 lanes within halves, then halves are exchanged between rows four apart. */
INLINE void transpose_8x8(const float *x, size_t ldx, float *y, size_t ldy) {
  __m256 a[8], b[8];
#pragma clang loop unroll(full)
  for (int i = 0; i < 8; i++) a[i] = _mm256_loadu_ps(x + (size_t)i * ldx);
#pragma clang loop unroll(full)
  for (int i = 0; i < 8; i += 2) {
    b[i] = _mm256_unpacklo_ps(a[i], a[i + 1]);
    b[i + 1] = _mm256_unpackhi_ps(a[i], a[i + 1]);
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < 8; i += 4) {
    a[i] = _mm256_shuffle_ps(b[i], b[i + 2], 0x44);
    a[i + 1] = _mm256_shuffle_ps(b[i], b[i + 2], 0xee);
    a[i + 2] = _mm256_shuffle_ps(b[i + 1], b[i + 3], 0x44);
    a[i + 3] = _mm256_shuffle_ps(b[i + 1], b[i + 3], 0xee);
  }
#pragma clang loop unroll(full)
  for (int q = 0; q < 4; q++) {
    _mm256_storeu_ps(y + (size_t)q * ldy, _mm256_permute2f128_ps(a[q], a[4 + q], 0x20));
    _mm256_storeu_ps(y + (size_t)(4 + q) * ldy, _mm256_permute2f128_ps(a[q], a[4 + q], 0x31));
  }
}

TARGET void transpose_16x16_avx2(const float *x, size_t ldx, float *y, size_t ldy) {
  transpose_8x8(x, ldx, y, ldy);
  transpose_8x8(x + 8, ldx, y + 8 * ldy, ldy);
  transpose_8x8(x + 8 * ldx, ldx, y + 8, ldy);
  transpose_8x8(x + 8 * ldx + 8, ldx, y + 8 * ldy + 8, ldy);
}

#endif
