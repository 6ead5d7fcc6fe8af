/* Widening, narrowing and transposing: every value is moved, or converted as exactly as can be. */
#pragma once

TARGET void ROW(widen_f16)(size_t n, const uint16_t *x, float *y) {
  IN_BLOCKS(n, store(count, y + j, load_f16(count, x + j)););
}

TARGET void ROW(widen_bf16)(size_t n, const uint16_t *x, float *y) {
  IN_BLOCKS(n, store(count, y + j, load_bf16(count, x + j)););
}

TARGET void ROW(narrow_f16)(size_t n, const float *x, uint16_t *y) {
  IN_BLOCKS(n, store_f16(count, y + j, load(count, x + j)););
}

/* Every quarter of a vector is a 4 × 4 block with its rows in a, b, c and d: turns each on its side. */
INLINE void transpose_quads(f32x16 *a, f32x16 *b, f32x16 *c, f32x16 *d) {
  const f32x16 ab = zip_low(*a, *b), AB = zip_high(*a, *b);   /* a0 b0 a1 b1, a2 b2 a3 b3 */
  const f32x16 cd = zip_low(*c, *d), CD = zip_high(*c, *d);
  *a = low_pairs(ab, cd);
  *b = high_pairs(ab, cd);
  *c = low_pairs(AB, CD);
  *d = high_pairs(AB, CD);
}

/* Four columns at a time: 4 × 4 blocks are put side by side as they are loaded. */
TARGET void ROW(transpose_16x16)(const float *x, size_t ldx, float *y, size_t ldy) {
  for (size_t c = 0; c < 16; c += 4, x += 4, y += 4 * ldy) {
    f32x16 r0 = load_quads(x, 4 * ldx), r1 = load_quads(x + ldx, 4 * ldx);
    f32x16 r2 = load_quads(x + 2 * ldx, 4 * ldx), r3 = load_quads(x + 3 * ldx, 4 * ldx);
    transpose_quads(&r0, &r1, &r2, &r3);
    store(16, y, r0);
    store(16, y + ldy, r1);
    store(16, y + 2 * ldy, r2);
    store(16, y + 3 * ldy, r3);
  }
}
