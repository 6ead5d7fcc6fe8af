/* Bound by memory: what the compiler makes of these loops is good enough on every CPU. Nothing is fused, also
 * where the processor could, so that all have the same bits.                                               */
#include "ckernels.h"

#pragma STDC FP_CONTRACT OFF

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
  double sum[16];
  for (size_t l = 0; l < 16; l++) sum[l] = lane[l];
  for (size_t half = 8; half > 0; half /= 2)
    for (size_t l = 0; l < half; l++) sum[l] += sum[l + half];
  return sum[0];
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

/* e^−a for 0 ≤ a ≤ 40 to 2^−44: a 256th of a into ten terms of the series, squared eight times. The C library's
 * own functions may round otherwise from one system to the next.                                             */
static double exp_minus(double a) {
  const double r = a / -256;
  double p = 1;
  for (double k = 9; k > 0; k--) p = 1 + p * r / k;
  for (int i = 0; i < 8; i++) p *= p;
  return p;
}

/* tanh t = (1 − e^−2|t|)/(1 + e^−2|t|) with the sign of t; from |t| = 20 on it is 1. */
void soft_limit_row(size_t n, const float *x, float limit, float *y) {
  for (size_t j = 0; j < n; j++) {
    const double t = (double)x[j] / (double)limit, size = t < 0 ? -t : t;
    const double e = exp_minus(size < 20 ? 2 * size : 40), tanh = (1 - e) / (1 + e);
    y[j] = t == t ? (float)((double)limit * (t < 0 ? -tanh : tanh)) : x[j]; /* NaN stays */
  }
}

void soft_limit_dx_row(size_t n, const float *y, float limit, const float *dy, float *dx) {
  for (size_t j = 0; j < n; j++) dx[j] = dy[j] * (1 - y[j] / limit * (y[j] / limit));
}

void widen_s8(size_t n, const uint8_t *x, int16_t *y) {
  for (size_t j = 0; j < n; j++) y[j] = (int8_t)x[j];
}
