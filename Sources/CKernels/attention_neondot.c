#if defined(__aarch64__)
#define TARGET __attribute__((target("dotprod")))
#define DOT(sum, p, v, lane) vdotq_laneq_s32(sum, p, v, lane)

#include "attention_dot.h"

void softmax_panel_neondot(size_t keys, const float *s, size_t lds, const float *by, float *state, float *factor,
                      void *panel) {
  softmax_panel(keys, s, lds, by, state, factor, panel);
}

TARGET void weigh_values_neondot(size_t rows, size_t columns, size_t keys, const void *values, size_t ldv,
                            const float *scale, const void *panels, size_t panel_stride, const float *factor,
                            float *c, size_t ldc) {
  weigh_values(rows, columns, keys, values, ldv, scale, panels, panel_stride, factor, c, ldc);
}
#endif
