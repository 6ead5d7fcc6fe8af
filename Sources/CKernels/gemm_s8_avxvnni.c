#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("avx2,avxvnni")))
#define INLINE static inline __attribute__((always_inline)) TARGET

INLINE __m256i dot(__m256i sum, __m256i x, __m256i y) { return _mm256_dpbusd_avx_epi32(sum, x, y); }

#include "gemm_s8_vnni256.h"

TARGET void gemm_s8_6x16c4_avxvnni(size_t m, size_t n, size_t k, const uint8_t *const *a,
                                   const float *row_scale, const int8_t *b, size_t panel_stride, bool starts,
                                   bool ends, const float *scale, const float *bias, float *c, size_t ldc) {
  (void)panel_stride;                                  /* the tile is one panel wide */
  switch (m) { ROWS(1) ROWS(2) ROWS(3) ROWS(4) ROWS(5) ROWS(6) }
}
#endif
