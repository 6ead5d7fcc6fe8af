#if defined(__x86_64__)
#pragma STDC FP_CONTRACT OFF
#define TARGET __attribute__((target("avx2,avxvnni")))
#define INLINE static inline __attribute__((always_inline)) TARGET
#include "attention_256.h"

INLINE ints multiply_add(ints sum, ints x, ints y) { return _mm256_dpwssd_avx_epi32(sum, x, y); }

#include "attention_pairs.h"

TARGET void softmax_panel_avxvnni(size_t keys, const float *s, size_t lds, const float *by, float *state,
                                  float *factor, void *panel) {
  softmax_panel(keys, s, lds, by, state, factor, panel);
}

TARGET void weigh_values_avxvnni(size_t rows, size_t columns, size_t keys, const void *values, size_t ldv,
                                 const float *scale, const void *panels, size_t panel_stride,
                                 const float *factor, float *c, size_t ldc) {
  weigh_values(rows, columns, keys, values, ldv, scale, panels, panel_stride, factor, c, ldc);
}
#endif
