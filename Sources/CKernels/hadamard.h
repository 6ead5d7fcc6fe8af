/* Fast Walsh–Hadamard transform of consecutive groups of a row. Stages pair values 1, 2, 4, … apart, each
 * (a, b) → (a + b, a − b); the factor 1/√width is a power of two, so only the sums round.               */
#pragma once

/* 1/√width for a power of four */
INLINE float hadamard_factor(size_t width) {
  float by = 1;
  for (; width > 1; width /= 4) by /= 2;
  return by;
}

INLINE f32x16 within_block(const float *x) {
  return butterfly_8(butterfly_4(butterfly_2(butterfly_1(load(16, x)))));
}

/* Two stages, those of blocks h and 2·h values apart; the last pass scales. */
INLINE void two_stages(f32x16 a, f32x16 b, f32x16 c, f32x16 d, size_t h, const bool last, float by, float *y) {
  const f32x16 ab = plus(a, b), a_b = minus(a, b), cd = plus(c, d), c_d = minus(c, d);
  const f32x16 factor = splat(by);
  f32x16 s[4] = {plus(ab, cd), plus(a_b, c_d), minus(ab, cd), minus(a_b, c_d)};
  for (size_t u = 0; u < 4; u++) store(16, y + u * h, last ? times(s[u], factor) : s[u]);
}

INLINE void first_stages(size_t width, const bool last, float by, const float *x, float *y) {
  for (size_t i = 0; i < width; i += 64)
    two_stages(within_block(x + i), within_block(x + i + 16), within_block(x + i + 32),
               within_block(x + i + 48), 16, last, by, y + i);
}

INLINE void more_stages(size_t width, size_t h, const bool last, float by, float *y) {
  for (size_t i = 0; i < width; i += 4 * h)
    for (size_t j = i; j < i + h; j += 16)
      two_stages(load(16, y + j), load(16, y + j + h), load(16, y + j + 2 * h), load(16, y + j + 3 * h), h,
                 last, by, y + j);
}

TARGET void ROW(hadamard)(size_t n, size_t width, const float *x, float *y) {
  const float by = hadamard_factor(width);
  for (size_t i = 0; i < n; i += width) {
    if (width == 16) {
      store(16, y + i, times(within_block(x + i), splat(by)));
    } else if (width == 64) {
      first_stages(64, true, by, x + i, y + i);
    } else {
      first_stages(width, false, by, x + i, y + i);
      size_t h = 64;
      for (; 4 * h < width; h *= 4) more_stages(width, h, false, by, y + i);
      more_stages(width, h, true, by, y + i);
    }
  }
}
