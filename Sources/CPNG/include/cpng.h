/* PNG files through libpng, row by row, for callers that cannot be jumped over.
 *
 * libpng reports an error with longjmp. Every call of libpng happens inside one of the functions below, and each of
 * them is where its own jump lands: the caller sees a boolean, and `cpng_message` says why it is false. After false
 * only the message and `free` are of use. Bytes come and go through the caller's functions, which must return. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Fills `bytes` and returns how many there were: fewer than `count` at the end of the file, or where it cannot be
 * read. */
typedef size_t (*cpng_source)(void *context, uint8_t *bytes, size_t count);
/* False: they could not be written. */
typedef bool (*cpng_sink)(void *context, const uint8_t *bytes, size_t count);

typedef struct {
  uint32_t width, height; /* pixels, as the file states them: the caller checks them before allocating */
  uint8_t bits;           /* per sample */
  bool grey;              /* neither colour nor palette */
  bool alpha;             /* an alpha channel or a transparent colour */
  bool interlaced;
} cpng_header;

/* One way through a file. Nothing that the file claims is allocated: text, profiles and unknown chunks are passed
 * over, and what libpng holds is a few rows. NULL: out of memory. */
typedef struct cpng_reader cpng_reader;
cpng_reader *cpng_reader_new(cpng_source source, void *context);
void cpng_reader_free(cpng_reader *reader);
const char *cpng_reader_message(const cpng_reader *reader);

/* Reads up to the pixels. */
bool cpng_read_header(cpng_reader *reader, cpng_header *header);
/* Asks for samples of 8 bits in channels 1 (grey files only), 3 (RGB; alpha is dropped) or 4 (RGBA, 255 where the
 * file has no alpha). 16-bit samples are rounded to 8 bits, smaller ones stretched to 0…255; gamma is ignored. */
bool cpng_read_start(cpng_reader *reader, size_t channels);
/* The next row of a file that is not interlaced, width·channels bytes. */
bool cpng_read_row(cpng_reader *reader, uint8_t *row);
/* All rows of an interlaced file, height·width·channels bytes. */
bool cpng_read_image(cpng_reader *reader, uint8_t *pixels);
/* Reads what follows the pixels: the file is whole. */
bool cpng_read_end(cpng_reader *reader);

/* A file of 8-bit pixels, channels 1 (grey) or 3 (RGB), written row by row. No time is stored: the same calls give
 * the same bytes. NULL: out of memory. */
typedef struct cpng_writer cpng_writer;
cpng_writer *cpng_writer_new(cpng_sink sink, void *context);
void cpng_writer_free(cpng_writer *writer);
const char *cpng_writer_message(const cpng_writer *writer);

/* `texts` holds `text_count` pairs one after the other, each string closed by a zero: key, value. ASCII values
 * become tEXt chunks, others (UTF-8) iTXt. */
bool cpng_write_start(cpng_writer *writer, uint32_t width, uint32_t height, size_t channels, const char *texts,
                      size_t text_count);
bool cpng_write_row(cpng_writer *writer, const uint8_t *row);
bool cpng_write_end(cpng_writer *writer);
