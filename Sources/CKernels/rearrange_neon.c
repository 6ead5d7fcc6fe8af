/* Widening and transposing: every value is moved or converted exactly. */
#include "ckernels.h"

#if defined(__aarch64__)
#include <arm_neon.h>
#include <string.h>

/* The conversion from half is part of every ARMv8-A; arithmetic on half is not. */
static inline float32x4_t from_f16(uint16x4_t x) { return vcvt_f32_f16(vreinterpret_f16_u16(x)); }
static inline float32x4_t from_bf16(uint16x4_t x) { return vreinterpretq_f32_u32(vshll_n_u16(x, 16)); }

#define WIDEN(type)                                                              \
  void widen_##type##_neon(size_t n, const uint16_t *x, float *y) {              \
    size_t j = 0;                                                                \
    for (; j + 8 <= n; j += 8) {                                                 \
      uint16x8_t eight = vld1q_u16(x + j);                                       \
      vst1q_f32(y + j, from_##type(vget_low_u16(eight)));                        \
      vst1q_f32(y + j + 4, from_##type(vget_high_u16(eight)));                   \
    }                                                                            \
    for (; j < n; j += 4) {                                                      \
      size_t count = n - j < 4 ? n - j : 4;                                      \
      uint16_t from[4] = {0};                                                    \
      float to[4];                                                               \
      memcpy(from, x + j, count * sizeof *x);                                    \
      vst1q_f32(to, from_##type(vld1_u16(from)));                                \
      memcpy(y + j, to, count * sizeof *y);                                      \
    }                                                                            \
  }

WIDEN(f16)
WIDEN(bf16)

void narrow_f16_neon(size_t n, const float *x, uint16_t *y) {
  size_t j = 0;
  for (; j + 4 <= n; j += 4) vst1_u16(y + j, vreinterpret_u16_f16(vcvt_f16_f32(vld1q_f32(x + j))));
  if (j < n) {
    float from[4] = {0};
    uint16_t to[4];
    memcpy(from, x + j, (n - j) * sizeof *x);
    vst1_u16(to, vreinterpret_u16_f16(vcvt_f16_f32(vld1q_f32(from))));
    memcpy(y + j, to, (n - j) * sizeof *y);
  }
}

void transpose_16x16_neon(const float *x, size_t ldx, float *y, size_t ldy) {
  for (size_t i = 0; i < 16; i += 4)
    for (size_t j = 0; j < 16; j += 4) {
      const float *from = x + i * ldx + j;
      float *to = y + j * ldy + i;
      float32x4_t r0 = vld1q_f32(from), r1 = vld1q_f32(from + ldx);
      float32x4_t r2 = vld1q_f32(from + 2 * ldx), r3 = vld1q_f32(from + 3 * ldx);
      float32x4_t a = vzip1q_f32(r0, r2), b = vzip1q_f32(r1, r3);     /* 00 20 01 21, 10 30 11 31 */
      float32x4_t c = vzip2q_f32(r0, r2), d = vzip2q_f32(r1, r3);     /* 02 22 03 23, 12 32 13 33 */
      vst1q_f32(to, vzip1q_f32(a, b));
      vst1q_f32(to + ldy, vzip2q_f32(a, b));
      vst1q_f32(to + 2 * ldy, vzip1q_f32(c, d));
      vst1q_f32(to + 3 * ldy, vzip2q_f32(c, d));
    }
}
#endif
