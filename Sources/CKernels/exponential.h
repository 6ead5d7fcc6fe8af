/* Powers and erf on 16 lanes.
 *
 * The polynomials for e^r and 2^f have the least relative error (Remez) of degree 6 with a constant term of
 * 1: 2.6e-9, before rounding. An exponent is split off by adding ROUNDER, whose sum holds the whole number n
 * in its last bits; shifted by 23 they are what the exponent of the result lacks.                         */
#pragma once

/* e^x for sign 1, e^−x for sign −1: 1 ulp for −87 ≤ x ≤ 87, beyond the value at that end. ln 2 is split so
 * that n times its first part is exact.                                                                  */
INLINE f32x16 exponential(f32x16 x, const float sign) {
  x = smaller(larger(x, splat(-87)), splat(87));
  const f32x16 m = times_plus(x, splat(sign * 1.44269504f), splat(ROUNDER)), n = minus(m, splat(ROUNDER));
  f32x16 r = minus_times(x, n, splat(sign * 0.693359375f));
  r = times_plus(n, splat(sign * 2.12194440e-4f), r);
  f32x16 p = splat(1.40612386e-3f);
  p = times_plus(p, r, splat(sign * 8.37901235e-3f));
  p = times_plus(p, r, splat(4.16647755e-2f));
  p = times_plus(p, r, splat(sign * 1.66663662e-1f));
  p = times_plus(p, r, splat(5.00000060e-1f));
  p = times_plus(p, r, splat(sign));
  p = times_plus(p, r, splat(1));
  return add_to_exponent(p, m);
}

/* 2^t for t ≤ 0 (an ulp above does no harm), 1 ulp; 0 for t < −100, so that no product is subnormal */
INLINE f32x16 power_of_two(f32x16 t) {
  const f32x16 m = plus(t, splat(ROUNDER)), f = minus(t, minus(m, splat(ROUNDER)));
  f32x16 p = splat(1.55946720e-4f);
  p = times_plus(p, f, splat(1.34066434e-3f));
  p = times_plus(p, f, splat(9.61769279e-3f));
  p = times_plus(p, f, splat(5.55031039e-2f));
  p = times_plus(p, f, splat(2.40226522e-1f));
  p = times_plus(p, f, splat(6.93147242e-1f));
  p = times_plus(p, f, splat(1));
  return where_at_least(t, -100, add_to_exponent(p, m));
}

/* erf x as x·P(x²)/Q(x²) on |x| ≤ 4 (the rational of Eigen and XLA), absolute error 2e-7 */
INLINE f32x16 error_function(f32x16 x) {
  x = smaller(larger(x, splat(-4)), splat(4));
  const f32x16 u = times(x, x);
  f32x16 p = splat(-2.72614225801306e-10f), q = splat(-1.45660718464996e-05f);
  p = times_plus(p, u, splat(2.77068142495902e-08f));
  p = times_plus(p, u, splat(-2.10102402082508e-06f));
  p = times_plus(p, u, splat(-5.69250639462346e-05f));
  p = times_plus(p, u, splat(-7.34990630326855e-04f));
  p = times_plus(p, u, splat(-2.95459980854025e-03f));
  p = times_plus(p, u, splat(-1.60960333262415e-02f));
  q = times_plus(q, u, splat(-2.13374055278905e-04f));
  q = times_plus(q, u, splat(-1.68282697438203e-03f));
  q = times_plus(q, u, splat(-7.37332916720468e-03f));
  q = times_plus(q, u, splat(-1.42647390514189e-02f));
  return divided(times(x, p), q);
}
