/* Sixteen lanes in four registers of NEON; what the names mean stands in rows.h. Four independent vectors per
 * step also suit an in-order core, which waits eight cycles for a fused product.                         */
#pragma once
#include <arm_neon.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#pragma STDC FP_CONTRACT OFF
#define TARGET
#define INLINE static inline __attribute__((always_inline))
#define ROW(kernel) kernel##_neon

typedef struct { float32x4_t v[4]; } f32x16;
typedef struct { int32x4_t v[4]; } i32x16;
typedef struct { float64x2_t v[8]; } f64x16;

#define ALL1(T, f, a) (T){{f((a).v[0]), f((a).v[1]), f((a).v[2]), f((a).v[3])}}
#define ALL2(T, f, a, b) \
  (T){{f((a).v[0], (b).v[0]), f((a).v[1], (b).v[1]), f((a).v[2], (b).v[2]), f((a).v[3], (b).v[3])}}
#define ALL3(T, f, a, b, c)                                                           \
  (T){{f((a).v[0], (b).v[0], (c).v[0]), f((a).v[1], (b).v[1], (c).v[1]),              \
       f((a).v[2], (b).v[2], (c).v[2]), f((a).v[3], (b).v[3], (c).v[3])}}

/* -- floats ------------------------------------------------------------------------------------- */

INLINE f32x16 load(size_t count, const float *x) {
  float edge[16] = {0};
  if (count < 16) x = memcpy(edge, x, count * sizeof *x);
  return (f32x16){{vld1q_f32(x), vld1q_f32(x + 4), vld1q_f32(x + 8), vld1q_f32(x + 12)}};
}
INLINE void store(size_t count, float *y, f32x16 a) {
  float edge[16], *to = count < 16 ? edge : y;
  for (size_t u = 0; u < 4; u++) vst1q_f32(to + 4 * u, a.v[u]);
  if (count < 16) memcpy(y, edge, count * sizeof *y);
}
INLINE f32x16 splat(float x) {
  const float32x4_t v = vdupq_n_f32(x);
  return (f32x16){{v, v, v, v}};
}
INLINE f32x16 only(size_t count, f32x16 a, f32x16 otherwise) {
  if (count >= 16) return a;
  const int32x4_t lanes = {0, 1, 2, 3};
  for (size_t u = 0; u < 4; u++) {
    const uint32x4_t own = vcgtq_s32(vdupq_n_s32((int)count - 4 * (int)u), lanes);
    a.v[u] = vbslq_f32(own, a.v[u], otherwise.v[u]);
  }
  return a;
}

INLINE f32x16 plus(f32x16 a, f32x16 b) { return ALL2(f32x16, vaddq_f32, a, b); }
INLINE f32x16 minus(f32x16 a, f32x16 b) { return ALL2(f32x16, vsubq_f32, a, b); }
INLINE f32x16 times(f32x16 a, f32x16 b) { return ALL2(f32x16, vmulq_f32, a, b); }
INLINE f32x16 divided(f32x16 a, f32x16 b) { return ALL2(f32x16, vdivq_f32, a, b); }
INLINE f32x16 times_plus(f32x16 a, f32x16 b, f32x16 c) { return ALL3(f32x16, vfmaq_f32, c, a, b); }
/* The negation is folded into the instruction where that is the accumulator's, and otherwise exact. */
INLINE f32x16 times_minus(f32x16 a, f32x16 b, f32x16 c) {
  const f32x16 less = ALL1(f32x16, vnegq_f32, c);
  return ALL3(f32x16, vfmaq_f32, less, a, b);
}
INLINE f32x16 minus_times(f32x16 c, f32x16 a, f32x16 b) { return ALL3(f32x16, vfmsq_f32, c, a, b); }
/* Of a number and a NaN the number, as x86 gives for a NaN in a. */
INLINE f32x16 larger(f32x16 a, f32x16 b) { return ALL2(f32x16, vmaxnmq_f32, a, b); }
INLINE f32x16 smaller(f32x16 a, f32x16 b) { return ALL2(f32x16, vminnmq_f32, a, b); }
INLINE float32x4_t kept(float32x4_t t, float32x4_t limit, float32x4_t v) {
  return vreinterpretq_f32_u32(vandq_u32(vcgeq_f32(t, limit), vreinterpretq_u32_f32(v)));
}
INLINE f32x16 where_at_least(f32x16 t, float limit, f32x16 a) {
  const f32x16 least = splat(limit);
  return ALL3(f32x16, kept, t, least, a);
}
INLINE float32x4_t with_exponent(float32x4_t p, float32x4_t m) {
  int32x4_t bits = vshlq_n_s32(vreinterpretq_s32_f32(m), 23);
  return vreinterpretq_f32_s32(vaddq_s32(vreinterpretq_s32_f32(p), bits));
}
INLINE f32x16 add_to_exponent(f32x16 p, f32x16 m) { return ALL2(f32x16, with_exponent, p, m); }

INLINE float first_lane(f32x16 a) { return vgetq_lane_f32(a.v[0], 0); }
INLINE float sum_of_lanes(f32x16 a) {
  float32x4_t s = vaddq_f32(vaddq_f32(a.v[0], a.v[2]), vaddq_f32(a.v[1], a.v[3]));
  float32x2_t two = vadd_f32(vget_low_f32(s), vget_high_f32(s));
  return vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
}
INLINE float largest_lane(f32x16 a) {
  return vmaxnmvq_f32(vmaxnmq_f32(vmaxnmq_f32(a.v[0], a.v[2]), vmaxnmq_f32(a.v[1], a.v[3])));
}

/* -- doubles ------------------------------------------------------------------------------------ */

INLINE f64x16 wide_zero(void) {
  const float64x2_t zero = vdupq_n_f64(0);
  return (f64x16){{zero, zero, zero, zero, zero, zero, zero, zero}};
}
INLINE f64x16 widened(f32x16 a) {
  f64x16 wide;
  for (size_t u = 0; u < 4; u++) {
    wide.v[2 * u] = vcvt_f64_f32(vget_low_f32(a.v[u]));
    wide.v[2 * u + 1] = vcvt_high_f64_f32(a.v[u]);
  }
  return wide;
}
INLINE f64x16 load_wide(size_t count, const float *x) { return widened(load(count, x)); }
INLINE f64x16 wide_plus(f64x16 a, f64x16 b) {
  for (size_t u = 0; u < 8; u++) a.v[u] = vaddq_f64(a.v[u], b.v[u]);
  return a;
}
INLINE f64x16 wide_times_plus(f64x16 a, f64x16 b, f64x16 c) {
  for (size_t u = 0; u < 8; u++) c.v[u] = vfmaq_f64(c.v[u], a.v[u], b.v[u]);
  return c;
}
INLINE double sum_of_wide_lanes(f64x16 a) {
  for (size_t half = 4; half > 0; half /= 2)
    for (size_t u = 0; u < half; u++) a.v[u] = vaddq_f64(a.v[u], a.v[u + half]);
  return vgetq_lane_f64(a.v[0], 0) + vgetq_lane_f64(a.v[0], 1);
}

INLINE void load_pairs(const double *x, f64x16 *a, f64x16 *b) {
  for (size_t u = 0; u < 8; u++) {
    const float64x2x2_t pair = vld2q_f64(x + 4 * u);
    a->v[u] = pair.val[0];
    b->v[u] = pair.val[1];
  }
}
INLINE void store_pairs(double *y, f64x16 a, f64x16 b) {
  for (size_t u = 0; u < 8; u++) {
    const float64x2x2_t pair = {{a.v[u], b.v[u]}};
    vst2q_f64(y + 4 * u, pair);
  }
}

/* -- whole numbers ------------------------------------------------------------------------------ */

INLINE int32x4_t without_sign(float32x4_t x) {
  return vandq_s32(vreinterpretq_s32_f32(x), vdupq_n_s32(0x7fffffff));
}
INLINE i32x16 size_bits(f32x16 a) { return ALL1(i32x16, without_sign, a); }
/* Without their sign, bits compare alike as signed and unsigned numbers. */
INLINE i32x16 larger_bits(i32x16 a, i32x16 b) { return ALL2(i32x16, vmaxq_s32, a, b); }
INLINE uint32_t largest_bits(i32x16 a) {
  return (uint32_t)vmaxvq_s32(vmaxq_s32(vmaxq_s32(a.v[0], a.v[2]), vmaxq_s32(a.v[1], a.v[3])));
}
INLINE i32x16 nearest(f32x16 a) { return ALL1(i32x16, vcvtnq_s32_f32, a); }
INLINE void store_bytes(size_t count, uint8_t *q, i32x16 a, uint8_t zero) {
  const int16x8_t low = vuzp1q_s16(vreinterpretq_s16_s32(a.v[0]), vreinterpretq_s16_s32(a.v[1]));
  const int16x8_t high = vuzp1q_s16(vreinterpretq_s16_s32(a.v[2]), vreinterpretq_s16_s32(a.v[3]));
  uint8x16_t bytes = vuzp1q_u8(vreinterpretq_u8_s16(low), vreinterpretq_u8_s16(high));
  bytes = vaddq_u8(bytes, vdupq_n_u8(zero));
  if (count >= 16) vst1q_u8(q, bytes);
  else memcpy(q, &bytes, count);
}
INLINE f32x16 bytes_of_quarter(f32x16 bits, const size_t quarter) {
  const int8x16_t b = vreinterpretq_s8_f32(bits.v[quarter]);
  const int16x8_t low = vmovl_s8(vget_low_s8(b)), high = vmovl_high_s8(b);
  const i32x16 a = {{vmovl_s16(vget_low_s16(low)), vmovl_high_s16(low), vmovl_s16(vget_low_s16(high)),
                     vmovl_high_s16(high)}};
  return ALL1(f32x16, vcvtq_f32_s32, a);
}
INLINE void spread_bytes(f32x16 bits, f32x16 *y) {
  for (size_t u = 0; u < 4; u++) {
    const int32x4_t four = vreinterpretq_s32_f32(bits.v[u]);
    y[0].v[u] = vcvtq_f32_s32(vshrq_n_s32(vshlq_n_s32(four, 24), 24));
    y[1].v[u] = vcvtq_f32_s32(vshrq_n_s32(vshlq_n_s32(four, 16), 24));
    y[2].v[u] = vcvtq_f32_s32(vshrq_n_s32(vshlq_n_s32(four, 8), 24));
    y[3].v[u] = vcvtq_f32_s32(vshrq_n_s32(four, 24));
  }
}

/* -- 16-bit floats: their conversion is part of every ARMv8-A, arithmetic on them is not ---------- */

typedef struct { uint16x4_t v[4]; } words16;
INLINE words16 load_words(size_t count, const uint16_t *x) {
  uint16_t edge[16] = {0};
  if (count < 16) x = memcpy(edge, x, count * sizeof *x);
  return (words16){{vld1_u16(x), vld1_u16(x + 4), vld1_u16(x + 8), vld1_u16(x + 12)}};
}
INLINE float32x4_t from_f16(uint16x4_t x) { return vcvt_f32_f16(vreinterpret_f16_u16(x)); }
INLINE float32x4_t from_bf16(uint16x4_t x) { return vreinterpretq_f32_u32(vshll_n_u16(x, 16)); }
INLINE f32x16 load_f16(size_t count, const uint16_t *x) {
  const words16 words = load_words(count, x);
  return ALL1(f32x16, from_f16, words);
}
INLINE f32x16 load_bf16(size_t count, const uint16_t *x) {
  const words16 words = load_words(count, x);
  return ALL1(f32x16, from_bf16, words);
}
INLINE void store_f16(size_t count, uint16_t *y, f32x16 a) {
  uint16_t edge[16], *to = count < 16 ? edge : y;
  for (size_t u = 0; u < 4; u++) vst1_u16(to + 4 * u, vreinterpret_u16_f16(vcvt_f16_f32(a.v[u])));
  if (count < 16) memcpy(y, edge, count * sizeof *y);
}

/* -- places ------------------------------------------------------------------------------------- */

INLINE f32x16 load_quads(const float *x, size_t ld) {
  return (f32x16){{vld1q_f32(x), vld1q_f32(x + ld), vld1q_f32(x + 2 * ld), vld1q_f32(x + 3 * ld)}};
}
INLINE float32x4_t first_pairs(float32x4_t a, float32x4_t b) {
  return vreinterpretq_f32_f64(vzip1q_f64(vreinterpretq_f64_f32(a), vreinterpretq_f64_f32(b)));
}
INLINE float32x4_t last_pairs(float32x4_t a, float32x4_t b) {
  return vreinterpretq_f32_f64(vzip2q_f64(vreinterpretq_f64_f32(a), vreinterpretq_f64_f32(b)));
}
INLINE f32x16 zip_low(f32x16 a, f32x16 b) { return ALL2(f32x16, vzip1q_f32, a, b); }
INLINE f32x16 zip_high(f32x16 a, f32x16 b) { return ALL2(f32x16, vzip2q_f32, a, b); }
INLINE f32x16 low_pairs(f32x16 a, f32x16 b) { return ALL2(f32x16, first_pairs, a, b); }
INLINE f32x16 high_pairs(f32x16 a, f32x16 b) { return ALL2(f32x16, last_pairs, a, b); }

INLINE f32x16 butterfly_1(f32x16 a) {
  const uint32x4_t odd = {0, ~0u, 0, ~0u};
  for (size_t u = 0; u < 4; u++) {
    const float32x4_t other = vrev64q_f32(a.v[u]);
    a.v[u] = vbslq_f32(odd, vsubq_f32(other, a.v[u]), vaddq_f32(a.v[u], other));
  }
  return a;
}
INLINE f32x16 butterfly_2(f32x16 a) {
  const uint32x4_t upper = {0, 0, ~0u, ~0u};
  for (size_t u = 0; u < 4; u++) {
    const float32x4_t other = vextq_f32(a.v[u], a.v[u], 2);
    a.v[u] = vbslq_f32(upper, vsubq_f32(other, a.v[u]), vaddq_f32(a.v[u], other));
  }
  return a;
}
INLINE f32x16 butterfly_4(f32x16 a) {
  return (f32x16){{vaddq_f32(a.v[0], a.v[1]), vsubq_f32(a.v[0], a.v[1]), vaddq_f32(a.v[2], a.v[3]),
                   vsubq_f32(a.v[2], a.v[3])}};
}
INLINE f32x16 butterfly_8(f32x16 a) {
  return (f32x16){{vaddq_f32(a.v[0], a.v[2]), vaddq_f32(a.v[1], a.v[3]), vsubq_f32(a.v[0], a.v[2]),
                   vsubq_f32(a.v[1], a.v[3])}};
}
