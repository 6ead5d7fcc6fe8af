#include "ckernels.h"

#if defined(__x86_64__)
#include "math_avx2.h"

INLINE __m256 times(__m256 a, __m256 b) { return _mm256_mul_ps(a, b); }
INLINE __m256 times1(__m256 a, float b) { return _mm256_mul_ps(a, splat(b)); }

INLINE __m256 sigmoid(__m256 x) {
  return _mm256_div_ps(splat(1), _mm256_add_ps(splat(1), exp_avx2(_mm256_sub_ps(_mm256_setzero_ps(), x))));
}
INLINE __m256 normal_cdf(__m256 x) { return fma1(erf_avx2(times1(x, 0.707106781f)), splat(0.5f), 0.5f); }
INLINE __m256 normal_density(__m256 x) {
  return times1(exp_avx2(times1(times(x, x), -0.5f)), 0.398942280f);
}

#define UNARY(name, expression)                             \
  TARGET void name(size_t n, const float *a, float *y) {    \
    for (size_t j = 0; j < n; j += 8) {                     \
      __m256 x = load(n - j, a + j);                        \
      store(n - j, y + j, expression);                      \
    }                                                       \
  }

#define BINARY(name, expression)                                            \
  TARGET void name(size_t n, const float *a, const float *b, float *y) {    \
    for (size_t j = 0; j < n; j += 8) {                                     \
      __m256 x = load(n - j, a + j), z = load(n - j, b + j);                \
      store(n - j, y + j, expression);                                      \
    }                                                                       \
  }

/* (x·s(c·x))' = c·x·s·(1 − s) + s */
INLINE __m256 logistic_slope(__m256 cx) {
  __m256 s = sigmoid(cx);
  return fma(times(cx, s), _mm256_sub_ps(splat(1), s), s);
}

UNARY(silu_avx2, times(x, sigmoid(x)))
UNARY(quick_gelu_avx2, times(x, sigmoid(times1(x, 1.702f))))
UNARY(gelu_avx2, times(x, normal_cdf(x)))
BINARY(geglu_avx2, times(x, times(z, normal_cdf(z))))
BINARY(silu_dx_avx2, times(z, logistic_slope(x)))
BINARY(quick_gelu_dx_avx2, times(z, logistic_slope(times1(x, 1.702f))))
BINARY(gelu_dx_avx2, times(z, fma(x, normal_density(x), normal_cdf(x))))

#endif
