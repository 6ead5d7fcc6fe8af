#include "ckernels.h"

#if defined(__x86_64__)
#include "math_avx512.h"
#include "quantize.h"

INLINE uint32_t largest_size(size_t n, const float *x) {
  const __m512i size = _mm512_set1_epi32(SIZE_BITS);
  __m512i most = _mm512_setzero_si512();
  for (size_t j = 0; j < n; j += 16)
    most = _mm512_max_epu32(most, _mm512_and_si512(size, _mm512_castps_si512(load(lanes(n - j), x + j))));
  return _mm512_reduce_max_epu32(most);
}

TARGET float max_size_avx512(size_t n, const float *x) { return size_of_bits(largest_size(n, x)); }

TARGET float quantize_row_avx512(size_t n, const float *x, uint8_t zero, uint8_t *q) {
  float inverse, scale = row_scale(largest_size(n, x), &inverse);
  const size_t bytes = whole_groups(n);
  if (inverse == 0) {
    memset(q, zero, bytes);
    return scale;
  }
  const __m512 by = _mm512_set1_ps(inverse);
  const __m128i offset = _mm_set1_epi8((char)zero);
  for (size_t j = 0; j < n; j += 16) {
    __m512i whole = _mm512_cvtps_epi32(_mm512_mul_ps(load(lanes(n - j), x + j), by));
    _mm_mask_storeu_epi8(q + j, lanes(bytes - j), _mm_add_epi8(_mm512_cvtepi32_epi8(whole), offset));
  }
  return scale;
}

/* y = 16 bytes of one column as floats */
INLINE void dequantize_column(size_t rows, size_t r, __m128i sixteen, const float *scale, float *y) {
  if (r >= rows) return;
  __m512 values = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(sixteen));
  _mm512_storeu_ps(y + 16 * r, _mm512_mul_ps(values, _mm512_set1_ps(scale[r])));
}

/* A group is 16 columns of 4 bytes; a transposition of 4 groups within every 128 bits puts the 16 bytes of
 * a column side by side: lane l of the result q is column 4·l + q.                                      */
TARGET void dequantize_block_avx512(size_t rows, size_t groups, const int8_t *b, const float *scale,
                                    float *y) {
  __m512i g[4], pair[4], column[4];
#pragma clang loop unroll(full)
  for (size_t i = 0; i < 4; i++) g[i] = i < groups ? _mm512_loadu_si512(b + 64 * i) : _mm512_setzero_si512();
  pair[0] = _mm512_unpacklo_epi32(g[0], g[1]);
  pair[1] = _mm512_unpackhi_epi32(g[0], g[1]);
  pair[2] = _mm512_unpacklo_epi32(g[2], g[3]);
  pair[3] = _mm512_unpackhi_epi32(g[2], g[3]);
  column[0] = _mm512_unpacklo_epi64(pair[0], pair[2]);
  column[1] = _mm512_unpackhi_epi64(pair[0], pair[2]);
  column[2] = _mm512_unpacklo_epi64(pair[1], pair[3]);
  column[3] = _mm512_unpackhi_epi64(pair[1], pair[3]);
#pragma clang loop unroll(full)
  for (size_t q = 0; q < 4; q++) {
    dequantize_column(rows, q, _mm512_castsi512_si128(column[q]), scale, y);
    dequantize_column(rows, 4 + q, _mm512_extracti32x4_epi32(column[q], 1), scale, y);
    dequantize_column(rows, 8 + q, _mm512_extracti32x4_epi32(column[q], 2), scale, y);
    dequantize_column(rows, 12 + q, _mm512_extracti32x4_epi32(column[q], 3), scale, y);
  }
}

/* 64 bytes are four channels of 16 columns: byte p of every 32-bit lane, its sign spread by shifts. */
TARGET void dequantize_rows_avx512(size_t groups, size_t columns, const int8_t *b, const float *scale,
                                   float *y) {
  const __m512 by = load(lanes(columns), scale);
  for (size_t g = 0; g < groups; g++, y += 64) {
    __m512i four = _mm512_loadu_si512(b + 64 * g);
    __m512i p0 = _mm512_srai_epi32(_mm512_slli_epi32(four, 24), 24);
    __m512i p1 = _mm512_srai_epi32(_mm512_slli_epi32(four, 16), 24);
    __m512i p2 = _mm512_srai_epi32(_mm512_slli_epi32(four, 8), 24);
    __m512i p3 = _mm512_srai_epi32(four, 24);
    _mm512_storeu_ps(y, _mm512_mul_ps(_mm512_cvtepi32_ps(p0), by));
    _mm512_storeu_ps(y + 16, _mm512_mul_ps(_mm512_cvtepi32_ps(p1), by));
    _mm512_storeu_ps(y + 32, _mm512_mul_ps(_mm512_cvtepi32_ps(p2), by));
    _mm512_storeu_ps(y + 48, _mm512_mul_ps(_mm512_cvtepi32_ps(p3), by));
  }
}

#endif
