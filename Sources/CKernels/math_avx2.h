/* exp and erf of math_scalar.h on 8 floats, with fused products. */
#pragma once
#include <immintrin.h>

#pragma STDC FP_CONTRACT OFF
#define TARGET __attribute__((target("avx2,fma,f16c")))
#define INLINE static inline __attribute__((always_inline)) TARGET

/* −1 in the lanes of a row that ends within the next 8 */
INLINE __m256i lanes(size_t left) {
  const __m256i count = _mm256_set1_epi32(left < 8 ? (int)left : 8);
  return _mm256_cmpgt_epi32(count, _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

INLINE __m256 load(size_t left, const float *x) {
  return left >= 8 ? _mm256_loadu_ps(x) : _mm256_maskload_ps(x, lanes(left));
}
INLINE void store(size_t left, float *y, __m256 v) {
  if (left >= 8) _mm256_storeu_ps(y, v);
  else _mm256_maskstore_ps(y, lanes(left), v);
}

/* x[j…] for a row of values, x[0] in every lane for step 0 */
INLINE __m256 load_step(size_t left, const float *x, size_t j, size_t step) {
  return step ? load(left, x + j) : _mm256_broadcast_ss(x);
}

INLINE __m256 splat(float x) { return _mm256_set1_ps(x); }
INLINE __m256 fma(__m256 a, __m256 b, __m256 c) { return _mm256_fmadd_ps(a, b, c); }
INLINE __m256 fma1(__m256 a, __m256 b, float c) { return _mm256_fmadd_ps(a, b, _mm256_set1_ps(c)); }

INLINE float sum_lanes(__m256 x) {
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}
INLINE float max_lanes(__m256 x) {
  __m128 s = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  s = _mm_max_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}

INLINE __m256 exp_core_avx2(__m256 r) {
  __m256 p = splat(1.9875691500e-4f);
  p = fma1(p, r, 1.3981999507e-3f);
  p = fma1(p, r, 8.3334519073e-3f);
  p = fma1(p, r, 4.1665795894e-2f);
  p = fma1(p, r, 1.6666665459e-1f);
  p = fma1(p, r, 5.0000001201e-1f);
  return _mm256_add_ps(fma(p, _mm256_mul_ps(r, r), r), splat(1));
}

INLINE __m256 whole(__m256 x) { return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }

/* p·2^n by adding n to the exponent; p is in 0.7…1.5 and n in −126…127 */
INLINE __m256 times_power_of_two(__m256 p, __m256 n) {
  __m256i bits = _mm256_slli_epi32(_mm256_cvtps_epi32(n), 23);
  return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p), bits));
}

INLINE __m256 exp_avx2(__m256 x) {
  x = _mm256_min_ps(_mm256_max_ps(x, splat(-87.0f)), splat(88.0f));
  __m256 n = whole(_mm256_mul_ps(x, splat(1.44269504f)));
  __m256 r = _mm256_fnmadd_ps(n, splat(0.693359375f), x);
  r = fma(n, splat(2.12194440e-4f), r);
  return times_power_of_two(exp_core_avx2(r), n);
}

INLINE __m256 exp2_avx2(__m256 t) {
  __m256 large = _mm256_cmp_ps(t, splat(-100.0f), _CMP_GE_OQ);
  __m256 n = whole(t);
  __m256 r = _mm256_mul_ps(_mm256_sub_ps(t, n), splat(0.693147181f));
  return _mm256_and_ps(large, times_power_of_two(exp_core_avx2(r), n));
}

INLINE __m256 erf_avx2(__m256 x) {
  x = _mm256_min_ps(_mm256_max_ps(x, splat(-4.0f)), splat(4.0f));
  __m256 u = _mm256_mul_ps(x, x);
  __m256 p = splat(-2.72614225801306e-10f);
  p = fma1(p, u, 2.77068142495902e-08f);
  p = fma1(p, u, -2.10102402082508e-06f);
  p = fma1(p, u, -5.69250639462346e-05f);
  p = fma1(p, u, -7.34990630326855e-04f);
  p = fma1(p, u, -2.95459980854025e-03f);
  p = fma1(p, u, -1.60960333262415e-02f);
  __m256 q = splat(-1.45660718464996e-05f);
  q = fma1(q, u, -2.13374055278905e-04f);
  q = fma1(q, u, -1.68282697438203e-03f);
  q = fma1(q, u, -7.37332916720468e-03f);
  q = fma1(q, u, -1.42647390514189e-02f);
  return _mm256_div_ps(_mm256_mul_ps(x, p), q);
}
