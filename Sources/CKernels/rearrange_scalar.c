/* Widening, transposing and packing: every value is moved or converted exactly. */
#include <string.h>

#include "ckernels.h"
#include "math_scalar.h"

static float from_bits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/* Subnormal halves are m·2^−24: exact in float, so the multiplication is too. */
void widen_f16_scalar(size_t n, const uint16_t *x, float *y) {
  for (size_t j = 0; j < n; j++) {
    uint32_t sign = (uint32_t)(x[j] & 0x8000) << 16, exponent = (x[j] >> 10) & 31, mantissa = x[j] & 1023;
    if (exponent == 0) y[j] = (sign ? -1.0f : 1.0f) * (float)mantissa * 0x1p-24f;
    else y[j] = from_bits(sign | (exponent == 31 ? 255u : exponent + 112) << 23 | mantissa << 13);
  }
}

void widen_bf16_scalar(size_t n, const uint16_t *x, float *y) {
  for (size_t j = 0; j < n; j++) y[j] = from_bits((uint32_t)x[j] << 16);
}

/* Below 2^−14 a half counts in steps of 2^−24; from there on its bits are the float's without the last 13. */
void narrow_f16_scalar(size_t n, const float *x, uint16_t *y) {
  for (size_t j = 0; j < n; j++) {
    uint32_t bits, half;
    memcpy(&bits, x + j, sizeof bits);
    const uint32_t sign = bits >> 16 & 0x8000, size = bits & 0x7fffffff;
    if (size > 0x7f800000) half = 0x7e00 | (size >> 13 & 0x1ff);
    else if (size >= 0x47800000) half = 0x7c00;
    else if (size < 0x38800000) half = (uint32_t)nearest(from_bits(size) * 0x1p24f);
    else half = (size + 0xfff + (size >> 13 & 1) - 0x38000000) >> 13;
    y[j] = (uint16_t)(sign | half);
  }
}

void transpose_16x16_scalar(const float *x, size_t ldx, float *y, size_t ldy) {
  for (size_t j = 0; j < 16; j++)
    for (size_t i = 0; i < 16; i++) y[j * ldy + i] = x[i * ldx + j];
}

#define PACK_PANEL(type, name)                                                                \
  void name(size_t rows, size_t channels, size_t taps, const type *x, type *y) {              \
    for (size_t t = 0; t < taps; t++)                                                         \
      for (size_t c = 0; c < channels; c++, y += 16) {                                        \
        const type *from = x + c * taps + t;                                                  \
        for (size_t j = 0; j < rows; j++) y[j] = from[j * channels * taps];                   \
        for (size_t j = rows; j < 16; j++) y[j] = 0;                                          \
      }                                                                                       \
  }

PACK_PANEL(uint16_t, pack_panel_16bit)
PACK_PANEL(uint32_t, pack_panel_32bit)
