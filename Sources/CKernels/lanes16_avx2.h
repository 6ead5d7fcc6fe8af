/* Sixteen lanes in two registers of AVX2; what the names mean stands in rows.h. */
#pragma once
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#pragma STDC FP_CONTRACT OFF
#define TARGET __attribute__((target("avx2,fma,f16c")))
#define INLINE static inline __attribute__((always_inline)) TARGET
#define ROW(kernel) kernel##_avx2

typedef struct { __m256 low, high; } f32x16;
typedef struct { __m256i low, high; } i32x16;
typedef struct { __m256d v[4]; } f64x16;

#define BOTH1(f, a) (f32x16){f((a).low), f((a).high)}
#define BOTH2(f, a, b) (f32x16){f((a).low, (b).low), f((a).high, (b).high)}
#define BOTH3(f, a, b, c) (f32x16){f((a).low, (b).low, (c).low), f((a).high, (b).high, (c).high)}

/* −1 in the first `count` of 8 lanes, which may be none or all */
INLINE __m256i first(int count) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

/* -- floats ------------------------------------------------------------------------------------- */

INLINE f32x16 load(size_t count, const float *x) {
  if (count >= 16) return (f32x16){_mm256_loadu_ps(x), _mm256_loadu_ps(x + 8)};
  if (count <= 8) return (f32x16){_mm256_maskload_ps(x, first((int)count)), _mm256_setzero_ps()};
  return (f32x16){_mm256_loadu_ps(x), _mm256_maskload_ps(x + 8, first((int)count - 8))};
}
INLINE void store(size_t count, float *y, f32x16 v) {
  if (count >= 8) _mm256_storeu_ps(y, v.low);
  else _mm256_maskstore_ps(y, first((int)count), v.low);
  if (count >= 16) _mm256_storeu_ps(y + 8, v.high);
  else if (count > 8) _mm256_maskstore_ps(y + 8, first((int)count - 8), v.high);
}
INLINE f32x16 splat(float x) { return (f32x16){_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
INLINE f32x16 only(size_t count, f32x16 v, f32x16 otherwise) {
  if (count >= 16) return v;
  const __m256 low = _mm256_castsi256_ps(first((int)count)), high = _mm256_castsi256_ps(first((int)count - 8));
  return (f32x16){_mm256_blendv_ps(otherwise.low, v.low, low), _mm256_blendv_ps(otherwise.high, v.high, high)};
}

INLINE f32x16 plus(f32x16 a, f32x16 b) { return BOTH2(_mm256_add_ps, a, b); }
INLINE f32x16 minus(f32x16 a, f32x16 b) { return BOTH2(_mm256_sub_ps, a, b); }
INLINE f32x16 times(f32x16 a, f32x16 b) { return BOTH2(_mm256_mul_ps, a, b); }
INLINE f32x16 divided(f32x16 a, f32x16 b) { return BOTH2(_mm256_div_ps, a, b); }
INLINE f32x16 times_plus(f32x16 a, f32x16 b, f32x16 c) { return BOTH3(_mm256_fmadd_ps, a, b, c); }
INLINE f32x16 times_minus(f32x16 a, f32x16 b, f32x16 c) { return BOTH3(_mm256_fmsub_ps, a, b, c); }
INLINE f32x16 minus_times(f32x16 c, f32x16 a, f32x16 b) { return BOTH3(_mm256_fnmadd_ps, a, b, c); }
INLINE f32x16 larger(f32x16 a, f32x16 b) { return BOTH2(_mm256_max_ps, a, b); }
INLINE f32x16 smaller(f32x16 a, f32x16 b) { return BOTH2(_mm256_min_ps, a, b); }
INLINE __m256 at_least(__m256 t, float limit) { return _mm256_cmp_ps(t, _mm256_set1_ps(limit), _CMP_GE_OQ); }
INLINE f32x16 where_at_least(f32x16 t, float limit, f32x16 v) {
  return (f32x16){_mm256_and_ps(at_least(t.low, limit), v.low), _mm256_and_ps(at_least(t.high, limit), v.high)};
}
INLINE __m256 with_exponent(__m256 p, __m256 m) {
  __m256i bits = _mm256_slli_epi32(_mm256_castps_si256(m), 23);
  return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p), bits));
}
INLINE f32x16 add_to_exponent(f32x16 p, f32x16 m) { return BOTH2(with_exponent, p, m); }

INLINE float first_lane(f32x16 v) { return _mm256_cvtss_f32(v.low); }
INLINE float sum_of_lanes(f32x16 v) {
  __m256 eight = _mm256_add_ps(v.low, v.high);
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}
INLINE float largest_lane(f32x16 v) {
  __m256 eight = _mm256_max_ps(v.low, v.high);
  __m128 s = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  s = _mm_max_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}

/* -- doubles ------------------------------------------------------------------------------------ */

INLINE f64x16 wide_zero(void) {
  const __m256d zero = _mm256_setzero_pd();
  return (f64x16){{zero, zero, zero, zero}};
}
INLINE f64x16 widened(f32x16 v) {
  return (f64x16){{_mm256_cvtps_pd(_mm256_castps256_ps128(v.low)),
                   _mm256_cvtps_pd(_mm256_extractf128_ps(v.low, 1)),
                   _mm256_cvtps_pd(_mm256_castps256_ps128(v.high)),
                   _mm256_cvtps_pd(_mm256_extractf128_ps(v.high, 1))}};
}
/* From memory a conversion takes no shuffle. */
INLINE f64x16 load_wide(size_t count, const float *x) {
  if (count < 16) return widened(load(count, x));
  return (f64x16){{_mm256_cvtps_pd(_mm_loadu_ps(x)), _mm256_cvtps_pd(_mm_loadu_ps(x + 4)),
                   _mm256_cvtps_pd(_mm_loadu_ps(x + 8)), _mm256_cvtps_pd(_mm_loadu_ps(x + 12))}};
}
INLINE f64x16 wide_plus(f64x16 a, f64x16 b) {
  return (f64x16){{_mm256_add_pd(a.v[0], b.v[0]), _mm256_add_pd(a.v[1], b.v[1]),
                   _mm256_add_pd(a.v[2], b.v[2]), _mm256_add_pd(a.v[3], b.v[3])}};
}
INLINE f64x16 wide_times_plus(f64x16 a, f64x16 b, f64x16 c) {
  return (f64x16){{_mm256_fmadd_pd(a.v[0], b.v[0], c.v[0]), _mm256_fmadd_pd(a.v[1], b.v[1], c.v[1]),
                   _mm256_fmadd_pd(a.v[2], b.v[2], c.v[2]), _mm256_fmadd_pd(a.v[3], b.v[3], c.v[3])}};
}
INLINE double sum_of_wide_lanes(f64x16 v) {
  __m256d four = _mm256_add_pd(_mm256_add_pd(v.v[0], v.v[2]), _mm256_add_pd(v.v[1], v.v[3]));
  __m128d s = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
  return _mm_cvtsd_f64(_mm_add_sd(s, _mm_unpackhi_pd(s, s)));
}

/* (x0 x2 x1 x3) → (x0 x1 x2 x3): what interleaving within halves leaves to do */
INLINE __m256d untangled(__m256d x) { return _mm256_permute4x64_pd(x, 0xd8); }
INLINE void load_pairs(const double *x, f64x16 *a, f64x16 *b) {
  for (size_t u = 0; u < 4; u++) {
    __m256d x0 = _mm256_loadu_pd(x + 8 * u), x1 = _mm256_loadu_pd(x + 8 * u + 4);
    a->v[u] = untangled(_mm256_unpacklo_pd(x0, x1));
    b->v[u] = untangled(_mm256_unpackhi_pd(x0, x1));
  }
}
INLINE void store_pairs(double *y, f64x16 a, f64x16 b) {
  for (size_t u = 0; u < 4; u++) {
    __m256d a0 = untangled(a.v[u]), b0 = untangled(b.v[u]);
    _mm256_storeu_pd(y + 8 * u, _mm256_unpacklo_pd(a0, b0));
    _mm256_storeu_pd(y + 8 * u + 4, _mm256_unpackhi_pd(a0, b0));
  }
}

/* -- whole numbers ------------------------------------------------------------------------------ */

INLINE __m256i without_sign(__m256 x) {
  return _mm256_and_si256(_mm256_castps_si256(x), _mm256_set1_epi32(0x7fffffff));
}
INLINE i32x16 size_bits(f32x16 v) { return (i32x16){without_sign(v.low), without_sign(v.high)}; }
INLINE i32x16 larger_bits(i32x16 a, i32x16 b) {
  return (i32x16){_mm256_max_epu32(a.low, b.low), _mm256_max_epu32(a.high, b.high)};
}
INLINE uint32_t largest_bits(i32x16 v) {
  __m256i eight = _mm256_max_epu32(v.low, v.high);
  __m128i m = _mm_max_epu32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
  m = _mm_max_epu32(m, _mm_shuffle_epi32(m, 0x4e));
  m = _mm_max_epu32(m, _mm_shuffle_epi32(m, 0xb1));
  return (uint32_t)_mm_cvtsi128_si32(m);
}
INLINE i32x16 nearest(f32x16 v) { return (i32x16){_mm256_cvtps_epi32(v.low), _mm256_cvtps_epi32(v.high)}; }
/* Packing leaves 0–3, 8–11 in the lower half of a register and 4–7, 12–15 in the upper. */
INLINE void store_bytes(size_t count, uint8_t *q, i32x16 v, uint8_t zero) {
  __m256i words = _mm256_packs_epi32(v.low, v.high), bytes = _mm256_packs_epi16(words, words);
  bytes = _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 0, 4, 1, 5));
  __m128i sixteen = _mm_add_epi8(_mm256_castsi256_si128(bytes), _mm_set1_epi8((char)zero));
  if (count >= 16) {
    _mm_storeu_si128((__m128i *)q, sixteen);
    return;
  }
  if (count & 8) {
    _mm_storel_epi64((__m128i *)q, sixteen);
    sixteen = _mm_unpackhi_epi64(sixteen, sixteen);
    q += 8;
  }
  if (count & 4) memcpy(q, &sixteen, 4);
}
INLINE __m256 floats_of(__m256i v) { return _mm256_cvtepi32_ps(v); }
INLINE f32x16 bytes_of_quarter(f32x16 bits, const size_t quarter) {
  const __m256i half = _mm256_castps_si256(quarter < 2 ? bits.low : bits.high);
  const __m128i v = quarter % 2 ? _mm256_extracti128_si256(half, 1) : _mm256_castsi256_si128(half);
  const __m128i rest = _mm_unpackhi_epi64(v, v);
  return (f32x16){floats_of(_mm256_cvtepi8_epi32(v)), floats_of(_mm256_cvtepi8_epi32(rest))};
}
INLINE void spread_bytes(f32x16 bits, f32x16 *y) {
  const __m256i a = _mm256_castps_si256(bits.low), b = _mm256_castps_si256(bits.high);
#define BYTE(by) \
  (f32x16){floats_of(_mm256_srai_epi32(_mm256_slli_epi32(a, by), 24)), \
           floats_of(_mm256_srai_epi32(_mm256_slli_epi32(b, by), 24))}
  y[0] = BYTE(24);
  y[1] = BYTE(16);
  y[2] = BYTE(8);
  y[3] = BYTE(0);
#undef BYTE
}

/* -- 16-bit floats ------------------------------------------------------------------------------ */

typedef struct { __m128i low, high; } words16;
INLINE words16 load_words(size_t count, const uint16_t *x) {
  uint16_t edge[16] = {0};
  if (count < 16) x = memcpy(edge, x, count * sizeof *x);
  return (words16){_mm_loadu_si128((const __m128i *)x), _mm_loadu_si128((const __m128i *)(x + 8))};
}
INLINE f32x16 load_f16(size_t count, const uint16_t *x) {
  const words16 w = load_words(count, x);
  return BOTH1(_mm256_cvtph_ps, w);
}
INLINE __m256 from_bf16(__m128i x) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(x), 16));
}
INLINE f32x16 load_bf16(size_t count, const uint16_t *x) {
  const words16 w = load_words(count, x);
  return BOTH1(from_bf16, w);
}
INLINE void store_f16(size_t count, uint16_t *y, f32x16 v) {
  uint16_t edge[16], *to = count < 16 ? edge : y;
  _mm_storeu_si128((__m128i *)to, _mm256_cvtps_ph(v.low, _MM_FROUND_TO_NEAREST_INT));
  _mm_storeu_si128((__m128i *)(to + 8), _mm256_cvtps_ph(v.high, _MM_FROUND_TO_NEAREST_INT));
  if (count < 16) memcpy(y, edge, count * sizeof *y);
}

/* -- places ------------------------------------------------------------------------------------- */

INLINE __m256 load_two(const float *x, size_t ld) {
  return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(x)), _mm_loadu_ps(x + ld), 1);
}
INLINE f32x16 load_quads(const float *x, size_t ld) {
  return (f32x16){load_two(x, ld), load_two(x + 2 * ld, ld)};
}
#define PAIRS(a, b, which) (f32x16){_mm256_shuffle_ps((a).low, (b).low, which), \
                                    _mm256_shuffle_ps((a).high, (b).high, which)}
INLINE f32x16 zip_low(f32x16 a, f32x16 b) { return BOTH2(_mm256_unpacklo_ps, a, b); }
INLINE f32x16 zip_high(f32x16 a, f32x16 b) { return BOTH2(_mm256_unpackhi_ps, a, b); }
INLINE f32x16 low_pairs(f32x16 a, f32x16 b) { return PAIRS(a, b, 0x44); }
INLINE f32x16 high_pairs(f32x16 a, f32x16 b) { return PAIRS(a, b, 0xee); }

#define BUTTERFLY(v, swapped, upper) \
  _mm256_blend_ps(_mm256_add_ps(v, swapped), _mm256_sub_ps(swapped, v), upper)
INLINE f32x16 butterfly_1(f32x16 v) {
  const f32x16 s = {_mm256_permute_ps(v.low, 0xb1), _mm256_permute_ps(v.high, 0xb1)};
  return (f32x16){BUTTERFLY(v.low, s.low, 0xaa), BUTTERFLY(v.high, s.high, 0xaa)};
}
INLINE f32x16 butterfly_2(f32x16 v) {
  const f32x16 s = {_mm256_permute_ps(v.low, 0x4e), _mm256_permute_ps(v.high, 0x4e)};
  return (f32x16){BUTTERFLY(v.low, s.low, 0xcc), BUTTERFLY(v.high, s.high, 0xcc)};
}
INLINE f32x16 butterfly_4(f32x16 v) {
  const f32x16 s = {_mm256_permute2f128_ps(v.low, v.low, 1), _mm256_permute2f128_ps(v.high, v.high, 1)};
  return (f32x16){BUTTERFLY(v.low, s.low, 0xf0), BUTTERFLY(v.high, s.high, 0xf0)};
}
INLINE f32x16 butterfly_8(f32x16 v) {
  return (f32x16){_mm256_add_ps(v.low, v.high), _mm256_sub_ps(v.low, v.high)};
}
