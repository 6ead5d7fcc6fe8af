/* Symmetric quantization of rows (activations) and of panels (weights) to −127…127. */
#include "ckernels.h"
#include "math_scalar.h"
#include "quantize.h"

static uint32_t largest_size(size_t n, const float *x) {
  uint32_t largest = 0;
  for (size_t j = 0; j < n; j++) {
    uint32_t bits;
    memcpy(&bits, x + j, sizeof bits);
    if ((bits & SIZE_BITS) > largest) largest = bits & SIZE_BITS;
  }
  return largest;
}

float max_size(size_t n, const float *x) {
  uint32_t largest = largest_size(n, x);
  float size;
  memcpy(&size, &largest, sizeof size);
  return size;
}

/* |x·inverse| is below 127.5 although both are rounded, so nothing needs clamping. */
float quantize_row_scalar(size_t n, const float *x, uint8_t zero, uint8_t *q) {
  float inverse, scale = row_scale(largest_size(n, x), &inverse);
  memset(q, zero, whole_groups(n));
  if (inverse == 0) return scale;
  for (size_t j = 0; j < n; j++) q[j] = (uint8_t)((int32_t)nearest(x[j] * inverse) + zero);
  return scale;
}

void dequantize_block_scalar(size_t rows, size_t groups, const int8_t *b, const float *scale, float *y) {
  for (size_t r = 0; r < rows; r++)
    for (size_t c = 0; c < 16; c++)
      y[16 * r + c] = c < 4 * groups ? scale[r] * (float)b[c / 4 * 64 + 4 * r + c % 4] : 0;
}

void pack_panel_s8(size_t rows, size_t channels, size_t taps, const float *x, const float *scale,
                   int8_t *y) {
  const size_t bytes = 64 + whole_groups(channels) * 16;
  for (size_t t = 0; t < taps; t++, y += bytes) {
    int32_t sums[16] = {0};
    memset(y + 64, 0, bytes - 64);
    for (size_t j = 0; j < rows; j++) {
      const float *from = x + j * channels * taps + t;
      if (scale[j] == 0) continue;
      for (size_t c = 0; c < channels; c++) {
        float v = from[c * taps] / scale[j];
        int8_t q = v >= 127 ? 127 : v > -127 ? (int8_t)nearest(v) : -127;
        y[64 + c / 4 * 64 + j * 4 + c % 4] = q;
        sums[j] += q;
      }
    }
    memcpy(y, sums, sizeof sums);
  }
}
