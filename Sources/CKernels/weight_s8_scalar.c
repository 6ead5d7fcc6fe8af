/* Offline side of int8 weights: what a scale costs a row, and panels. */
#include "weight_s8.h"

#include "ckernels.h"
#include "math_scalar.h"

/* Sixteen lanes let the compiler take the widest registers that every CPU has. */
double energy(size_t n, const float *x, float by) {
  float lane[16] = {0};
  size_t j = 0;
  for (; j + 16 <= n; j += 16)
    for (size_t l = 0; l < 16; l++) {
      float t = x[j + l] * by;
      lane[l] += t * t;
    }
  for (size_t l = 0; j < n; j++, l++) {
    float t = x[j] * by;
    lane[l] += t * t;
  }
  return sum_of_lanes(lane);
}

double quantization_error_scalar(size_t n, const float *x, float by) {
  float lane[16] = {0};
  for (size_t j = 0; j < n; j++) {
    float t = x[j] * by;
    float q = t > 127 ? 127 : t < -127 ? -127 : nearest(t);
    lane[j % 16] += (t - q) * (t - q);
  }
  return sum_of_lanes(lane);
}

static void round_to_bytes(size_t n, const float *x, float scale, int8_t *q) {
  for (size_t j = 0; j < n; j++) {
    float v = x[j] / scale;
    q[j] = v >= 127 ? 127 : v > -127 ? (int8_t)nearest(v) : -127;
  }
}

void pack_panel_s8_scalar(size_t rows, size_t channels, size_t taps, const float *x, const float *scale,
                          int8_t *y) {
  pack_s8(rows, channels, taps, x, scale, y, round_to_bytes);
}
