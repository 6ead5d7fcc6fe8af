/* What int8 attention does to rows before and after its products. Bits are those of quantize_row. */
#pragma once

enum { PACKED = 256 };   /* bytes of a row at a time */

TARGET void ROW(pack_queries)(size_t rows, size_t channels, const float *x, size_t ldx, float *scale,
                              int8_t *panel) {
  float words[16 * PACKED / 4];   /* bytes of a row, which are moved by fours */
  float inverse[16];
  f32x16 sum = splat(0);
  for (size_t r = 0; r < 16; r++) {
    inverse[r] = 0;
    scale[r] = r < rows ? row_scale(largest_size(channels, x + r * ldx), inverse + r) : 0;
  }
  int8_t *to = panel + 64;
  for (size_t c = 0; c < channels; c += PACKED) {
    const size_t n = channels - c < PACKED ? channels - c : PACKED, groups = (n + 3) / 4;
    for (size_t r = 0; r < 16; r++) {
      uint8_t *q = (uint8_t *)words + r * PACKED;
      if (inverse[r] == 0) {
        memset(q, 0, 4 * groups);
        continue;
      }
      const float *from = x + r * ldx + c;
      IN_BLOCKS(n,
        const size_t some = (count + 3) & ~(size_t)3;
        store_bytes(some, q + j, nearest(times(load(count, from + j), splat(inverse[r]))), 0););
    }
    /* Four groups at a time: four bytes of a row are one lane, and the rows of a group come to lie side by side. */
    for (size_t g = 0; g < groups; g += 4) {
      const float *four = words + g;
      const size_t ld = PACKED / 4;
      f32x16 v[4];
      for (size_t u = 0; u < 4; u++) v[u] = load_quads(four + u * ld, 4 * ld);
      transpose_quads(&v[0], &v[1], &v[2], &v[3]);
      for (size_t u = 0; u < 4 && g + u < groups; u++, to += 64) {
        f32x16 values[4];
        store(16, (float *)(void *)to, v[u]);
        spread_bytes(v[u], values);
        sum = plus(sum, plus(plus(values[0], values[1]), plus(values[2], values[3])));
      }
    }
  }
  /* Sums of at most 2^22 in size are the last bits of what the rounder was added to. */
  float rounded[16];
  int32_t sums[16];
  store(16, rounded, plus(sum, splat(ROUNDER)));
  memcpy(sums, rounded, sizeof sums);
  for (size_t r = 0; r < 16; r++) sums[r] -= 0x4b400000;
  memcpy(panel, sums, sizeof sums);
}

TARGET void ROW(pack_keys)(size_t rows, size_t channels, const float *x, size_t ldx, const float *shift,
                           uint8_t zero, uint8_t *q, float *scale) {
  const size_t bytes = (channels + 3) & ~(size_t)3;
  for (size_t r = 0; r < rows; r++, x += ldx, q += bytes) {
    i32x16 most = size_bits(splat(0));
    IN_BLOCKS(channels, most = larger_bits(most, size_bits(plus(load(count, x + j), load(count, shift + j)))););
    float inverse;
    scale[r] = row_scale(largest_bits(most), &inverse);
    if (inverse == 0) {
      memset(q, zero, bytes);
      continue;
    }
    IN_BLOCKS(channels,
      const size_t some = (count + 3) & ~(size_t)3;
      const f32x16 v = plus(load(count, x + j), load(count, shift + j));
      store_bytes(some, q + j, nearest(times(v, splat(inverse))), zero););
  }
}

TARGET void ROW(finish_queries)(size_t rows, size_t channels, const float *sums, size_t lds,
                                const float *factor, float *y, size_t ldy) {
  for (size_t c = 0; c < channels; c += 16) {
    const size_t first = channels - c >= 16 || channels < 16 ? c : channels - 16;   /* the last 16 again */
    const size_t count = channels < 16 ? channels : 16;
    const float *from = sums + first * lds;
    for (size_t r = 0; r < rows; r += 4) {
      f32x16 v[4];
      if (count == 16) {
        for (size_t u = 0; u < 4; u++) v[u] = load_quads(from + r + u * lds, 4 * lds);
      } else {
        float edge[16 * 4] = {0};
        for (size_t i = 0; i < count; i++) memcpy(edge + 4 * i, from + i * lds + r, 16);
        for (size_t u = 0; u < 4; u++) v[u] = load_quads(edge + 4 * u, 16);
      }
      transpose_quads(&v[0], &v[1], &v[2], &v[3]);
      for (size_t u = 0; u < 4 && r + u < rows; u++)
        store(count, y + (r + u) * ldy + first, times(v[u], splat(factor[r + u])));
    }
  }
}
