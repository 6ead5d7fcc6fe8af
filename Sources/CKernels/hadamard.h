/* What the variants of hadamard share: the factor, and the stages between whole blocks of 16.        */
#pragma once
#include <stddef.h>
#include <string.h>

/* 1/√width for a power of four */
static inline float hadamard_factor(size_t width) {
  float by = 1;
  for (; width > 1; width /= 4) by /= 2;
  return by;
}

/* The stages h and 2·h in one pass over a group, for a step of so many lanes; the last pass scales, or one
 * of its own where a group is a single block. Needs
 * VECTOR, LOAD(p), STORE(p, v), ADD, SUB and SCALE(v, by).                                            */
#define HADAMARD_STAGES(LANES)                                              \
  for (size_t h = 16; h < width; h *= 4) {                                  \
    const float last = 4 * h == width ? by : 1;                             \
    for (size_t i = 0; i < width; i += 4 * h)                               \
      for (size_t j = i; j < i + h; j += LANES) {                           \
        VECTOR a = LOAD(v + j), b = LOAD(v + j + h);                        \
        VECTOR c = LOAD(v + j + 2 * h), d = LOAD(v + j + 3 * h);            \
        VECTOR ab = ADD(a, b), cd = ADD(c, d);                              \
        VECTOR a_b = SUB(a, b), c_d = SUB(c, d);                            \
        STORE(v + j, SCALE(ADD(ab, cd), last));                             \
        STORE(v + j + h, SCALE(ADD(a_b, c_d), last));                       \
        STORE(v + j + 2 * h, SCALE(SUB(ab, cd), last));                     \
        STORE(v + j + 3 * h, SCALE(SUB(a_b, c_d), last));                   \
      }                                                                     \
  }                                                                         \
  if (width == 16)                                                          \
    for (size_t i = 0; i < 16; i += LANES) STORE(v + i, SCALE(LOAD(v + i), by));
