/* Sixteen lanes in plain C: what the others are tested against, and what runs where no instructions are known.
 * What the names mean stands in rows.h. Products round on their own, since a fused multiply-add without
 * hardware is a call.                                                                                   */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#pragma STDC FP_CONTRACT OFF
#define TARGET
#define INLINE static inline __attribute__((always_inline))
#define ROW(kernel) kernel##_scalar

typedef struct { float v[16]; } f32x16;
typedef struct { int32_t v[16]; } i32x16;
typedef struct { double v[16]; } f64x16;

#define EACH_LANE for (size_t l = 0; l < 16; l++)
#define LANES(T, value) \
  T y;                  \
  EACH_LANE y.v[l] = value; \
  return y

INLINE int32_t bits_of(float x) {
  int32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}
INLINE float from_bits(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

/* -- floats ------------------------------------------------------------------------------------- */

INLINE f32x16 load(size_t count, const float *x) {
  f32x16 y = {{0}};
  memcpy(y.v, x, (count < 16 ? count : 16) * sizeof *x);
  return y;
}
INLINE void store(size_t count, float *y, f32x16 a) { memcpy(y, a.v, (count < 16 ? count : 16) * sizeof *y); }
INLINE f32x16 splat(float x) { LANES(f32x16, x); }
INLINE f32x16 only(size_t count, f32x16 a, f32x16 otherwise) {
  LANES(f32x16, l < count ? a.v[l] : otherwise.v[l]);
}

INLINE f32x16 plus(f32x16 a, f32x16 b) { LANES(f32x16, a.v[l] + b.v[l]); }
INLINE f32x16 minus(f32x16 a, f32x16 b) { LANES(f32x16, a.v[l] - b.v[l]); }
INLINE f32x16 times(f32x16 a, f32x16 b) { LANES(f32x16, a.v[l] * b.v[l]); }
INLINE f32x16 divided(f32x16 a, f32x16 b) { LANES(f32x16, a.v[l] / b.v[l]); }
INLINE f32x16 times_plus(f32x16 a, f32x16 b, f32x16 c) { return plus(times(a, b), c); }
INLINE f32x16 times_minus(f32x16 a, f32x16 b, f32x16 c) { return minus(times(a, b), c); }
INLINE f32x16 minus_times(f32x16 c, f32x16 a, f32x16 b) { return minus(c, times(a, b)); }
INLINE f32x16 larger(f32x16 a, f32x16 b) { LANES(f32x16, a.v[l] > b.v[l] ? a.v[l] : b.v[l]); }
INLINE f32x16 smaller(f32x16 a, f32x16 b) { LANES(f32x16, a.v[l] < b.v[l] ? a.v[l] : b.v[l]); }
INLINE f32x16 where_at_least(f32x16 t, float limit, f32x16 a) {
  LANES(f32x16, t.v[l] >= limit ? a.v[l] : 0);
}
INLINE f32x16 add_to_exponent(f32x16 p, f32x16 m) {
  LANES(f32x16, from_bits((uint32_t)bits_of(p.v[l]) + ((uint32_t)bits_of(m.v[l]) << 23)));
}

INLINE float first_lane(f32x16 a) { return a.v[0]; }
INLINE float sum_of_lanes(f32x16 a) {
  for (size_t half = 8; half > 0; half /= 2)
    for (size_t l = 0; l < half; l++) a.v[l] += a.v[l + half];
  return a.v[0];
}
INLINE float largest_lane(f32x16 a) {
  for (size_t l = 1; l < 16; l++) a.v[0] = a.v[l] > a.v[0] ? a.v[l] : a.v[0];
  return a.v[0];
}

/* -- doubles ------------------------------------------------------------------------------------ */

INLINE f64x16 wide_zero(void) { LANES(f64x16, 0); }
INLINE f64x16 widened(f32x16 a) { LANES(f64x16, a.v[l]); }
INLINE f64x16 load_wide(size_t count, const float *x) { return widened(load(count, x)); }
INLINE f64x16 wide_plus(f64x16 a, f64x16 b) { LANES(f64x16, a.v[l] + b.v[l]); }
INLINE f64x16 wide_times_plus(f64x16 a, f64x16 b, f64x16 c) { LANES(f64x16, a.v[l] * b.v[l] + c.v[l]); }
INLINE double sum_of_wide_lanes(f64x16 a) {
  for (size_t half = 8; half > 0; half /= 2)
    for (size_t l = 0; l < half; l++) a.v[l] += a.v[l + half];
  return a.v[0];
}
INLINE void load_pairs(const double *x, f64x16 *a, f64x16 *b) {
  EACH_LANE {
    a->v[l] = x[2 * l];
    b->v[l] = x[2 * l + 1];
  }
}
INLINE void store_pairs(double *y, f64x16 a, f64x16 b) {
  EACH_LANE {
    y[2 * l] = a.v[l];
    y[2 * l + 1] = b.v[l];
  }
}

/* -- whole numbers ------------------------------------------------------------------------------ */

INLINE i32x16 size_bits(f32x16 a) { LANES(i32x16, bits_of(a.v[l]) & 0x7fffffff); }
INLINE i32x16 larger_bits(i32x16 a, i32x16 b) { LANES(i32x16, a.v[l] > b.v[l] ? a.v[l] : b.v[l]); }
INLINE uint32_t largest_bits(i32x16 a) {
  for (size_t l = 1; l < 16; l++) a.v[0] = a.v[l] > a.v[0] ? a.v[l] : a.v[0];
  return (uint32_t)a.v[0];
}
/* Adding 1.5·2^23 leaves no bits for a fraction; sizes are below 2^22. */
INLINE int32_t nearest_whole(float x) { return (int32_t)((x + 12582912.0f) - 12582912.0f); }
INLINE i32x16 nearest(f32x16 a) { LANES(i32x16, nearest_whole(a.v[l])); }
INLINE void store_bytes(size_t count, uint8_t *q, i32x16 a, uint8_t zero) {
  for (size_t l = 0; l < count; l++) q[l] = (uint8_t)(a.v[l] + zero);
}
INLINE int8_t byte_of(const float *bits, size_t index) {
  int8_t byte;
  memcpy(&byte, (const char *)bits + index, 1);
  return byte;
}
INLINE f32x16 bytes_of_quarter(f32x16 bits, const size_t quarter) {
  LANES(f32x16, byte_of(bits.v, 16 * quarter + l));
}
INLINE void spread_bytes(f32x16 bits, f32x16 *y) {
  for (size_t p = 0; p < 4; p++) EACH_LANE y[p].v[l] = byte_of(bits.v, 4 * l + p);
}

/* -- 16-bit floats ------------------------------------------------------------------------------ */

/* Subnormal halves are m·2^−24: exact in float, so the multiplication is too. */
INLINE float from_f16(uint16_t x) {
  uint32_t sign = (uint32_t)(x & 0x8000) << 16, exponent = (x >> 10) & 31, mantissa = x & 1023;
  if (exponent == 0) return (sign ? -1.0f : 1.0f) * (float)mantissa * 0x1p-24f;
  return from_bits(sign | (exponent == 31 ? 255u : exponent + 112) << 23 | mantissa << 13);
}
/* Below 2^−14 a half counts in steps of 2^−24; from there on its bits are the float's without the last 13. */
INLINE uint16_t to_f16(float x) {
  const uint32_t bits = (uint32_t)bits_of(x), sign = bits >> 16 & 0x8000, size = bits & 0x7fffffff;
  uint32_t half;
  if (size > 0x7f800000) half = 0x7e00 | (size >> 13 & 0x1ff);
  else if (size >= 0x47800000) half = 0x7c00;
  else if (size < 0x38800000) half = (uint32_t)nearest_whole(from_bits(size) * 0x1p24f);
  else half = (size + 0xfff + (size >> 13 & 1) - 0x38000000) >> 13;
  return (uint16_t)(sign | half);
}
INLINE f32x16 load_f16(size_t count, const uint16_t *x) { LANES(f32x16, l < count ? from_f16(x[l]) : 0); }
INLINE f32x16 load_bf16(size_t count, const uint16_t *x) {
  LANES(f32x16, l < count ? from_bits((uint32_t)x[l] << 16) : 0);
}
INLINE void store_f16(size_t count, uint16_t *y, f32x16 a) {
  for (size_t l = 0; l < count; l++) y[l] = to_f16(a.v[l]);
}

/* -- places ------------------------------------------------------------------------------------- */

INLINE f32x16 load_quads(const float *x, size_t ld) { LANES(f32x16, x[l / 4 * ld + l % 4]); }
#define FROM(a, b, second, index) (second ? (b).v[l / 4 * 4 + (index)] : (a).v[l / 4 * 4 + (index)])
INLINE f32x16 zip_low(f32x16 a, f32x16 b) { LANES(f32x16, FROM(a, b, l % 2, l % 4 / 2)); }
INLINE f32x16 zip_high(f32x16 a, f32x16 b) { LANES(f32x16, FROM(a, b, l % 2, 2 + l % 4 / 2)); }
INLINE f32x16 low_pairs(f32x16 a, f32x16 b) { LANES(f32x16, FROM(a, b, l % 4 / 2, l % 2)); }
INLINE f32x16 high_pairs(f32x16 a, f32x16 b) { LANES(f32x16, FROM(a, b, l % 4 / 2, 2 + l % 2)); }

INLINE f32x16 butterfly(f32x16 a, size_t h) {
  LANES(f32x16, l & h ? a.v[l - h] - a.v[l] : a.v[l] + a.v[l + h]);
}
INLINE f32x16 butterfly_1(f32x16 a) { return butterfly(a, 1); }
INLINE f32x16 butterfly_2(f32x16 a) { return butterfly(a, 2); }
INLINE f32x16 butterfly_4(f32x16 a) { return butterfly(a, 4); }
INLINE f32x16 butterfly_8(f32x16 a) { return butterfly(a, 8); }
