/* Bound by memory: what the compiler makes of these loops is good enough on every CPU. */
#include "ckernels.h"

#include <math.h>

void add_rows(size_t n, const float *a, const float *b, float *y) {
  for (size_t j = 0; j < n; j++) y[j] = a[j] + b[j];
}

void multiply_rows(size_t n, const float *a, const float *b, float *y) {
  for (size_t j = 0; j < n; j++) y[j] = a[j] * b[j];
}

void scale_row(size_t n, const float *x, float by, float *y) {
  for (size_t j = 0; j < n; j++) y[j] = x[j] * by;
}

void add_scaled_row(size_t n, const float *a, float by, const float *b, float *y) {
  for (size_t j = 0; j < n; j++) y[j] = a[j] + by * b[j];
}

void difference_energies(size_t n, const float *x, const float *y, double *sums) {
  double signal[8] = {0}, error[8] = {0};
  size_t j = 0;
  for (; j + 8 <= n; j += 8)
    for (size_t l = 0; l < 8; l++) {
      double value = x[j + l], lost = x[j + l] - y[j + l];
      signal[l] += value * value;
      error[l] += lost * lost;
    }
  for (size_t l = 0; j < n; j++, l++) {
    double value = x[j], lost = x[j] - y[j];
    signal[l] += value * value;
    error[l] += lost * lost;
  }
  for (size_t l = 0; l < 8; l++) {
    sums[0] += signal[l];
    sums[1] += error[l];
  }
}

void relu_row(size_t n, const float *x, float *y) {
  for (size_t j = 0; j < n; j++) y[j] = x[j] < 0 ? 0 : x[j]; /* NaN stays */
}

void relu_dx_row(size_t n, const float *x, const float *dy, float *dx) {
  for (size_t j = 0; j < n; j++) dx[j] = x[j] <= 0 ? 0 : dy[j];
}

void affine_row(size_t n, const float *x, float by, float plus, float *y) {
  for (size_t j = 0; j < n; j++) y[j] = by * x[j] + plus;
}

void soft_limit_row(size_t n, const float *x, float limit, float *y) {
  for (size_t j = 0; j < n; j++) y[j] = limit * tanhf(x[j] / limit);
}

void soft_limit_dx_row(size_t n, const float *y, float limit, const float *dy, float *dx) {
  for (size_t j = 0; j < n; j++) dx[j] = dy[j] * (1 - y[j] / limit * (y[j] / limit));
}

void widen_s8(size_t n, const uint8_t *x, int16_t *y) {
  for (size_t j = 0; j < n; j++) y[j] = (int8_t)x[j];
}
