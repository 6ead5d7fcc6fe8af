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
/* Asks for samples in channels 1 (grey files only), 3 (RGB; alpha is dropped) or 4 (RGBA, opaque where the file has no
 * alpha). Of 16 bits, most significant byte first, where `deep` (files of 16 bits only), else of 8: larger ones are
 * rounded, smaller ones stretched to 0…255. Gamma is ignored. */
bool cpng_read_start(cpng_reader *reader, size_t channels, bool deep);
/* The next row of a file that is not interlaced. */
bool cpng_read_row(cpng_reader *reader, uint8_t *row);
/* All rows of an interlaced file. */
bool cpng_read_image(cpng_reader *reader, uint8_t *pixels);
/* Reads what follows the pixels: the file is whole. */
bool cpng_read_end(cpng_reader *reader);

/* A file of pixels, channels 1 (grey), 3 (RGB) or 4 (RGBA) of 8 or 16 bits, written row by row. No time is stored: the
 * same calls give the same bytes. NULL: out of memory. */
typedef struct cpng_writer cpng_writer;
cpng_writer *cpng_writer_new(cpng_sink sink, void *context);
void cpng_writer_free(cpng_writer *writer);
const char *cpng_writer_message(const cpng_writer *writer);

/* `texts` holds `text_count` pairs one after the other, each string closed by a zero: key, value. ASCII values
 * become tEXt chunks, others (UTF-8) iTXt. */
bool cpng_write_start(cpng_writer *writer, uint32_t width, uint32_t height, size_t channels, unsigned bits,
                      const char *texts, size_t text_count);
/* A chunk as it is, before the first row. */
bool cpng_write_chunk(cpng_writer *writer, const char *name, const uint8_t *bytes, size_t count);
bool cpng_write_row(cpng_writer *writer, const uint8_t *row);
bool cpng_write_end(cpng_writer *writer);

/* Of the libraries that the program runs with. */
const char *cpng_version(void);
const char *cpng_zlib_version(void);

/* zlib's streams, as chunks have them. Both return how many bytes there are, 0 where they are no such stream or more
 * than `room`. */
size_t cpng_inflate(const uint8_t *bytes, size_t count, uint8_t *into, size_t room);
size_t cpng_deflate(const uint8_t *bytes, size_t count, uint8_t *into, size_t room);
/* Room that is enough for cpng_deflate. */
size_t cpng_deflate_room(size_t count);
