#include "ckernels.h"

#pragma STDC FP_CONTRACT OFF

void channel_sums_scalar(size_t rows, size_t channels, const float *x, size_t ldx, const float *y,
                         size_t ldy, double *sums) {
  for (size_t r = 0; r < rows; r++)
    for (size_t c = 0; c < channels; c++) {
      double dy = y[r * ldy + c];
      sums[2 * c] += dy;
      sums[2 * c + 1] += dy * x[r * ldx + c];
    }
}

void row_sums_scalar(size_t n, const float *x, const float *y, const float *gamma, double *sums) {
  double sum = 0, product = 0;
  for (size_t j = 0; j < n; j++) {
    float v = gamma ? y[j] * gamma[j] : y[j];
    sum += v;
    product += (double)v * x[j];
  }
  sums[0] = sum;
  sums[1] = product;
}

void normalize_scalar(size_t n, const float *x, const float *mean, const float *rsigma, size_t step,
                      const float *gamma, const float *beta, float *y) {
  for (size_t j = 0; j < n; j++) y[j] = (x[j] - mean[j * step]) * rsigma[j * step] * gamma[j] + beta[j];
}

void normalize_dx_scalar(size_t n, const float *x, const float *dy, const float *mean, const float *rsigma,
                         const float *m1, const float *m2, size_t step, const float *gamma, float *dx) {
  for (size_t j = 0; j < n; j++) {
    size_t s = j * step;
    float normal = (x[j] - mean[s]) * rsigma[s];
    dx[j] = rsigma[s] * ((gamma[j] * dy[j] - m1[s]) - normal * m2[s]);
  }
}
