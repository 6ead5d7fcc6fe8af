#include <string.h>

#include "ckernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#pragma STDC FP_CONTRACT OFF
#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")))
#define INLINE static inline __attribute__((always_inline)) TARGET

INLINE __m512i four(const uint8_t *x) {
  int32_t bits;
  memcpy(&bits, x, sizeof bits);
  return _mm512_set1_epi32(bits);
}

/* M rows × P panels in M·P registers, both constants at every call: 24 chains, two panel groups and one
 * broadcast, as in the float tile. vpdpbusd multiplies unsigned by signed bytes without saturation, so
 * rows hold q + 128, and a sum starts from −128·Σ_k b. Sums on the way may wrap; the last one fits.   */
INLINE void tile(const int M, const int P, size_t n, size_t k, const uint8_t *const *a,
                 const float *row_scale, const int8_t *b, size_t panel_stride, bool starts, bool ends,
                 const float *scale, const float *bias, float *c, size_t ldc) {
  const __mmask16 last = (__mmask16)(0xffffu >> (16 * P - n));   /* columns of the last panel */
  const uint8_t *row[12];
  __m512i sum[12][2], start[2];
#pragma clang loop unroll(full)
  for (int p = 0; p < P; p++) {
    __m512i sums = _mm512_load_si512(b + (size_t)p * panel_stride);
    start[p] = _mm512_sub_epi32(_mm512_setzero_si512(), _mm512_slli_epi32(sums, 7));
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < M; i++) {
    row[i] = a[i];
#pragma clang loop unroll(full)
    for (int p = 0; p < P; p++) sum[i][p] = start[p];
  }
  const int8_t *group = b + 64;
  for (size_t kk = 0; kk < k; kk += 4, group += 64) {
    __m512i first = _mm512_load_si512(group), second = first;
    if (P == 2) second = _mm512_load_si512(group + panel_stride);
#pragma clang loop unroll(full)
    for (int i = 0; i < M; i++) {
      __m512i x = four(row[i] + kk);
      sum[i][0] = _mm512_dpbusd_epi32(sum[i][0], x, first);
      if (P == 2) sum[i][1] = _mm512_dpbusd_epi32(sum[i][1], x, second);
    }
  }
#pragma clang loop unroll(full)
  for (int p = 0; p < P; p++) {
    const __mmask16 mask = p == P - 1 ? last : (__mmask16)0xffff;
    const size_t j = 16 * (size_t)p;
    __m512 by = _mm512_setzero_ps(), plus = by;
    if (ends) {
      by = _mm512_maskz_loadu_ps(mask, scale + j);
      plus = _mm512_maskz_loadu_ps(mask, bias + j);
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < M; i++) {
      float *to = c + (size_t)i * ldc + j;
      __m512 v = _mm512_mul_ps(_mm512_set1_ps(row_scale[i]), _mm512_cvtepi32_ps(sum[i][p]));
      if (!starts) v = _mm512_add_ps(_mm512_maskz_loadu_ps(mask, to), v);
      if (ends) v = _mm512_add_ps(_mm512_mul_ps(v, by), plus);
      _mm512_mask_storeu_ps(to, mask, v);
    }
  }
}

#define ROWS(M, P) \
  case M: tile(M, P, n, k, a, row_scale, b, panel_stride, starts, ends, scale, bias, c, ldc); break;
#define EVERY_ROWS(P)                                                                          \
  ROWS(1, P) ROWS(2, P) ROWS(3, P) ROWS(4, P) ROWS(5, P) ROWS(6, P) ROWS(7, P) ROWS(8, P)      \
  ROWS(9, P) ROWS(10, P) ROWS(11, P) ROWS(12, P)

TARGET void gemm_s8_12x32c4_avx512vnni(size_t m, size_t n, size_t k, const uint8_t *const *a,
                                       const float *row_scale, const int8_t *b, size_t panel_stride,
                                       bool starts, bool ends, const float *scale, const float *bias,
                                       float *c, size_t ldc) {
  if (n > 16) {
    switch (m) { EVERY_ROWS(2) }
  } else {
    switch (m) { EVERY_ROWS(1) }
  }
}

#endif
