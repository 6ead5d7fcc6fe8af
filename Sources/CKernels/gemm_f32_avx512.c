#include "ckernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#pragma STDC FP_CONTRACT OFF
#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,f16c,fma")))

/* M rows × P panels in M·P registers. M and P are constants at every call, so the loops over them
 * unroll and sum[][] never touches memory. 12 × 2 leaves 8 registers for two panel rows and one
 * broadcast; 24 independent chains hide the latency of an FMA on every core so far.              */
static inline __attribute__((always_inline)) TARGET void
tile(const int M, const int P, size_t n, size_t k, const float *const *a, size_t offset, const float *b,
     size_t panel_stride, const float *start, float *c, size_t ldc) {
  const __mmask16 last = (__mmask16)(0xffffu >> (16 * P - n));   /* columns of the last panel */
  const float *row[12];
  __m512 sum[12][2];
#pragma clang loop unroll(full)
  for (int i = 0; i < M; i++) {
    row[i] = a[i] + offset;
    const float *from = start ? start : c + (size_t)i * ldc;
    sum[i][0] = _mm512_maskz_loadu_ps(P == 1 ? last : (__mmask16)0xffff, from);
    if (P == 2) sum[i][1] = _mm512_maskz_loadu_ps(last, from + 16);
  }
  const float *b1 = b + panel_stride;
  for (size_t kk = 0; kk < k; kk++) {
    __m512 first = _mm512_load_ps(b + kk * 16), second = first;
    if (P == 2) second = _mm512_load_ps(b1 + kk * 16);
#pragma clang loop unroll(full)
    for (int i = 0; i < M; i++) {
      __m512 x = _mm512_set1_ps(row[i][kk]);
      sum[i][0] = _mm512_fmadd_ps(x, first, sum[i][0]);
      if (P == 2) sum[i][1] = _mm512_fmadd_ps(x, second, sum[i][1]);
    }
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < M; i++) {
    float *to = c + (size_t)i * ldc;
    _mm512_mask_storeu_ps(to, P == 1 ? last : (__mmask16)0xffff, sum[i][0]);
    if (P == 2) _mm512_mask_storeu_ps(to + 16, last, sum[i][1]);
  }
}

#define ROWS(M, P) \
  case M: tile(M, P, n, k, a, offset, b, panel_stride, start, c, ldc); break;
#define EVERY_ROWS(P)                                                                          \
  ROWS(1, P) ROWS(2, P) ROWS(3, P) ROWS(4, P) ROWS(5, P) ROWS(6, P) ROWS(7, P) ROWS(8, P)      \
  ROWS(9, P) ROWS(10, P) ROWS(11, P) ROWS(12, P)

TARGET void gemm_f32_12x32_avx512(size_t m, size_t n, size_t k, const float *const *a, size_t offset,
                                  const float *b, size_t panel_stride, const float *start, float *c,
                                  size_t ldc) {
  if (n > 16) {
    switch (m) { EVERY_ROWS(2) }
  } else {
    switch (m) { EVERY_ROWS(1) }
  }
}

#endif
