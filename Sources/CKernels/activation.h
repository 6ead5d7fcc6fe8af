/* Activations and their gradients. */
#pragma once

INLINE f32x16 one_plus_exp_minus(f32x16 x) { return plus(splat(1), exponential(x, -1)); }
INLINE f32x16 normal_cdf(f32x16 x) {
  return times_plus(error_function(times(x, splat(0.707106781f))), splat(0.5f), splat(0.5f));
}
INLINE f32x16 normal_density(f32x16 x) {
  return times(exponential(times(times(x, x), splat(0.5f)), -1), splat(0.398942280f));
}

/* (x·s(c·x))' = c·x·s·(1 − s) + s */
INLINE f32x16 logistic_slope(f32x16 cx) {
  const f32x16 s = divided(splat(1), one_plus_exp_minus(cx));
  return times_plus(times(cx, s), minus(splat(1), s), s);
}

#define UNARY(name, formula)                                        \
  TARGET void ROW(name)(size_t n, const float *a, float *y) {       \
    IN_BLOCKS(n,                                                    \
      const f32x16 x = load(count, a + j);                          \
      store(count, y + j, formula););                               \
  }

#define BINARY(name, formula)                                                       \
  TARGET void ROW(name)(size_t n, const float *a, const float *b, float *y) {       \
    IN_BLOCKS(n,                                                                    \
      const f32x16 x = load(count, a + j), z = load(count, b + j);                  \
      store(count, y + j, formula););                                               \
  }

UNARY(silu, divided(x, one_plus_exp_minus(x)))
UNARY(quick_gelu, divided(x, one_plus_exp_minus(times(x, splat(1.702f)))))
UNARY(gelu, times(x, normal_cdf(x)))
BINARY(geglu, times(x, times(z, normal_cdf(z))))
BINARY(silu_dx, times(z, logistic_slope(x)))
BINARY(quick_gelu_dx, times(z, logistic_slope(times(x, splat(1.702f)))))
/* (x·Φ(x))' = x·φ + Φ */
BINARY(gelu_dx, times(z, times_plus(x, normal_density(x), normal_cdf(x))))

#undef UNARY
#undef BINARY
