#include "cpng.h"

#include <png.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { MESSAGE_BYTES = 160 };

/* Must not return: libpng goes on as if nothing had happened. */
static void stop(png_structp png, png_const_charp text) {
  snprintf(png_get_error_ptr(png), MESSAGE_BYTES, "%s", text);
  png_longjmp(png, 1);
}

static void ignore(png_structp png, png_const_charp text) { (void)png, (void)text; }

/* ------------------------------------------------ reading ------------------------------------------------ */

struct cpng_reader {
  png_structp png;
  png_infop info;
  cpng_source source;
  void *context;
  char message[MESSAGE_BYTES];
};

static void pull(png_structp png, png_bytep bytes, size_t count) {
  cpng_reader *reader = png_get_io_ptr(png);
  /* The caller's function has returned before libpng jumps. */
  if (reader->source(reader->context, bytes, count) != count) png_error(png, "Read Error");
}

cpng_reader *cpng_reader_new(cpng_source source, void *context) {
  cpng_reader *reader = calloc(1, sizeof *reader);
  if (!reader) return NULL;
  reader->source = source;
  reader->context = context;
  reader->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, reader->message, stop, ignore);
  reader->info = reader->png ? png_create_info_struct(reader->png) : NULL;
  if (reader->info) return reader;
  cpng_reader_free(reader);
  return NULL;
}

void cpng_reader_free(cpng_reader *reader) {
  if (reader) png_destroy_read_struct(&reader->png, &reader->info, NULL);
  free(reader);
}

const char *cpng_reader_message(const cpng_reader *reader) { return reader->message; }

bool cpng_read_header(cpng_reader *reader, cpng_header *header) {
  png_structp png = reader->png;
  if (setjmp(png_jmpbuf(png))) return false;
  png_set_read_fn(png, reader, pull);
  png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX); /* the caller has its own limits */
  png_set_chunk_malloc_max(png, 1 << 18);
  png_set_chunk_cache_max(png, 8);
  /* All but IHDR, PLTE, tRNS, IDAT and IEND are read past, 1 kB at a time. */
  png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
  png_read_info(png, reader->info);
  int type = png_get_color_type(png, reader->info);
  *header = (cpng_header){
      .width = png_get_image_width(png, reader->info),
      .height = png_get_image_height(png, reader->info),
      .bits = png_get_bit_depth(png, reader->info),
      .grey = (type & PNG_COLOR_MASK_COLOR) == 0,
      .alpha = (type & PNG_COLOR_MASK_ALPHA) || png_get_valid(png, reader->info, PNG_INFO_tRNS),
      .interlaced = png_get_interlace_type(png, reader->info) != PNG_INTERLACE_NONE,
  };
  return true;
}

bool cpng_read_start(cpng_reader *reader, size_t channels, bool deep) {
  png_structp png = reader->png;
  if (setjmp(png_jmpbuf(png))) return false;
  png_set_expand(png); /* palette → RGB, 1, 2, 4 bits → 8, tRNS → alpha */
  if (!deep) png_set_scale_16(png);
  if (channels >= 3) png_set_gray_to_rgb(png);
  if (channels == 4)
    png_set_add_alpha(png, deep ? 65535 : 255, PNG_FILLER_AFTER);
  else
    png_set_strip_alpha(png);
  png_set_interlace_handling(png);
  png_read_update_info(png, reader->info);
  if (png_get_rowbytes(png, reader->info) != png_get_image_width(png, reader->info) * channels * (deep ? 2 : 1))
    png_error(png, "rows of another length than its header states");
  return true;
}

bool cpng_read_row(cpng_reader *reader, uint8_t *row) {
  if (setjmp(png_jmpbuf(reader->png))) return false;
  png_read_row(reader->png, row, NULL);
  return true;
}

bool cpng_read_image(cpng_reader *reader, uint8_t *pixels) {
  png_structp png = reader->png;
  if (setjmp(png_jmpbuf(png))) return false;
  size_t stride = png_get_rowbytes(png, reader->info);
  uint32_t height = png_get_image_height(png, reader->info);
  for (int pass = 0; pass < 7; pass++) /* Adam7 */
    for (uint32_t y = 0; y < height; y++) png_read_row(png, pixels + y * stride, NULL);
  return true;
}

bool cpng_read_end(cpng_reader *reader) {
  if (setjmp(png_jmpbuf(reader->png))) return false;
  png_read_end(reader->png, NULL);
  return true;
}

/* ------------------------------------------------ writing ------------------------------------------------ */

struct cpng_writer {
  png_structp png;
  png_infop info;
  cpng_sink sink;
  void *context;
  char message[MESSAGE_BYTES];
};

static void push(png_structp png, png_bytep bytes, size_t count) {
  cpng_writer *writer = png_get_io_ptr(png);
  if (!writer->sink(writer->context, bytes, count)) png_error(png, "Write Error");
}

static void flush(png_structp png) { (void)png; }

cpng_writer *cpng_writer_new(cpng_sink sink, void *context) {
  cpng_writer *writer = calloc(1, sizeof *writer);
  if (!writer) return NULL;
  writer->sink = sink;
  writer->context = context;
  writer->png = png_create_write_struct(PNG_LIBPNG_VER_STRING, writer->message, stop, ignore);
  writer->info = writer->png ? png_create_info_struct(writer->png) : NULL;
  if (writer->info) return writer;
  cpng_writer_free(writer);
  return NULL;
}

void cpng_writer_free(cpng_writer *writer) {
  if (writer) png_destroy_write_struct(&writer->png, &writer->info);
  free(writer);
}

const char *cpng_writer_message(const cpng_writer *writer) { return writer->message; }

static bool is_ascii(const char *text) {
  while (*text && (unsigned char)*text < 128) text++;
  return !*text;
}

bool cpng_write_start(cpng_writer *writer, uint32_t width, uint32_t height, size_t channels, unsigned bits,
                      const char *texts, size_t text_count) {
  png_structp png = writer->png;
  if (setjmp(png_jmpbuf(png))) return false;
  png_set_write_fn(png, writer, push, flush);
  int type = channels == 4 ? PNG_COLOR_TYPE_RGB_ALPHA : channels == 3 ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_GRAY;
  png_set_IHDR(png, writer->info, width, height, (int)bits, type, PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  const char *key = texts;
  for (size_t i = 0; i < text_count; i++) {
    const char *value = key + strlen(key) + 1;
    png_text text = {.key = (char *)key, .text = (char *)value};
    text.compression = is_ascii(value) ? PNG_TEXT_COMPRESSION_NONE : PNG_ITXT_COMPRESSION_NONE;
    png_set_text(png, writer->info, &text, 1);
    key = value + strlen(value) + 1;
  }
  png_write_info(png, writer->info);
  return true;
}

bool cpng_write_chunk(cpng_writer *writer, const char *name, const uint8_t *bytes, size_t count) {
  if (setjmp(png_jmpbuf(writer->png))) return false;
  png_write_chunk(writer->png, (png_const_bytep)name, bytes, count);
  return true;
}

bool cpng_write_row(cpng_writer *writer, const uint8_t *row) {
  if (setjmp(png_jmpbuf(writer->png))) return false;
  png_write_row(writer->png, row);
  return true;
}

bool cpng_write_end(cpng_writer *writer) {
  if (setjmp(png_jmpbuf(writer->png))) return false;
  png_write_end(writer->png, writer->info);
  return true;
}

/* ------------------------------------------------- zlib -------------------------------------------------- */

size_t cpng_inflate(const uint8_t *bytes, size_t count, uint8_t *into, size_t room) {
  uLongf size = room;
  return uncompress(into, &size, bytes, count) == Z_OK ? size : 0;
}

size_t cpng_deflate(const uint8_t *bytes, size_t count, uint8_t *into, size_t room) {
  uLongf size = room;
  return compress(into, &size, bytes, count) == Z_OK ? size : 0;
}

size_t cpng_deflate_room(size_t count) { return compressBound(count); }

const char *cpng_version(void) { return png_get_libpng_ver(NULL); }

const char *cpng_zlib_version(void) { return zlibVersion(); }
