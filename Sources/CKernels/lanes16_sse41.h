/* Sixteen lanes in four registers of SSE4.1; what the names mean stands in rows.h. There is no fused
 * multiply-add, so products round on their own.                                                        */
#pragma once
#include <smmintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#pragma STDC FP_CONTRACT OFF
#define TARGET __attribute__((target("sse4.1")))
#define INLINE static inline __attribute__((always_inline)) TARGET
#define ROW(kernel) kernel##_sse41

typedef struct { __m128 v[4]; } f32x16;
typedef struct { __m128i v[4]; } i32x16;
typedef struct { __m128d v[8]; } f64x16;

#define ALL1(T, f, a) (T){{f((a).v[0]), f((a).v[1]), f((a).v[2]), f((a).v[3])}}
#define ALL2(T, f, a, b) \
  (T){{f((a).v[0], (b).v[0]), f((a).v[1], (b).v[1]), f((a).v[2], (b).v[2]), f((a).v[3], (b).v[3])}}

/* -- floats ------------------------------------------------------------------------------------- */

INLINE f32x16 load(size_t count, const float *x) {
  float edge[16] = {0};
  if (count < 16) x = memcpy(edge, x, count * sizeof *x);
  return (f32x16){{_mm_loadu_ps(x), _mm_loadu_ps(x + 4), _mm_loadu_ps(x + 8), _mm_loadu_ps(x + 12)}};
}
INLINE void store(size_t count, float *y, f32x16 a) {
  float edge[16], *to = count < 16 ? edge : y;
  for (size_t u = 0; u < 4; u++) _mm_storeu_ps(to + 4 * u, a.v[u]);
  if (count < 16) memcpy(y, edge, count * sizeof *y);
}
INLINE f32x16 splat(float x) {
  const __m128 v = _mm_set1_ps(x);
  return (f32x16){{v, v, v, v}};
}
INLINE f32x16 only(size_t count, f32x16 a, f32x16 otherwise) {
  if (count >= 16) return a;
  const __m128i lanes = _mm_setr_epi32(0, 1, 2, 3);
  for (size_t u = 0; u < 4; u++) {
    const __m128i own = _mm_cmpgt_epi32(_mm_set1_epi32((int)count - 4 * (int)u), lanes);
    a.v[u] = _mm_blendv_ps(otherwise.v[u], a.v[u], _mm_castsi128_ps(own));
  }
  return a;
}

INLINE f32x16 plus(f32x16 a, f32x16 b) { return ALL2(f32x16, _mm_add_ps, a, b); }
INLINE f32x16 minus(f32x16 a, f32x16 b) { return ALL2(f32x16, _mm_sub_ps, a, b); }
INLINE f32x16 times(f32x16 a, f32x16 b) { return ALL2(f32x16, _mm_mul_ps, a, b); }
INLINE f32x16 divided(f32x16 a, f32x16 b) { return ALL2(f32x16, _mm_div_ps, a, b); }
INLINE f32x16 times_plus(f32x16 a, f32x16 b, f32x16 c) { return plus(times(a, b), c); }
INLINE f32x16 times_minus(f32x16 a, f32x16 b, f32x16 c) { return minus(times(a, b), c); }
INLINE f32x16 minus_times(f32x16 c, f32x16 a, f32x16 b) { return minus(c, times(a, b)); }
INLINE f32x16 larger(f32x16 a, f32x16 b) { return ALL2(f32x16, _mm_max_ps, a, b); }
INLINE f32x16 smaller(f32x16 a, f32x16 b) { return ALL2(f32x16, _mm_min_ps, a, b); }
INLINE f32x16 where_at_least(f32x16 t, float limit, f32x16 a) {
  const f32x16 least = splat(limit), enough = ALL2(f32x16, _mm_cmpge_ps, t, least);
  return ALL2(f32x16, _mm_and_ps, enough, a);
}
INLINE __m128 with_exponent(__m128 p, __m128 m) {
  __m128i bits = _mm_slli_epi32(_mm_castps_si128(m), 23);
  return _mm_castsi128_ps(_mm_add_epi32(_mm_castps_si128(p), bits));
}
INLINE f32x16 add_to_exponent(f32x16 p, f32x16 m) { return ALL2(f32x16, with_exponent, p, m); }

INLINE float first_lane(f32x16 a) { return _mm_cvtss_f32(a.v[0]); }
INLINE float sum_of_lanes(f32x16 a) {
  __m128 s = _mm_add_ps(_mm_add_ps(a.v[0], a.v[2]), _mm_add_ps(a.v[1], a.v[3]));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}
INLINE float largest_lane(f32x16 a) {
  __m128 s = _mm_max_ps(_mm_max_ps(a.v[0], a.v[2]), _mm_max_ps(a.v[1], a.v[3]));
  s = _mm_max_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}

/* -- doubles ------------------------------------------------------------------------------------ */

INLINE f64x16 wide_zero(void) {
  const __m128d zero = _mm_setzero_pd();
  return (f64x16){{zero, zero, zero, zero, zero, zero, zero, zero}};
}
INLINE f64x16 widened(f32x16 a) {
  f64x16 wide;
  for (size_t u = 0; u < 4; u++) {
    wide.v[2 * u] = _mm_cvtps_pd(a.v[u]);
    wide.v[2 * u + 1] = _mm_cvtps_pd(_mm_movehl_ps(a.v[u], a.v[u]));
  }
  return wide;
}
INLINE f64x16 load_wide(size_t count, const float *x) { return widened(load(count, x)); }
INLINE f64x16 wide_plus(f64x16 a, f64x16 b) {
  for (size_t u = 0; u < 8; u++) a.v[u] = _mm_add_pd(a.v[u], b.v[u]);
  return a;
}
INLINE f64x16 wide_times_plus(f64x16 a, f64x16 b, f64x16 c) {
  for (size_t u = 0; u < 8; u++) c.v[u] = _mm_add_pd(_mm_mul_pd(a.v[u], b.v[u]), c.v[u]);
  return c;
}
INLINE double sum_of_wide_lanes(f64x16 a) {
  for (size_t half = 4; half > 0; half /= 2)
    for (size_t u = 0; u < half; u++) a.v[u] = _mm_add_pd(a.v[u], a.v[u + half]);
  return _mm_cvtsd_f64(_mm_add_sd(a.v[0], _mm_unpackhi_pd(a.v[0], a.v[0])));
}

INLINE void load_pairs(const double *x, f64x16 *a, f64x16 *b) {
  for (size_t u = 0; u < 8; u++) {
    __m128d x0 = _mm_loadu_pd(x + 4 * u), x1 = _mm_loadu_pd(x + 4 * u + 2);
    a->v[u] = _mm_unpacklo_pd(x0, x1);
    b->v[u] = _mm_unpackhi_pd(x0, x1);
  }
}
INLINE void store_pairs(double *y, f64x16 a, f64x16 b) {
  for (size_t u = 0; u < 8; u++) {
    _mm_storeu_pd(y + 4 * u, _mm_unpacklo_pd(a.v[u], b.v[u]));
    _mm_storeu_pd(y + 4 * u + 2, _mm_unpackhi_pd(a.v[u], b.v[u]));
  }
}

/* -- whole numbers ------------------------------------------------------------------------------ */

INLINE __m128i without_sign(__m128 x) {
  return _mm_and_si128(_mm_castps_si128(x), _mm_set1_epi32(0x7fffffff));
}
INLINE i32x16 size_bits(f32x16 a) { return ALL1(i32x16, without_sign, a); }
INLINE i32x16 larger_bits(i32x16 a, i32x16 b) { return ALL2(i32x16, _mm_max_epu32, a, b); }
INLINE uint32_t largest_bits(i32x16 a) {
  __m128i m = _mm_max_epu32(_mm_max_epu32(a.v[0], a.v[2]), _mm_max_epu32(a.v[1], a.v[3]));
  m = _mm_max_epu32(m, _mm_shuffle_epi32(m, 0x4e));
  m = _mm_max_epu32(m, _mm_shuffle_epi32(m, 0xb1));
  return (uint32_t)_mm_cvtsi128_si32(m);
}
INLINE i32x16 nearest(f32x16 a) { return ALL1(i32x16, _mm_cvtps_epi32, a); }
INLINE void store_bytes(size_t count, uint8_t *q, i32x16 a, uint8_t zero) {
  __m128i words[2] = {_mm_packs_epi32(a.v[0], a.v[1]), _mm_packs_epi32(a.v[2], a.v[3])};
  __m128i bytes = _mm_add_epi8(_mm_packs_epi16(words[0], words[1]), _mm_set1_epi8((char)zero));
  if (count >= 16) _mm_storeu_si128((__m128i *)q, bytes);
  else memcpy(q, &bytes, count);
}
INLINE f32x16 bytes_of_quarter(f32x16 bits, const size_t quarter) {
  const __m128i b = _mm_castps_si128(bits.v[quarter]);
  const i32x16 a = {{_mm_cvtepi8_epi32(b), _mm_cvtepi8_epi32(_mm_srli_si128(b, 4)),
                     _mm_cvtepi8_epi32(_mm_srli_si128(b, 8)), _mm_cvtepi8_epi32(_mm_srli_si128(b, 12))}};
  return ALL1(f32x16, _mm_cvtepi32_ps, a);
}
INLINE void spread_bytes(f32x16 bits, f32x16 *y) {
  for (size_t u = 0; u < 4; u++) {
    const __m128i four = _mm_castps_si128(bits.v[u]);
    y[0].v[u] = _mm_cvtepi32_ps(_mm_srai_epi32(_mm_slli_epi32(four, 24), 24));
    y[1].v[u] = _mm_cvtepi32_ps(_mm_srai_epi32(_mm_slli_epi32(four, 16), 24));
    y[2].v[u] = _mm_cvtepi32_ps(_mm_srai_epi32(_mm_slli_epi32(four, 8), 24));
    y[3].v[u] = _mm_cvtepi32_ps(_mm_srai_epi32(four, 24));
  }
}

/* -- 16-bit floats: SSE4.1 has no conversions ---------------------------------------------------- */

INLINE __m128i load_words(size_t count, const uint16_t *x, __m128i *high) {
  uint16_t edge[16] = {0};
  if (count < 16) x = memcpy(edge, x, count * sizeof *x);
  *high = _mm_loadu_si128((const __m128i *)(x + 8));
  return _mm_loadu_si128((const __m128i *)x);
}
/* Subnormal halves are m·2^−24: exact in float, so the multiplication is too. */
INLINE __m128 from_f16(__m128i half) {
  const __m128i size = _mm_and_si128(half, _mm_set1_epi32(0x7fff)), exponent = _mm_srli_epi32(size, 10);
  const __m128i sign = _mm_slli_epi32(_mm_xor_si128(half, size), 16);
  const __m128i above = _mm_cmpeq_epi32(exponent, _mm_set1_epi32(31));
  __m128i bits = _mm_add_epi32(_mm_slli_epi32(size, 13), _mm_set1_epi32(112 << 23));
  bits = _mm_add_epi32(bits, _mm_and_si128(above, _mm_set1_epi32(112 << 23)));
  const __m128 small = _mm_mul_ps(_mm_cvtepi32_ps(size), _mm_set1_ps(0x1p-24f));
  const __m128i below = _mm_cmpeq_epi32(exponent, _mm_setzero_si128());
  bits = _mm_blendv_epi8(bits, _mm_castps_si128(small), below);
  return _mm_castsi128_ps(_mm_or_si128(bits, sign));
}
INLINE __m128 from_bf16(__m128i bits) { return _mm_castsi128_ps(_mm_slli_epi32(bits, 16)); }
#define FROM_WORDS(f, low, high)                                                              \
  (f32x16){{f(_mm_cvtepu16_epi32(low)), f(_mm_cvtepu16_epi32(_mm_srli_si128(low, 8))),        \
            f(_mm_cvtepu16_epi32(high)), f(_mm_cvtepu16_epi32(_mm_srli_si128(high, 8)))}}
INLINE f32x16 load_f16(size_t count, const uint16_t *x) {
  __m128i high, low = load_words(count, x, &high);
  return FROM_WORDS(from_f16, low, high);
}
INLINE f32x16 load_bf16(size_t count, const uint16_t *x) {
  __m128i high, low = load_words(count, x, &high);
  return FROM_WORDS(from_bf16, low, high);
}

/* Below 2^−14 a half counts in steps of 2^−24; from there on its bits are the float's without the last 13. */
INLINE __m128i to_f16(__m128 x) {
  const __m128i size = without_sign(x), sign = _mm_srli_epi32(_mm_xor_si128(_mm_castps_si128(x), size), 16);
  const __m128i odd = _mm_and_si128(_mm_srli_epi32(size, 13), _mm_set1_epi32(1));
  __m128i half = _mm_add_epi32(_mm_add_epi32(size, odd), _mm_set1_epi32(0xfff - 0x38000000));
  half = _mm_srli_epi32(half, 13);
  const __m128i small = _mm_cvtps_epi32(_mm_mul_ps(_mm_castsi128_ps(size), _mm_set1_ps(0x1p24f)));
  half = _mm_blendv_epi8(half, small, _mm_cmplt_epi32(size, _mm_set1_epi32(0x38800000)));
  const __m128i beyond = _mm_cmpgt_epi32(size, _mm_set1_epi32(0x477fffff));
  half = _mm_blendv_epi8(half, _mm_set1_epi32(0x7c00), beyond);
  const __m128i payload = _mm_and_si128(_mm_srli_epi32(size, 13), _mm_set1_epi32(0x1ff));
  const __m128i nan = _mm_or_si128(_mm_set1_epi32(0x7e00), payload);
  half = _mm_blendv_epi8(half, nan, _mm_cmpgt_epi32(size, _mm_set1_epi32(0x7f800000)));
  return _mm_or_si128(half, sign);
}
INLINE void store_f16(size_t count, uint16_t *y, f32x16 a) {
  const i32x16 halves = ALL1(i32x16, to_f16, a);
  uint16_t edge[16], *to = count < 16 ? edge : y;
  _mm_storeu_si128((__m128i *)to, _mm_packus_epi32(halves.v[0], halves.v[1]));
  _mm_storeu_si128((__m128i *)(to + 8), _mm_packus_epi32(halves.v[2], halves.v[3]));
  if (count < 16) memcpy(y, edge, count * sizeof *y);
}

/* -- places ------------------------------------------------------------------------------------- */

INLINE f32x16 load_quads(const float *x, size_t ld) {
  return (f32x16){{_mm_loadu_ps(x), _mm_loadu_ps(x + ld), _mm_loadu_ps(x + 2 * ld), _mm_loadu_ps(x + 3 * ld)}};
}
INLINE f32x16 zip_low(f32x16 a, f32x16 b) { return ALL2(f32x16, _mm_unpacklo_ps, a, b); }
INLINE f32x16 zip_high(f32x16 a, f32x16 b) { return ALL2(f32x16, _mm_unpackhi_ps, a, b); }
INLINE f32x16 low_pairs(f32x16 a, f32x16 b) { return ALL2(f32x16, _mm_movelh_ps, a, b); }
INLINE f32x16 high_pairs(f32x16 a, f32x16 b) { return ALL2(f32x16, _mm_movehl_ps, b, a); }

INLINE f32x16 butterfly_1(f32x16 a) {
  for (size_t u = 0; u < 4; u++) {
    const __m128 other = _mm_shuffle_ps(a.v[u], a.v[u], 0xb1);
    a.v[u] = _mm_blend_ps(_mm_add_ps(a.v[u], other), _mm_sub_ps(other, a.v[u]), 0xa);
  }
  return a;
}
INLINE f32x16 butterfly_2(f32x16 a) {
  for (size_t u = 0; u < 4; u++) {
    const __m128 other = _mm_shuffle_ps(a.v[u], a.v[u], 0x4e);
    a.v[u] = _mm_blend_ps(_mm_add_ps(a.v[u], other), _mm_sub_ps(other, a.v[u]), 0xc);
  }
  return a;
}
INLINE f32x16 butterfly_4(f32x16 a) {
  return (f32x16){{_mm_add_ps(a.v[0], a.v[1]), _mm_sub_ps(a.v[0], a.v[1]), _mm_add_ps(a.v[2], a.v[3]),
                   _mm_sub_ps(a.v[2], a.v[3])}};
}
INLINE f32x16 butterfly_8(f32x16 a) {
  return (f32x16){{_mm_add_ps(a.v[0], a.v[2]), _mm_add_ps(a.v[1], a.v[3]), _mm_sub_ps(a.v[0], a.v[2]),
                   _mm_sub_ps(a.v[1], a.v[3])}};
}
