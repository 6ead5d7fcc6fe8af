#include "attention.h"
#include "ckernels.h"

/* round(a·b/2^15), halves upwards */
static int32_t rounded(int32_t a, int32_t b) { return (a * b + 0x4000) >> 15; }

static int32_t probability(float s, float top, float by) {
  const float t = (s - top) * by;
  const int32_t x = t > -32768 ? (int32_t)__builtin_rintf(t) : -32768;
  const int32_t z = x + POWER, f = (z & (STEPS - 1)) << 4, i = z >> 11;
  if (i < 0) return 0;
  const int32_t y = ONE + rounded(f, C1 + rounded(f, C2 + rounded(f, C3)));
  return rounded(y, 1 << i);
}

/* The panel is [pair of keys][16 queries][2 keys] in 16 bits. */
void softmax_panel_scalar(size_t keys, const float *s, size_t lds, const float *by, float *state,
                          float *factor, void *panel) {
  float high[16];
  for (size_t j = 0; j < 16; j++) high[j] = s[j];
  for (size_t k = 1; k < keys; k++)
    for (size_t j = 0; j < 16; j++)
      if (s[k * lds + j] > high[j]) high[j] = s[k * lds + j];
  raise_maximum(high, by, state, factor);
  int16_t *p = panel;
  int32_t sum[16] = {0};
  for (size_t k = 0; k < (keys + 3) / 4 * 4; k++)
    for (size_t j = 0; j < 16; j++) {
      const int32_t one = k < keys ? probability(s[k * lds + j], state[j], by[j]) : 0;
      p[k / 2 * 32 + 2 * j + k % 2] = (int16_t)one;
      sum[j] += one;
    }
  for (size_t j = 0; j < 16; j++) state[16 + j] = state[16 + j] * factor[j] + (float)sum[j];
}

void weigh_values_scalar(size_t rows, size_t columns, size_t keys, const void *values, size_t ldv,
                         const float *scale, const void *panels, size_t panel_stride, const float *factor, float *c,
                         size_t ldc) {
  for (size_t i = 0; i < rows; i++) {
    const int8_t *v = (const int8_t *)values + i * ldv;
    for (size_t j = 0; j < columns; j++) {
      const int16_t *p = (const int16_t *)((const char *)panels + j / 16 * panel_stride) + j % 16 * 2;
      int32_t sum = 0;
      for (size_t k = 0; k < keys; k++) sum += p[k / 2 * 32 + k % 2] * v[k];
      const float x = scale[i] * (float)sum;
      c[i * ldc + j] = factor ? c[i * ldc + j] * factor[j] + x : x;
    }
  }
}
