/* Sixteen lanes in a register of AVX-512; what the names mean stands in rows.h. */
#pragma once
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#pragma STDC FP_CONTRACT OFF
#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,f16c,fma")))
#define INLINE static inline __attribute__((always_inline)) TARGET
#define ROW(kernel) kernel##_avx512

typedef __m512 f32x16;
typedef __m512i i32x16;
typedef struct { __m512d low, high; } f64x16;

INLINE __mmask16 first(size_t count) { return count >= 16 ? 0xffff : (__mmask16)((1u << count) - 1); }

/* -- floats ------------------------------------------------------------------------------------- */

INLINE f32x16 load(size_t count, const float *x) {
  return count >= 16 ? _mm512_loadu_ps(x) : _mm512_maskz_loadu_ps(first(count), x);
}
INLINE void store(size_t count, float *y, f32x16 v) {
  if (count >= 16) _mm512_storeu_ps(y, v);
  else _mm512_mask_storeu_ps(y, first(count), v);
}
INLINE f32x16 splat(float x) { return _mm512_set1_ps(x); }
INLINE f32x16 only(size_t count, f32x16 v, f32x16 otherwise) {
  return count >= 16 ? v : _mm512_mask_mov_ps(otherwise, first(count), v);
}

INLINE f32x16 plus(f32x16 a, f32x16 b) { return _mm512_add_ps(a, b); }
INLINE f32x16 minus(f32x16 a, f32x16 b) { return _mm512_sub_ps(a, b); }
INLINE f32x16 times(f32x16 a, f32x16 b) { return _mm512_mul_ps(a, b); }
INLINE f32x16 divided(f32x16 a, f32x16 b) { return _mm512_div_ps(a, b); }
INLINE f32x16 times_plus(f32x16 a, f32x16 b, f32x16 c) { return _mm512_fmadd_ps(a, b, c); }
INLINE f32x16 times_minus(f32x16 a, f32x16 b, f32x16 c) { return _mm512_fmsub_ps(a, b, c); }
INLINE f32x16 minus_times(f32x16 c, f32x16 a, f32x16 b) { return _mm512_fnmadd_ps(a, b, c); }
INLINE f32x16 larger(f32x16 a, f32x16 b) { return _mm512_max_ps(a, b); }
INLINE f32x16 smaller(f32x16 a, f32x16 b) { return _mm512_min_ps(a, b); }
INLINE f32x16 where_at_least(f32x16 t, float limit, f32x16 v) {
  return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(t, _mm512_set1_ps(limit), _CMP_GE_OQ), v);
}
INLINE f32x16 add_to_exponent(f32x16 p, f32x16 m) {
  __m512i bits = _mm512_slli_epi32(_mm512_castps_si512(m), 23);
  return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(p), bits));
}

INLINE float first_lane(f32x16 v) { return _mm512_cvtss_f32(v); }
INLINE float sum_of_lanes(f32x16 v) {
  __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}
INLINE float largest_lane(f32x16 v) {
  __m256 eight = _mm256_max_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
  __m128 s = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  s = _mm_max_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}

/* -- doubles ------------------------------------------------------------------------------------ */

INLINE f64x16 wide_zero(void) { return (f64x16){_mm512_setzero_pd(), _mm512_setzero_pd()}; }
INLINE f64x16 widened(f32x16 v) {
  return (f64x16){_mm512_cvtps_pd(_mm512_castps512_ps256(v)), _mm512_cvtps_pd(_mm512_extractf32x8_ps(v, 1))};
}
/* From memory a conversion takes no shuffle. */
INLINE f64x16 load_wide(size_t count, const float *x) {
  if (count < 16) return widened(load(count, x));
  return (f64x16){_mm512_cvtps_pd(_mm256_loadu_ps(x)), _mm512_cvtps_pd(_mm256_loadu_ps(x + 8))};
}
INLINE f64x16 wide_plus(f64x16 a, f64x16 b) {
  return (f64x16){_mm512_add_pd(a.low, b.low), _mm512_add_pd(a.high, b.high)};
}
INLINE f64x16 wide_times_plus(f64x16 a, f64x16 b, f64x16 c) {
  return (f64x16){_mm512_fmadd_pd(a.low, b.low, c.low), _mm512_fmadd_pd(a.high, b.high, c.high)};
}
INLINE double sum_of_wide_lanes(f64x16 v) {
  __m512d eight = _mm512_add_pd(v.low, v.high);
  __m256d four = _mm256_add_pd(_mm512_castpd512_pd256(eight), _mm512_extractf64x4_pd(eight, 1));
  __m128d s = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
  return _mm_cvtsd_f64(_mm_add_sd(s, _mm_unpackhi_pd(s, s)));
}

INLINE void load_pairs(const double *x, f64x16 *a, f64x16 *b) {
  const __m512i even = _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14);
  const __m512i odd = _mm512_setr_epi64(1, 3, 5, 7, 9, 11, 13, 15);
  __m512d x0 = _mm512_loadu_pd(x), x1 = _mm512_loadu_pd(x + 8);
  __m512d x2 = _mm512_loadu_pd(x + 16), x3 = _mm512_loadu_pd(x + 24);
  *a = (f64x16){_mm512_permutex2var_pd(x0, even, x1), _mm512_permutex2var_pd(x2, even, x3)};
  *b = (f64x16){_mm512_permutex2var_pd(x0, odd, x1), _mm512_permutex2var_pd(x2, odd, x3)};
}
INLINE void store_pairs(double *y, f64x16 a, f64x16 b) {
  const __m512i low = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
  const __m512i high = _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15);
  _mm512_storeu_pd(y, _mm512_permutex2var_pd(a.low, low, b.low));
  _mm512_storeu_pd(y + 8, _mm512_permutex2var_pd(a.low, high, b.low));
  _mm512_storeu_pd(y + 16, _mm512_permutex2var_pd(a.high, low, b.high));
  _mm512_storeu_pd(y + 24, _mm512_permutex2var_pd(a.high, high, b.high));
}

/* -- whole numbers ------------------------------------------------------------------------------ */

INLINE i32x16 size_bits(f32x16 v) {
  return _mm512_and_si512(_mm512_castps_si512(v), _mm512_set1_epi32(0x7fffffff));
}
INLINE i32x16 larger_bits(i32x16 a, i32x16 b) { return _mm512_max_epu32(a, b); }
INLINE uint32_t largest_bits(i32x16 v) { return _mm512_reduce_max_epu32(v); }
INLINE i32x16 nearest(f32x16 v) { return _mm512_cvtps_epi32(v); }
INLINE void store_bytes(size_t count, uint8_t *q, i32x16 v, uint8_t zero) {
  __m128i bytes = _mm_add_epi8(_mm512_cvtepi32_epi8(v), _mm_set1_epi8((char)zero));
  if (count >= 16) _mm_storeu_si128((__m128i *)q, bytes);
  else _mm_mask_storeu_epi8(q, first(count), bytes);
}
INLINE f32x16 bytes_of_quarter(f32x16 bits, const size_t quarter) {
  const __m512i v = _mm512_castps_si512(bits);
  const __m128i sixteen = quarter == 0   ? _mm512_castsi512_si128(v)
                          : quarter == 1 ? _mm512_extracti32x4_epi32(v, 1)
                          : quarter == 2 ? _mm512_extracti32x4_epi32(v, 2)
                                         : _mm512_extracti32x4_epi32(v, 3);
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(sixteen));
}
INLINE void spread_bytes(f32x16 bits, f32x16 *y) {
  const __m512i four = _mm512_castps_si512(bits);
  y[0] = _mm512_cvtepi32_ps(_mm512_srai_epi32(_mm512_slli_epi32(four, 24), 24));
  y[1] = _mm512_cvtepi32_ps(_mm512_srai_epi32(_mm512_slli_epi32(four, 16), 24));
  y[2] = _mm512_cvtepi32_ps(_mm512_srai_epi32(_mm512_slli_epi32(four, 8), 24));
  y[3] = _mm512_cvtepi32_ps(_mm512_srai_epi32(four, 24));
}

/* -- 16-bit floats ------------------------------------------------------------------------------ */

INLINE __m256i load_words(size_t count, const uint16_t *x) {
  return count >= 16 ? _mm256_loadu_si256((const __m256i *)x) : _mm256_maskz_loadu_epi16(first(count), x);
}
INLINE f32x16 load_f16(size_t count, const uint16_t *x) { return _mm512_cvtph_ps(load_words(count, x)); }
INLINE f32x16 load_bf16(size_t count, const uint16_t *x) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(load_words(count, x)), 16));
}
INLINE void store_f16(size_t count, uint16_t *y, f32x16 v) {
  __m256i halves = _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  if (count >= 16) _mm256_storeu_si256((__m256i *)y, halves);
  else _mm256_mask_storeu_epi16(y, first(count), halves);
}

/* -- places ------------------------------------------------------------------------------------- */

INLINE f32x16 load_quads(const float *x, size_t ld) {
  __m512 v = _mm512_castps128_ps512(_mm_loadu_ps(x));
  v = _mm512_insertf32x4(v, _mm_loadu_ps(x + ld), 1);
  v = _mm512_insertf32x4(v, _mm_loadu_ps(x + 2 * ld), 2);
  return _mm512_insertf32x4(v, _mm_loadu_ps(x + 3 * ld), 3);
}
INLINE f32x16 zip_low(f32x16 a, f32x16 b) { return _mm512_unpacklo_ps(a, b); }
INLINE f32x16 zip_high(f32x16 a, f32x16 b) { return _mm512_unpackhi_ps(a, b); }
INLINE f32x16 low_pairs(f32x16 a, f32x16 b) { return _mm512_shuffle_ps(a, b, 0x44); }
INLINE f32x16 high_pairs(f32x16 a, f32x16 b) { return _mm512_shuffle_ps(a, b, 0xee); }

INLINE f32x16 sums_and_differences(f32x16 v, f32x16 partner, __mmask16 upper) {
  return _mm512_mask_sub_ps(_mm512_add_ps(v, partner), upper, partner, v);
}
INLINE f32x16 butterfly_1(f32x16 v) { return sums_and_differences(v, _mm512_permute_ps(v, 0xb1), 0xaaaa); }
INLINE f32x16 butterfly_2(f32x16 v) { return sums_and_differences(v, _mm512_permute_ps(v, 0x4e), 0xcccc); }
INLINE f32x16 butterfly_4(f32x16 v) {
  return sums_and_differences(v, _mm512_shuffle_f32x4(v, v, 0xb1), 0xf0f0);
}
INLINE f32x16 butterfly_8(f32x16 v) {
  return sums_and_differences(v, _mm512_shuffle_f32x4(v, v, 0x4e), 0xff00);
}
