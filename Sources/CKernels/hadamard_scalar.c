/* Fast Walsh–Hadamard transform of consecutive groups of a row. Stages pair values 1, 2, 4, … apart, each
 * (a, b) → (a + b, a − b); the factor 1/√width is a power of two, so only the sums round.              */
#include "ckernels.h"
#include "hadamard.h"

void hadamard_scalar(size_t n, size_t width, const float *x, float *y) {
  const float by = hadamard_factor(width);
  if (x != y) memcpy(y, x, n * sizeof *y);
  for (size_t group = 0; group < n; group += width) {
    float *v = y + group;
    for (size_t h = 1; h < width; h *= 2)
      for (size_t i = 0; i < width; i++)
        if (!(i & h)) {
          float a = v[i], b = v[i + h];
          v[i] = a + b;
          v[i + h] = a - b;
        }
    for (size_t i = 0; i < width; i++) v[i] *= by;
  }
}
