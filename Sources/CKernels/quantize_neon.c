#include "ckernels.h"

#if defined(__aarch64__)
#include "math_neon.h"
#include "quantize.h"

/* The next 4 of a row, zeros behind its end. */
INLINE float32x4_t next(size_t left, const float *x) {
  if (left >= 4) return vld1q_f32(x);
  float last[4] = {0};
  memcpy(last, x, left * sizeof last[0]);
  return vld1q_f32(last);
}

INLINE uint32_t largest_size(size_t n, const float *x) {
  uint32x4_t most = vdupq_n_u32(0);
  for (size_t j = 0; j < n; j += 4)
    most = vmaxq_u32(most, vandq_u32(vdupq_n_u32(SIZE_BITS), vreinterpretq_u32_f32(next(n - j, x + j))));
  return vmaxvq_u32(most);
}

float max_size_neon(size_t n, const float *x) { return size_of_bits(largest_size(n, x)); }

float quantize_row_neon(size_t n, const float *x, uint8_t zero, uint8_t *q) {
  float inverse, scale = row_scale(largest_size(n, x), &inverse);
  if (inverse == 0) {
    memset(q, zero, whole_groups(n));
    return scale;
  }
  const uint8x8_t offset = vdup_n_u8(zero);
  for (size_t j = 0; j < n; j += 4) {
    int16x4_t words = vmovn_s32(vcvtnq_s32_f32(vmulq_n_f32(next(n - j, x + j), inverse)));
    uint8x8_t packed = vadd_u8(vreinterpret_u8_s8(vmovn_s16(vcombine_s16(words, words))), offset);
    memcpy(q + j, &packed, 4);
  }
  return scale;
}

void dequantize_block_neon(size_t rows, size_t groups, const int8_t *b, const float *scale, float *y) {
  for (size_t r = 0; r < rows; r++)
    for (size_t g = 0; g < 4; g++) {
      int32_t four = 0;
      if (g < groups) memcpy(&four, b + 64 * g + 4 * r, 4);
      int16x8_t words = vmovl_s8(vreinterpret_s8_s32(vdup_n_s32(four)));
      float32x4_t values = vcvtq_f32_s32(vmovl_s16(vget_low_s16(words)));
      vst1q_f32(y + 16 * r + 4 * g, vmulq_n_f32(values, scale[r]));
    }
}

/* 16 bytes are four channels of 4 columns: byte p of every 32-bit lane, its sign spread by shifts. */
void dequantize_rows_neon(size_t groups, size_t columns, const int8_t *b, const float *scale, float *y) {
  for (size_t j = 0; j < 16; j += 4) {
    const float32x4_t by = columns > j ? next(columns - j, scale + j) : vdupq_n_f32(0);
    float *to = y + j;
    for (size_t g = 0; g < groups; g++, to += 64) {
      int32x4_t four = vreinterpretq_s32_s8(vld1q_s8(b + 64 * g + 4 * j));
      vst1q_f32(to, vmulq_f32(vcvtq_f32_s32(vshrq_n_s32(vshlq_n_s32(four, 24), 24)), by));
      vst1q_f32(to + 16, vmulq_f32(vcvtq_f32_s32(vshrq_n_s32(vshlq_n_s32(four, 16), 24)), by));
      vst1q_f32(to + 32, vmulq_f32(vcvtq_f32_s32(vshrq_n_s32(vshlq_n_s32(four, 8), 24)), by));
      vst1q_f32(to + 48, vmulq_f32(vcvtq_f32_s32(vshrq_n_s32(four, 24)), by));
    }
  }
}

#endif
