#include "ckernels.h"

#if defined(__x86_64__)
#include "math_avx512.h"

INLINE __m512d low_half(__m512 x) { return _mm512_cvtps_pd(_mm512_castps512_ps256(x)); }
INLINE __m512d high_half(__m512 x) { return _mm512_cvtps_pd(_mm512_extractf32x8_ps(x, 1)); }

/* Adds 8 channels' (Σ y, Σ y·x) to interleaved sums. */
INLINE void add_pairs(size_t n, __m512d sum, __m512d product, double *sums) {
  double pair[2][8];
  _mm512_storeu_pd(pair[0], sum);
  _mm512_storeu_pd(pair[1], product);
  for (size_t i = 0; i < n; i++) {
    sums[2 * i] += pair[0][i];
    sums[2 * i + 1] += pair[1][i];
  }
}

/* 16 channels at a time in registers over blocks of 64 rows, which stay in the first-level cache. */
TARGET void channel_sums_avx512(size_t rows, size_t channels, const float *x, size_t ldx, const float *y,
                                size_t ldy, double *sums) {
  for (size_t first = 0; first < rows; first += 64) {
    size_t end = first + 64 < rows ? first + 64 : rows;
    for (size_t c = 0; c < channels; c += 16) {
      size_t left = channels - c;
      __mmask16 m = lanes(left);
      __m512d sum0 = _mm512_setzero_pd(), sum1 = sum0, product0 = sum0, product1 = sum0;
      for (size_t r = first; r < end; r++) {
        __m512 xv = load(m, x + r * ldx + c), yv = load(m, y + r * ldy + c);
        __m512d low = low_half(yv), high = high_half(yv);
        sum0 = _mm512_add_pd(sum0, low);
        sum1 = _mm512_add_pd(sum1, high);
        product0 = _mm512_fmadd_pd(low, low_half(xv), product0);
        product1 = _mm512_fmadd_pd(high, high_half(xv), product1);
      }
      add_pairs(left < 8 ? left : 8, sum0, product0, sums + 2 * c);
      if (left > 8) add_pairs(left < 16 ? left - 8 : 8, sum1, product1, sums + 2 * (c + 8));
    }
  }
}

TARGET void row_sums_avx512(size_t n, const float *x, const float *y, const float *gamma, double *sums) {
  __m512d sum0 = _mm512_setzero_pd(), sum1 = sum0, product0 = sum0, product1 = sum0;
  for (size_t j = 0; j < n; j += 16) {
    __mmask16 m = lanes(n - j);
    __m512 xv = load(m, x + j), v = load(m, y + j);
    if (gamma) v = _mm512_mul_ps(v, load(m, gamma + j));
    __m512d low = low_half(v), high = high_half(v);
    sum0 = _mm512_add_pd(sum0, low);
    sum1 = _mm512_add_pd(sum1, high);
    product0 = _mm512_fmadd_pd(low, low_half(xv), product0);
    product1 = _mm512_fmadd_pd(high, high_half(xv), product1);
  }
  sums[0] = _mm512_reduce_add_pd(_mm512_add_pd(sum0, sum1));
  sums[1] = _mm512_reduce_add_pd(_mm512_add_pd(product0, product1));
}

TARGET void normalize_avx512(size_t n, const float *x, const float *mean, const float *rsigma, size_t step,
                             const float *gamma, const float *beta, float *y) {
  for (size_t j = 0; j < n; j += 16) {
    __mmask16 m = lanes(n - j);
    __m512 normal = _mm512_mul_ps(_mm512_sub_ps(load(m, x + j), load_step(m, mean, j, step)),
                                  load_step(m, rsigma, j, step));
    store(m, y + j, fma(normal, load(m, gamma + j), load(m, beta + j)));
  }
}

TARGET void normalize_dx_avx512(size_t n, const float *x, const float *dy, const float *mean,
                                const float *rsigma, const float *m1, const float *m2, size_t step,
                                const float *gamma, float *dx) {
  for (size_t j = 0; j < n; j += 16) {
    __mmask16 m = lanes(n - j);
    __m512 r = load_step(m, rsigma, j, step);
    __m512 normal = _mm512_mul_ps(_mm512_sub_ps(load(m, x + j), load_step(m, mean, j, step)), r);
    __m512 v = _mm512_fmsub_ps(load(m, gamma + j), load(m, dy + j), load_step(m, m1, j, step));
    store(m, dx + j, _mm512_mul_ps(r, _mm512_fnmadd_ps(normal, load_step(m, m2, j, step), v)));
  }
}

#endif
