#include "ckernels.h"
#include "math_scalar.h"

#pragma STDC FP_CONTRACT OFF

static inline float sigmoid(float x) { return 1 / (1 + exp_scalar(-x)); }
static inline float normal_cdf(float x) { return 0.5f * erf_scalar(x * 0.707106781f) + 0.5f; }
static inline float normal_density(float x) { return exp_scalar(x * x * -0.5f) * 0.398942280f; }

void silu_scalar(size_t n, const float *x, float *y) {
  for (size_t j = 0; j < n; j++) y[j] = x[j] * sigmoid(x[j]);
}

void quick_gelu_scalar(size_t n, const float *x, float *y) {
  for (size_t j = 0; j < n; j++) y[j] = x[j] * sigmoid(1.702f * x[j]);
}

void gelu_scalar(size_t n, const float *x, float *y) {
  for (size_t j = 0; j < n; j++) y[j] = x[j] * normal_cdf(x[j]);
}

void geglu_scalar(size_t n, const float *a, const float *b, float *y) {
  for (size_t j = 0; j < n; j++) y[j] = a[j] * (b[j] * normal_cdf(b[j]));
}

/* (x·s(x))' = s + x·s·(1 − s) */
void silu_dx_scalar(size_t n, const float *x, const float *dy, float *dx) {
  for (size_t j = 0; j < n; j++) {
    float s = sigmoid(x[j]);
    dx[j] = dy[j] * (x[j] * s * (1 - s) + s);
  }
}

void quick_gelu_dx_scalar(size_t n, const float *x, const float *dy, float *dx) {
  for (size_t j = 0; j < n; j++) {
    float s = sigmoid(1.702f * x[j]);
    dx[j] = dy[j] * (1.702f * x[j] * s * (1 - s) + s);
  }
}

/* (x·Φ(x))' = Φ + x·φ */
void gelu_dx_scalar(size_t n, const float *x, const float *dy, float *dx) {
  for (size_t j = 0; j < n; j++) dx[j] = dy[j] * (x[j] * normal_density(x[j]) + normal_cdf(x[j]));
}
