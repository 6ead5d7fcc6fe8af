/* exp and erf of math_scalar.h on 16 floats, with fused products. */
#pragma once
#include <immintrin.h>

#pragma STDC FP_CONTRACT OFF
#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,f16c,fma")))
#define INLINE static inline __attribute__((always_inline)) TARGET

/* Lanes j…n−1 of a row that ends within the next 16. */
INLINE __mmask16 lanes(size_t left) { return left >= 16 ? 0xffff : (__mmask16)((1u << left) - 1); }

INLINE __m512 load(__mmask16 m, const float *x) { return _mm512_maskz_loadu_ps(m, x); }
INLINE void store(__mmask16 m, float *y, __m512 v) { _mm512_mask_storeu_ps(y, m, v); }

/* x[j] for a row of values, x[0] in every lane for step 0 */
INLINE __m512 load_step(__mmask16 m, const float *x, size_t j, size_t step) {
  return step ? _mm512_maskz_loadu_ps(m, x + j) : _mm512_set1_ps(x[0]);
}

INLINE __m512 fma(__m512 a, __m512 b, __m512 c) { return _mm512_fmadd_ps(a, b, c); }
INLINE __m512 fma1(__m512 a, __m512 b, float c) { return _mm512_fmadd_ps(a, b, _mm512_set1_ps(c)); }

INLINE __m512 exp_core_avx512(__m512 r) {
  __m512 p = _mm512_set1_ps(1.9875691500e-4f);
  p = fma1(p, r, 1.3981999507e-3f);
  p = fma1(p, r, 8.3334519073e-3f);
  p = fma1(p, r, 4.1665795894e-2f);
  p = fma1(p, r, 1.6666665459e-1f);
  p = fma1(p, r, 5.0000001201e-1f);
  return _mm512_add_ps(fma(p, _mm512_mul_ps(r, r), r), _mm512_set1_ps(1));
}

INLINE __m512 whole(__m512 x) {
  return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

INLINE __m512 exp_avx512(__m512 x) {
  x = _mm512_min_ps(_mm512_max_ps(x, _mm512_set1_ps(-87.0f)), _mm512_set1_ps(88.0f));
  __m512 n = whole(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504f)));
  __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693359375f), x);
  r = fma(n, _mm512_set1_ps(2.12194440e-4f), r);
  return _mm512_scalef_ps(exp_core_avx512(r), n);
}

INLINE __m512 exp2_avx512(__m512 t) {
  __mmask16 large = _mm512_cmp_ps_mask(t, _mm512_set1_ps(-100.0f), _CMP_GE_OQ);
  __m512 n = whole(t);
  __m512 r = _mm512_mul_ps(_mm512_sub_ps(t, n), _mm512_set1_ps(0.693147181f));
  return _mm512_maskz_scalef_ps(large, exp_core_avx512(r), n);
}

INLINE __m512 erf_avx512(__m512 x) {
  x = _mm512_min_ps(_mm512_max_ps(x, _mm512_set1_ps(-4.0f)), _mm512_set1_ps(4.0f));
  __m512 u = _mm512_mul_ps(x, x);
  __m512 p = _mm512_set1_ps(-2.72614225801306e-10f);
  p = fma1(p, u, 2.77068142495902e-08f);
  p = fma1(p, u, -2.10102402082508e-06f);
  p = fma1(p, u, -5.69250639462346e-05f);
  p = fma1(p, u, -7.34990630326855e-04f);
  p = fma1(p, u, -2.95459980854025e-03f);
  p = fma1(p, u, -1.60960333262415e-02f);
  __m512 q = _mm512_set1_ps(-1.45660718464996e-05f);
  q = fma1(q, u, -2.13374055278905e-04f);
  q = fma1(q, u, -1.68282697438203e-03f);
  q = fma1(q, u, -7.37332916720468e-03f);
  q = fma1(q, u, -1.42647390514189e-02f);
  return _mm512_div_ps(_mm512_mul_ps(x, p), q);
}
