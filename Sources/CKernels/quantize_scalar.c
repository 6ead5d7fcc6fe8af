/* Symmetric quantization of rows (activations) to −127…127, and panels of weights back to floats. */
#include "ckernels.h"
#include "math_scalar.h"
#include "quantize.h"

/* Sizes of floats compare as their bit patterns do; NaN is above everything. */
static uint32_t largest_size(size_t n, const float *x) {
  uint32_t largest = 0;
  for (size_t j = 0; j < n; j++) {
    uint32_t bits;
    memcpy(&bits, x + j, sizeof bits);
    if ((bits & SIZE_BITS) > largest) largest = bits & SIZE_BITS;
  }
  return largest;
}

float max_size_scalar(size_t n, const float *x) { return size_of_bits(largest_size(n, x)); }

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

void dequantize_rows_scalar(size_t groups, size_t columns, const int8_t *b, const float *scale, float *y) {
  for (size_t c = 0; c < 4 * groups; c++)
    for (size_t j = 0; j < 16; j++)
      y[16 * c + j] = j < columns ? scale[j] * (float)b[c / 4 * 64 + 4 * j + c % 4] : 0;
}
