/*
** One column of a row group, as Parquet has it: https://parquet.apache.org/docs/file-format/. Every column may be null
** and none is nested; pages are of version 1.
*/
#ifndef PARQUET_CHUNK_H
#define PARQUET_CHUNK_H

#include "parquet-bounds.h"
#include "dictionary.h"
#include "parquet-page.h"

typedef struct Chunk {
  /* i integers, t times in microseconds, d doubles, b the integers 0 and 1, s text, x blobs */
  char type;
  int wants_dictionary;
  int wants_bounds;

  int in_dictionary; /* whether values go there; ended when it grows too large */
  Dictionary dictionary;
  Bounds bounds;

  /* the page in the making */
  uint32_t page_rows;
  Buffer levels;  /* a byte a row: whether it has a value */
  Buffer values;  /* as the page has them; of b a byte each */
  Buffer numbers; /* u32, instead of values that go to the dictionary */

  /* the pages that are made, with their heads */
  Buffer pages;
  uint64_t raw_bytes; /* what they would take if nothing was compressed */
  uint32_t dictionary_pages, plain_pages;

  uint64_t rows, nulls;
} Chunk;

/* Rows of a column as Apache Arrow has them, which have been looked at. */
typedef struct ColumnView {
  int has_nulls;
  const unsigned char *validity, *values, *offsets;
} ColumnView;

static inline int is_of_bytes(char type) { return type == 's' || type == 'x'; }

/* Appends the rows from `from` to before `to`. */
int chunk_append(Chunk *chunk, const ColumnView *column, uint32_t from, uint32_t to, Scratch *scratch);

/* What the chunk takes in the file, its last page estimated by those before. */
uint64_t chunk_estimate(const Chunk *chunk);

typedef struct ChunkPlace {
  uint64_t dictionary_at, data_at, end; /* in `out`; dictionary_at is data_at where there is no dictionary */
  uint64_t raw_bytes;
} ChunkPlace;

/* Ends the last page and appends the chunk to `out`. */
int chunk_finish(Chunk *chunk, Buffer *out, ChunkPlace *place, Scratch *scratch);

/* Makes it ready for the next row group; the memory is kept. */
void chunk_clear(Chunk *chunk);
void chunk_free(Chunk *chunk);

#endif
