#include "parquet-chunk.h"

#include "parquet-levels.h"

/* A dictionary that is larger makes nothing smaller any more. Tests set it lower. */
#ifndef DICTIONARY_BYTES
#define DICTIONARY_BYTES ((uint64_t)1 << 20)
#endif

static int end_page(Chunk *chunk, Scratch *scratch) {
  if (chunk->page_rows == 0) return SQLITE_OK;
  int rc = put_levels(scratch, &chunk->levels);
  if (rc) return rc;
  int has_numbers = chunk->numbers.length > 0; /* not where all rows are null: some readers take no empty dictionary */
  if (has_numbers) rc = put_numbers(scratch, &chunk->numbers, chunk->dictionary.count);
  else if (chunk->type == 'b') rc = put_bits(scratch, &chunk->values);
  else rc = append(&scratch->page, chunk->values.bytes, chunk->values.length);
  if (rc) return rc;
  int encoding = has_numbers ? ENCODING_RLE_DICTIONARY : ENCODING_PLAIN;
  rc = append_page(&chunk->pages, &chunk->raw_bytes, PAGE_DATA, chunk->page_rows, encoding, scratch);
  if (has_numbers) chunk->dictionary_pages++;
  else chunk->plain_pages++;
  chunk->levels.length = chunk->numbers.length = 0;
  chunk->page_rows = 0;
  empty(&chunk->values);
  return rc;
}

static inline int is_valid(const ColumnView *column, uint32_t row) {
  return !column->has_nulls || (column->validity[row >> 3] >> (row & 7) & 1);
}

static int append_numbers(Chunk *chunk, const ColumnView *column, uint32_t from, uint32_t to) {
  uint64_t most = to - from;
  int rc = chunk->in_dictionary ? reserve(&chunk->numbers, most * 4) : reserve(&chunk->values, most * 8);
  if (rc) return rc;
  uint64_t last = 0;
  uint32_t number = 0;
  int has_last = 0;
  for (uint32_t row = from; row < to; row++) {
    if (!is_valid(column, row)) continue;
    uint64_t value = load64(column->values + (uint64_t)row * 8);
    if (!chunk->in_dictionary) {
      memcpy(chunk->values.bytes + chunk->values.length, &value, sizeof value);
      chunk->values.length += sizeof value;
      if (chunk->wants_bounds) bound_number(&chunk->bounds, chunk->type, value);
      continue;
    }
    if (!has_last || value != last) {
      int is_new;
      rc = dictionary_number(&chunk->dictionary, value, &number, &is_new);
      if (rc) return rc;
      if (is_new && chunk->wants_bounds) bound_number(&chunk->bounds, chunk->type, value);
      last = value;
      has_last = 1;
    }
    memcpy(chunk->numbers.bytes + chunk->numbers.length, &number, sizeof number);
    chunk->numbers.length += sizeof number;
  }
  return SQLITE_OK;
}

static int append_booleans(Chunk *chunk, const ColumnView *column, uint32_t from, uint32_t to) {
  int rc = reserve(&chunk->values, to - from);
  if (rc) return rc;
  for (uint32_t row = from; row < to; row++) {
    if (!is_valid(column, row)) continue;
    uint64_t value = column->values[row >> 3] >> (row & 7) & 1;
    chunk->values.bytes[chunk->values.length++] = (unsigned char)value;
    if (chunk->wants_bounds) bound_number(&chunk->bounds, chunk->type, value);
  }
  return SQLITE_OK;
}

static int append_plain_bytes(Chunk *chunk, const unsigned char *bytes, uint32_t length) {
  int rc = append(&chunk->values, &length, sizeof length);
  if (!rc) rc = append(&chunk->values, bytes, length);
  return rc || !chunk->wants_bounds ? rc : bound_bytes(&chunk->bounds, bytes, length);
}

static int is_dictionary_full(const Chunk *chunk) {
  return chunk->in_dictionary && chunk->dictionary.values.length > DICTIONARY_BYTES;
}

static int is_full(const Chunk *chunk) { return chunk->values.length >= PAGE_BYTES || is_dictionary_full(chunk); }

/* Ends early where the page is full; `taken` says before which row. */
static int append_bytes(Chunk *chunk, const ColumnView *column, uint32_t from, uint32_t to, uint32_t *taken) {
  const unsigned char *last = NULL;
  uint32_t last_length = 0, number = 0, row = from;
  int rc = reserve(&chunk->numbers, (uint64_t)(to - from) * sizeof number);
  for (; !rc && row < to && !is_full(chunk); row++) {
    if (!is_valid(column, row)) continue;
    uint32_t start = load32(column->offsets + (uint64_t)row * 4);
    uint32_t length = load32(column->offsets + (uint64_t)row * 4 + 4) - start;
    const unsigned char *bytes = column->values + start;
    if (!chunk->in_dictionary) {
      rc = append_plain_bytes(chunk, bytes, length);
      continue;
    }
    if (!last || length != last_length || memcmp(last, bytes, length) != 0) {
      int is_new;
      rc = dictionary_bytes(&chunk->dictionary, bytes, length, &number, &is_new);
      if (!rc && is_new && chunk->wants_bounds) rc = bound_bytes(&chunk->bounds, bytes, length);
      if (rc) return rc;
      last = bytes;
      last_length = length;
    }
    memcpy(chunk->numbers.bytes + chunk->numbers.length, &number, sizeof number);
    chunk->numbers.length += sizeof number;
  }
  *taken = row;
  return rc;
}

static int append_levels(Chunk *chunk, const ColumnView *column, uint32_t from, uint32_t to) {
  uint32_t rows = to - from;
  int rc = reserve(&chunk->levels, rows);
  if (rc) return rc;
  unsigned char *levels = chunk->levels.bytes + chunk->levels.length;
  if (!column->has_nulls) memset(levels, 1, rows);
  else
    for (uint32_t row = from; row < to; row++) {
      levels[row - from] = (unsigned char)is_valid(column, row);
      chunk->nulls += !levels[row - from];
    }
  chunk->levels.length += rows;
  chunk->page_rows += rows;
  chunk->rows += rows;
  return SQLITE_OK;
}

int chunk_append(Chunk *chunk, const ColumnView *column, uint32_t from, uint32_t to, Scratch *scratch) {
  for (uint32_t end; from < to; from = end) {
    uint32_t room = PAGE_ROWS - chunk->page_rows;
    int rc;
    end = to - from < room ? to : from + room;
    if (chunk->type == 'b') rc = append_booleans(chunk, column, from, end);
    else if (is_of_bytes(chunk->type)) rc = append_bytes(chunk, column, from, end, &end);
    else rc = append_numbers(chunk, column, from, end);
    if (!rc) rc = append_levels(chunk, column, from, end);
    int ends_dictionary = is_dictionary_full(chunk);
    if (!rc && (chunk->page_rows == PAGE_ROWS || is_full(chunk))) rc = end_page(chunk, scratch);
    if (rc) return rc;
    if (!ends_dictionary) continue;
    chunk->in_dictionary = 0;
    dictionary_end(&chunk->dictionary);
  }
  return SQLITE_OK;
}

uint64_t chunk_estimate(const Chunk *chunk) {
  uint64_t open = chunk->values.length + chunk->dictionary.values.length +
                  chunk->numbers.length / sizeof(uint32_t) * (uint64_t)bits_for(chunk->dictionary.count) / 8;
  if (chunk->raw_bytes > 0) open = open * chunk->pages.length / chunk->raw_bytes;
  return chunk->pages.length + open;
}

int chunk_finish(Chunk *chunk, Buffer *out, ChunkPlace *place, Scratch *scratch) {
  int rc = end_page(chunk, scratch);
  place->dictionary_at = out->length;
  if (!rc && chunk->dictionary_pages > 0) {
    rc = append(&scratch->page, chunk->dictionary.values.bytes, chunk->dictionary.values.length);
    if (!rc)
      rc = append_page(out, &chunk->raw_bytes, PAGE_DICTIONARY, chunk->dictionary.count, ENCODING_PLAIN, scratch);
  }
  place->data_at = out->length;
  if (!rc) rc = append(out, chunk->pages.bytes, chunk->pages.length);
  place->end = out->length;
  place->raw_bytes = chunk->raw_bytes;
  finish_bounds(&chunk->bounds, chunk->type);
  return rc;
}

void chunk_clear(Chunk *chunk) {
  dictionary_clear(&chunk->dictionary);
  clear_bounds(&chunk->bounds);
  empty(&chunk->pages);
  chunk->in_dictionary = chunk->wants_dictionary;
  chunk->raw_bytes = chunk->rows = chunk->nulls = 0;
  chunk->dictionary_pages = chunk->plain_pages = 0;
}

void chunk_free(Chunk *chunk) {
  dictionary_free(&chunk->dictionary);
  free_bounds(&chunk->bounds);
  Buffer *buffers[] = {&chunk->levels, &chunk->values, &chunk->numbers, &chunk->pages};
  for (unsigned i = 0; i < sizeof buffers / sizeof *buffers; i++) sqlite3_free(buffers[i]->bytes);
}
