#include "ckernels.h"

#if defined(__x86_64__)
#include "math_avx2.h"
#include "quantize.h"

INLINE uint32_t largest_size(size_t n, const float *x) {
  const __m256i size = _mm256_set1_epi32(SIZE_BITS);
  __m256i most = _mm256_setzero_si256();
  for (size_t j = 0; j < n; j += 8)
    most = _mm256_max_epu32(most, _mm256_and_si256(size, _mm256_castps_si256(load(n - j, x + j))));
  __m128i m = _mm_max_epu32(_mm256_castsi256_si128(most), _mm256_extracti128_si256(most, 1));
  m = _mm_max_epu32(m, _mm_shuffle_epi32(m, 0x4e));
  m = _mm_max_epu32(m, _mm_shuffle_epi32(m, 0xb1));
  return (uint32_t)_mm_cvtsi128_si32(m);
}

TARGET float max_size_avx2(size_t n, const float *x) { return size_of_bits(largest_size(n, x)); }

TARGET float quantize_row_avx2(size_t n, const float *x, uint8_t zero, uint8_t *q) {
  float inverse, scale = row_scale(largest_size(n, x), &inverse);
  const size_t bytes = whole_groups(n);
  if (inverse == 0) {
    memset(q, zero, bytes);
    return scale;
  }
  const __m256 by = _mm256_set1_ps(inverse);
  const __m128i offset = _mm_set1_epi8((char)zero);
  for (size_t j = 0; j < n; j += 8) {
    __m256i whole = _mm256_cvtps_epi32(_mm256_mul_ps(load(n - j, x + j), by));
    __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));
    __m128i packed = _mm_add_epi8(_mm_packs_epi16(words, words), offset);
    if (bytes - j >= 8) _mm_storel_epi64((__m128i *)(q + j), packed);
    else memcpy(q + j, &packed, 4);
  }
  return scale;
}

/* y = 16 bytes of one column as floats */
INLINE void dequantize_column(size_t rows, size_t r, __m128i sixteen, const float *scale, float *y) {
  if (r >= rows) return;
  __m256 by = _mm256_set1_ps(scale[r]);
  __m256 low = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(sixteen));
  __m256 high = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_unpackhi_epi64(sixteen, sixteen)));
  _mm256_storeu_ps(y + 16 * r, _mm256_mul_ps(low, by));
  _mm256_storeu_ps(y + 16 * r + 8, _mm256_mul_ps(high, by));
}

/* A group is 16 columns of 4 bytes, 8 of them a register; a transposition of 4 groups within every 128 bits
 * puts the 16 bytes of a column side by side: lane l of the result q is column 4·l + q.                   */
TARGET void dequantize_block_avx2(size_t rows, size_t groups, const int8_t *b, const float *scale,
                                  float *y) {
  for (size_t half = 0; half < 16; half += 8) {
    __m256i g[4], pair[4], column[4];
#pragma clang loop unroll(full)
    for (size_t i = 0; i < 4; i++)
      g[i] = i < groups ? _mm256_loadu_si256((const __m256i *)(b + 64 * i + 4 * half)) : _mm256_setzero_si256();
    pair[0] = _mm256_unpacklo_epi32(g[0], g[1]);
    pair[1] = _mm256_unpackhi_epi32(g[0], g[1]);
    pair[2] = _mm256_unpacklo_epi32(g[2], g[3]);
    pair[3] = _mm256_unpackhi_epi32(g[2], g[3]);
    column[0] = _mm256_unpacklo_epi64(pair[0], pair[2]);
    column[1] = _mm256_unpackhi_epi64(pair[0], pair[2]);
    column[2] = _mm256_unpacklo_epi64(pair[1], pair[3]);
    column[3] = _mm256_unpackhi_epi64(pair[1], pair[3]);
#pragma clang loop unroll(full)
    for (size_t q = 0; q < 4; q++) {
      dequantize_column(rows, half + q, _mm256_castsi256_si128(column[q]), scale, y);
      dequantize_column(rows, half + 4 + q, _mm256_extracti128_si256(column[q], 1), scale, y);
    }
  }
}

/* 32 bytes are four channels of 8 columns: byte p of every 32-bit lane, its sign spread by shifts. */
TARGET void dequantize_rows_avx2(size_t groups, size_t columns, const int8_t *b, const float *scale,
                                 float *y) {
  for (size_t half = 0; half < 16; half += 8) {
    const __m256 by = columns > half ? load(columns - half, scale + half) : _mm256_setzero_ps();
    float *to = y + half;
    for (size_t g = 0; g < groups; g++, to += 64) {
      __m256i four = _mm256_loadu_si256((const __m256i *)(b + 64 * g + 4 * half));
      __m256i p0 = _mm256_srai_epi32(_mm256_slli_epi32(four, 24), 24);
      __m256i p1 = _mm256_srai_epi32(_mm256_slli_epi32(four, 16), 24);
      __m256i p2 = _mm256_srai_epi32(_mm256_slli_epi32(four, 8), 24);
      __m256i p3 = _mm256_srai_epi32(four, 24);
      _mm256_storeu_ps(to, _mm256_mul_ps(_mm256_cvtepi32_ps(p0), by));
      _mm256_storeu_ps(to + 16, _mm256_mul_ps(_mm256_cvtepi32_ps(p1), by));
      _mm256_storeu_ps(to + 32, _mm256_mul_ps(_mm256_cvtepi32_ps(p2), by));
      _mm256_storeu_ps(to + 48, _mm256_mul_ps(_mm256_cvtepi32_ps(p3), by));
    }
  }
}

#endif
