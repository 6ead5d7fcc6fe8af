#include "ckernels.h"

#if defined(__x86_64__)
#include "math_avx2.h"

INLINE __m256d low_half(__m256 x) { return _mm256_cvtps_pd(_mm256_castps256_ps128(x)); }
INLINE __m256d high_half(__m256 x) { return _mm256_cvtps_pd(_mm256_extractf128_ps(x, 1)); }

/* Adds 4 channels' (Σ y, Σ y·x) to interleaved sums. */
INLINE void add_pairs(size_t n, __m256d sum, __m256d product, double *sums) {
  double pair[2][4];
  _mm256_storeu_pd(pair[0], sum);
  _mm256_storeu_pd(pair[1], product);
  for (size_t i = 0; i < n; i++) {
    sums[2 * i] += pair[0][i];
    sums[2 * i + 1] += pair[1][i];
  }
}

/* 8 channels at a time in registers over blocks of 64 rows, which stay in the first-level cache. */
TARGET void channel_sums_avx2(size_t rows, size_t channels, const float *x, size_t ldx, const float *y,
                              size_t ldy, double *sums) {
  for (size_t first = 0; first < rows; first += 64) {
    size_t end = first + 64 < rows ? first + 64 : rows;
    for (size_t c = 0; c < channels; c += 8) {
      size_t left = channels - c;
      __m256d sum0 = _mm256_setzero_pd(), sum1 = sum0, product0 = sum0, product1 = sum0;
      for (size_t r = first; r < end; r++) {
        __m256 xv = load(left, x + r * ldx + c), yv = load(left, y + r * ldy + c);
        __m256d low = low_half(yv), high = high_half(yv);
        sum0 = _mm256_add_pd(sum0, low);
        sum1 = _mm256_add_pd(sum1, high);
        product0 = _mm256_fmadd_pd(low, low_half(xv), product0);
        product1 = _mm256_fmadd_pd(high, high_half(xv), product1);
      }
      add_pairs(left < 4 ? left : 4, sum0, product0, sums + 2 * c);
      if (left > 4) add_pairs(left < 8 ? left - 4 : 4, sum1, product1, sums + 2 * (c + 4));
    }
  }
}

INLINE double sum_doubles(__m256d x) {
  __m128d s = _mm_add_pd(_mm256_castpd256_pd128(x), _mm256_extractf128_pd(x, 1));
  return _mm_cvtsd_f64(_mm_add_sd(s, _mm_unpackhi_pd(s, s)));
}

TARGET void row_sums_avx2(size_t n, const float *x, const float *y, const float *gamma, double *sums) {
  __m256d sum0 = _mm256_setzero_pd(), sum1 = sum0, product0 = sum0, product1 = sum0;
  for (size_t j = 0; j < n; j += 8) {
    __m256 xv = load(n - j, x + j), v = load(n - j, y + j);
    if (gamma) v = _mm256_mul_ps(v, load(n - j, gamma + j));
    __m256d low = low_half(v), high = high_half(v);
    sum0 = _mm256_add_pd(sum0, low);
    sum1 = _mm256_add_pd(sum1, high);
    product0 = _mm256_fmadd_pd(low, low_half(xv), product0);
    product1 = _mm256_fmadd_pd(high, high_half(xv), product1);
  }
  sums[0] = sum_doubles(_mm256_add_pd(sum0, sum1));
  sums[1] = sum_doubles(_mm256_add_pd(product0, product1));
}

TARGET void normalize_avx2(size_t n, const float *x, const float *mean, const float *rsigma, size_t step,
                           const float *gamma, const float *beta, float *y) {
  for (size_t j = 0; j < n; j += 8) {
    size_t left = n - j;
    __m256 normal = _mm256_mul_ps(_mm256_sub_ps(load(left, x + j), load_step(left, mean, j, step)),
                                  load_step(left, rsigma, j, step));
    store(left, y + j, fma(normal, load(left, gamma + j), load(left, beta + j)));
  }
}

TARGET void normalize_dx_avx2(size_t n, const float *x, const float *dy, const float *mean,
                              const float *rsigma, const float *m1, const float *m2, size_t step,
                              const float *gamma, float *dx) {
  for (size_t j = 0; j < n; j += 8) {
    size_t left = n - j;
    __m256 r = load_step(left, rsigma, j, step);
    __m256 normal = _mm256_mul_ps(_mm256_sub_ps(load(left, x + j), load_step(left, mean, j, step)), r);
    __m256 v = _mm256_fmsub_ps(load(left, gamma + j), load(left, dy + j), load_step(left, m1, j, step));
    store(left, dx + j, _mm256_mul_ps(r, _mm256_fnmadd_ps(normal, load_step(left, m2, j, step), v)));
  }
}

#endif
