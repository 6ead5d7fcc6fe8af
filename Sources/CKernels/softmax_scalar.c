#include "ckernels.h"
#include "math_scalar.h"

#pragma STDC FP_CONTRACT OFF

float softmax_row_scalar(size_t valid, size_t n, float scale, float *s, float *state) {
  float top = state[0], sum = 0;
  for (size_t j = 0; j < valid; j++) top = s[j] * scale > top ? s[j] * scale : top;
  for (size_t j = 0; j < valid; j++) sum += s[j] = exp2_scalar(s[j] * scale - top);
  for (size_t j = valid; j < n; j++) s[j] = 0;
  float factor = state[0] == top ? 1 : exp2_scalar(state[0] - top);
  state[0] = top;
  state[1] = state[1] * factor + sum;
  return factor;
}

void probability_row_scalar(size_t n, float scale, const float *log_sum, size_t step, float *s) {
  for (size_t j = 0; j < n; j++) s[j] = exp2_scalar(s[j] * scale - log_sum[j * step]);
}

void dscore_row_scalar(size_t n, float scale, const float *p, const float *delta, size_t step, float *dp) {
  for (size_t j = 0; j < n; j++) dp[j] = p[j] * (dp[j] - delta[j * step]) * scale;
}
