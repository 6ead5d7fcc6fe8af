#include "ckernels.h"

#if defined(__x86_64__)
#include "math_avx512.h"

INLINE __m512 times(__m512 a, __m512 b) { return _mm512_mul_ps(a, b); }
INLINE __m512 times1(__m512 a, float b) { return _mm512_mul_ps(a, _mm512_set1_ps(b)); }

INLINE __m512 sigmoid(__m512 x) {
  const __m512 one = _mm512_set1_ps(1);
  return _mm512_div_ps(one, _mm512_add_ps(one, exp_avx512(_mm512_sub_ps(_mm512_setzero_ps(), x))));
}
INLINE __m512 normal_cdf(__m512 x) {
  return fma1(erf_avx512(times1(x, 0.707106781f)), _mm512_set1_ps(0.5f), 0.5f);
}
INLINE __m512 normal_density(__m512 x) {
  return times1(exp_avx512(times1(times(x, x), -0.5f)), 0.398942280f);
}

#define UNARY(name, expression)                             \
  TARGET void name(size_t n, const float *a, float *y) {    \
    for (size_t j = 0; j < n; j += 16) {                    \
      __mmask16 m = lanes(n - j);                           \
      __m512 x = load(m, a + j);                            \
      store(m, y + j, expression);                          \
    }                                                       \
  }

#define BINARY(name, expression)                                            \
  TARGET void name(size_t n, const float *a, const float *b, float *y) {    \
    for (size_t j = 0; j < n; j += 16) {                                    \
      __mmask16 m = lanes(n - j);                                           \
      __m512 x = load(m, a + j), z = load(m, b + j);                        \
      store(m, y + j, expression);                                          \
    }                                                                       \
  }

/* (x·s(c·x))' = c·x·s·(1 − s) + s */
INLINE __m512 logistic_slope(__m512 cx) {
  __m512 s = sigmoid(cx);
  return fma(times(cx, s), _mm512_sub_ps(_mm512_set1_ps(1), s), s);
}

UNARY(silu_avx512, times(x, sigmoid(x)))
UNARY(quick_gelu_avx512, times(x, sigmoid(times1(x, 1.702f))))
UNARY(gelu_avx512, times(x, normal_cdf(x)))
BINARY(geglu_avx512, times(x, times(z, normal_cdf(z))))
BINARY(silu_dx_avx512, times(z, logistic_slope(x)))
BINARY(quick_gelu_dx_avx512, times(z, logistic_slope(times1(x, 1.702f))))
BINARY(gelu_dx_avx512, times(z, fma(x, normal_density(x), normal_cdf(x))))

#endif
