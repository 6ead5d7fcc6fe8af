#if defined(__x86_64__)
#pragma STDC FP_CONTRACT OFF
#define TARGET __attribute__((target("avx2")))
#define INLINE static inline __attribute__((always_inline)) TARGET
#include "attention_256.h"

INLINE ints multiply_add(ints sum, ints x, ints y) { return add(sum, _mm256_madd_epi16(x, y)); }

#include "attention_pairs.h"

TARGET void softmax_panel_avx2(size_t keys, const float *s, size_t lds, const float *by, float *state,
                                  float *factor, void *panel) {
  softmax_panel(keys, s, lds, by, state, factor, panel);
}

TARGET void weigh_values_avx2(size_t rows, size_t columns, size_t keys, const void *values, size_t ldv,
                                 const float *scale, const void *panels, size_t panel_stride,
                                 const float *factor, float *c, size_t ldc) {
  weigh_values(rows, columns, keys, values, ldv, scale, panels, panel_stride, factor, c, ldc);
}
#endif
