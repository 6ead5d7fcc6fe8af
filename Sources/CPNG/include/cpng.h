/* PNG files through libpng, for callers that cannot be jumped over.
 *
 * libpng reports an error with longjmp. Every call of libpng happens inside one of the two functions
 * below, and each of them is where its own jump lands: the caller sees a boolean and a message. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { CPNG_MESSAGE_BYTES = 160 };

typedef struct {
  uint32_t width, height; /* pixels, as the file states them: the caller checks them before allocating */
  bool grey;              /* neither colour nor palette */
} cpng_header;

/* Reads the PNG at the start of `file`. Without `pixels`: fills `header` and stops there.
 * With `pixels`: `header` is what the first call returned, and width·height·channels bytes are written,
 * row-major, no padding: channels 1 (grey files only), 3 (RGB, alpha is dropped) or 4 (RGBA, 255 where the file
 * has no alpha). 16-bit samples are rounded to 8 bits, smaller ones are stretched to 0…255. Colour profiles and
 * gamma are ignored. False: `message` (CPNG_MESSAGE_BYTES) says why. */
bool cpng_read(FILE *file, cpng_header *header, uint8_t *pixels, size_t channels, char *message);

/* Writes 8-bit pixels, channels 1 (grey) or 3 (RGB), and `texts`, which holds `text_count` pairs one after
 * the other, each string closed by a zero: key, value. ASCII values become tEXt chunks, others (UTF-8) iTXt.
 * No time is stored: the same arguments give the same bytes. False: `message` says why. */
bool cpng_write(FILE *file, uint32_t width, uint32_t height, size_t channels, const uint8_t *pixels,
                const char *texts, size_t text_count, char *message);
