/* What is added to a tile of a product. */
#pragma once

TARGET void ROW(finish_tile)(size_t m, size_t n, const float *t, size_t ldt, const float *channels,
                             const float *residual, size_t ldr, float *y, size_t ldy) {
  for (size_t i = 0; i < m; i++, t += ldt, y += ldy) {
    const float *row = residual ? residual + i * ldr : NULL;
    IN_BLOCKS(n, {
      f32x16 v = load(count, t + j);
      if (channels) v = plus(v, load(count, channels + j));
      if (row) v = plus(load(count, row + j), v);
      store(count, y + j, v);
    });
  }
}
