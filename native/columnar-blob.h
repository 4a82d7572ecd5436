/*
** Columns of rows, and the blob in which SQLite hands them out. Its parts are those of Apache Arrow's columns
** (https://arrow.apache.org/docs/format/Columnar.html): values, offsets, validity bitmap. src/encode/columnar-blob.ts
** views them without taking them apart row by row.
**
** The blob has the byte order of the machine, and every part begins at a multiple of 8:
**
**   header    u32 magic "COL1", u32 columns, u32 rows, u32 misfits, u32 full (1: a limit was reached), u32 0
**   column ×n u32 nulls, u32 0, u64 validity offset (0: no nulls), u64 values offset, u64 values length in
**             bytes, u64 offsets offset (0: not s or x)
**   parts     what those offsets point to, from the start of the blob
**   misfits   values that their columns cannot hold, by row, then column: u32 row, u32 column, u32 kind (1 integer,
**             2 real, 3 text, 4 blob, 5 text that is not valid Unicode), u32 length, then the value's bytes (none for
**             kind 5), padded to 8
*/
#ifndef COLUMNAR_BLOB_H
#define COLUMNAR_BLOB_H

#include <stdint.h>
#include <string.h>

#include "buffer.h"

typedef struct Column {
  char type; /* i 64-bit integers, d doubles, b the integers 0 and 1, s text, x blobs */
  int lists_misfits;
  uint32_t nulls;
  Buffer validity; /* one bit a row, as far as the last null */
  Buffer values;   /* of b, one bit a row, as far as the last 1 */
  Buffer offsets;  /* of s and x: int32, one more than rows */
} Column;

typedef struct Columns {
  int count;
  Column *columns;
  uint32_t rows;
  uint32_t misfit_count;
  Buffer misfits;
  int full;
} Columns;

/* The memory that a connection keeps for its next blob: fresh memory of some megabytes costs more than to fill it. */
typedef struct Keeper Keeper;

static inline uint64_t aligned(uint64_t length) { return (length + 7) & ~(uint64_t)7; }

static inline int has_offsets(const Column *column) { return column->type == 's' || column->type == 'x'; }

/* Lengthens a bitmap to so many rows; the new bytes are `filler`. */
static inline int extend(Buffer *bits, uint64_t rows, int filler) {
  uint64_t length = (rows + 7) >> 3;
  if (length <= bits->length) return SQLITE_OK;
  uint64_t more = length - bits->length;
  int rc = reserve(bits, more);
  if (rc) return rc;
  memset(bits->bytes + bits->length, filler, more);
  bits->length = length;
  return SQLITE_OK;
}

/* Says that the value of a row, which is appended like any other, is null. */
static inline int append_null(Column *column, uint32_t row) {
  int rc = extend(&column->validity, (uint64_t)row + 1, 0xff);
  if (rc) return rc;
  column->validity.bytes[row >> 3] &= (unsigned char)~(1u << (row & 7));
  column->nulls++;
  return SQLITE_OK;
}

static inline int append_true(Column *column, uint32_t row) {
  int rc = extend(&column->values, (uint64_t)row + 1, 0);
  if (rc) return rc;
  column->values.bytes[row >> 3] |= (unsigned char)(1u << (row & 7));
  return SQLITE_OK;
}

/* Appends a value of a column s or x, of which there are less than 2 GB; for null: of length 0. */
static inline int append_bytes(Column *column, const void *bytes, uint64_t length) {
  int rc = append(&column->values, bytes, length);
  if (rc) return rc;
  int32_t end = (int32_t)column->values.length;
  return append(&column->offsets, &end, sizeof end);
}

/* Makes room for so many columns, all zero; each then begins with `begin_column`. */
int begin_columns(Columns *all, int count);
int begin_column(Column *column, char type);
void free_columns(Columns *all);

/* Gives the columns as the result of a function, in memory of the connection's keeper. */
int give_columns(sqlite3_context *context, Columns *all, Keeper *keeper);

/* A keeper has as many users as functions that have it as their data, and blobs that SQLite has. NULL: no memory. */
Keeper *create_keeper(void);
void use_keeper(Keeper *keeper);
void release_keeper(void *keeper);

#endif
