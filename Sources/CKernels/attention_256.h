/* What attention_pairs.h asks for, on registers of 32 bytes; whoever includes this defines INLINE and, after it,
 * multiply_add.                                                                                                */
#include <immintrin.h>
#include <stdint.h>

#define WIDTH 32
#define ROWS 6
#define CASES CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6)

typedef __m256 floats;
typedef __m256i ints;

INLINE floats get(const float *x) { return _mm256_loadu_ps(x); }
INLINE void put(float *x, floats v) { _mm256_storeu_ps(x, v); }
INLINE ints get_ints(const void *x) { return _mm256_loadu_si256((const __m256i *)x); }
INLINE void put_ints(void *x, ints v) { _mm256_storeu_si256((__m256i *)x, v); }
INLINE floats put_all(float x) { return _mm256_set1_ps(x); }
INLINE floats minus(floats x, floats y) { return _mm256_sub_ps(x, y); }
INLINE floats times(floats x, floats y) { return _mm256_mul_ps(x, y); }
INLINE floats plus(floats x, floats y) { return _mm256_add_ps(x, y); }
INLINE floats most(floats x, floats y) { return _mm256_max_ps(x, y); }
INLINE ints whole(floats x) { return _mm256_cvtps_epi32(x); }
INLINE floats real(ints x) { return _mm256_cvtepi32_ps(x); }
INLINE ints zero(void) { return _mm256_setzero_si256(); }
INLINE ints add(ints x, ints y) { return _mm256_add_epi32(x, y); }
INLINE ints none(void) { return _mm256_set1_epi32(INT16_MIN); }
INLINE ints packed(ints x, ints y) { return _mm256_packs_epi32(x, y); }
INLINE ints words(int x) { return _mm256_set1_epi16((int16_t)x); }
INLINE ints words_add(ints x, ints y) { return _mm256_add_epi16(x, y); }
INLINE ints left(ints x, int n) { return _mm256_slli_epi16(x, n); }
INLINE ints right(ints x, int n) { return _mm256_srli_epi16(x, n); }
INLINE ints halves(ints x, int n) { return _mm256_srai_epi16(x, n); }
INLINE ints rounded(ints x, ints y) { return _mm256_mulhrs_epi16(x, y); }
INLINE ints pair_of(int16_t x, int16_t y) {
  return _mm256_set1_epi32((uint16_t)x | (int32_t)((uint32_t)(uint16_t)y << 16));
}
INLINE ints each(ints x, const int8_t *table) {
  __m128i once = _mm_loadu_si128((const __m128i *)table);
  return _mm256_shuffle_epi8(x, _mm256_broadcastsi128_si256(once));
}

/* The low and the high byte of a word look up i and i − 8; what has its top bit set finds 0. */
INLINE ints power(ints i) {
  static const uint8_t bits[16] = {1, 2, 4, 8, 16, 32, 64, 128};
  ints high = words_add(left(i, 8), words(-0x0800));
  return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)bits)), _mm256_or_si256(_mm256_and_si256(i, words(0xff)), high));
}
