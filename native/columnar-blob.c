#include "columnar-blob.h"
SQLITE_EXTENSION_INIT3

#include <stddef.h>

#define MAGIC 0x314c4f43u /* "COL1" */
#define HEADER_BYTES 24
#define COLUMN_BYTES 40

/* The most bytes that are kept for the next blob; a read of ordinary rows takes less. Tests set it lower. */
#ifndef MOST_KEPT_BYTES
#define MOST_KEPT_BYTES ((uint64_t)1 << 25)
#endif

/* Freed with its last user. */
struct Keeper {
  struct Block *kept; /* memory that no blob uses, or none */
  uint32_t users;
};

/* The memory of a blob. */
typedef struct Block {
  Keeper *keeper;
  uint64_t capacity;
  unsigned char bytes[];
} Block;

Keeper *create_keeper(void) {
  Keeper *keeper = sqlite3_malloc64(sizeof *keeper);
  if (!keeper) return NULL;
  keeper->kept = NULL;
  keeper->users = 0;
  return keeper;
}

void use_keeper(Keeper *keeper) { keeper->users++; }

void release_keeper(void *user_data) {
  Keeper *keeper = user_data;
  if (--keeper->users > 0) return;
  sqlite3_free(keeper->kept);
  sqlite3_free(keeper);
}

/* The memory for a blob of so many bytes, from what is kept if that is large enough; NULL where there is none. */
static unsigned char *take_block(Keeper *keeper, uint64_t length) {
  Block *block = keeper->kept;
  keeper->kept = NULL;
  if (!block || block->capacity < length) {
    sqlite3_free(block);
    block = sqlite3_malloc64(sizeof *block + length);
    if (!block) return NULL;
    block->capacity = length;
  }
  block->keeper = keeper;
  use_keeper(keeper);
  return block->bytes;
}

/* SQLite calls it when it has no more use for a blob, at the latest when the statement is reset. */
static void return_block(void *bytes) {
  Block *block = (Block *)((unsigned char *)bytes - offsetof(Block, bytes));
  Keeper *keeper = block->keeper;
  if (keeper->kept || block->capacity > MOST_KEPT_BYTES) sqlite3_free(block);
  else keeper->kept = block;
  release_keeper(keeper);
}

int begin_columns(Columns *all, int count) {
  memset(all, 0, sizeof *all);
  all->columns = sqlite3_malloc64((uint64_t)count * sizeof(Column));
  if (!all->columns) return SQLITE_NOMEM;
  memset(all->columns, 0, (size_t)count * sizeof(Column));
  all->count = count;
  return SQLITE_OK;
}

int begin_column(Column *column, char type) {
  static const int32_t zero = 0;
  column->type = type;
  return has_offsets(column) ? append(&column->offsets, &zero, sizeof zero) : SQLITE_OK;
}

void free_columns(Columns *all) {
  for (int i = 0; i < all->count; i++) {
    sqlite3_free(all->columns[i].validity.bytes);
    sqlite3_free(all->columns[i].values.bytes);
    sqlite3_free(all->columns[i].offsets.bytes);
  }
  sqlite3_free(all->columns);
  sqlite3_free(all->misfits.bytes);
}

/* Lengthens the bitmaps of a column to its last row, with zeros behind it. */
static int finish_bits(Column *column, uint32_t rows) {
  int rc = column->type == 'b' ? extend(&column->values, rows, 0) : SQLITE_OK;
  if (rc || column->nulls == 0) return rc;
  rc = extend(&column->validity, rows, 0xff);
  if (!rc && (rows & 7)) column->validity.bytes[rows >> 3] &= (unsigned char)((1u << (rows & 7)) - 1);
  return rc;
}

static void put32(unsigned char *at, uint32_t value) { memcpy(at, &value, sizeof value); }
static void put64(unsigned char *at, uint64_t value) { memcpy(at, &value, sizeof value); }

/*
** Copies a buffer to the end of the blob, which moves behind it and its padding; where it lies, or 0 for an
** empty one.
*/
static uint64_t place(unsigned char *blob, uint64_t *end, const Buffer *buffer) {
  uint64_t offset = *end, length = buffer->length;
  if (length == 0) return 0;
  *end = offset + aligned(length);
  memcpy(blob + offset, buffer->bytes, length);
  memset(blob + offset + length, 0, *end - offset - length); /* rather than other memory of the process */
  return offset;
}

static uint64_t blob_length(const Columns *all) {
  uint64_t length = HEADER_BYTES + (uint64_t)all->count * COLUMN_BYTES + all->misfits.length;
  for (int i = 0; i < all->count; i++) {
    const Column *column = &all->columns[i];
    if (column->nulls > 0) length += aligned(column->validity.length);
    length += aligned(column->values.length) + aligned(column->offsets.length);
  }
  return length;
}

int give_columns(sqlite3_context *context, Columns *all, Keeper *keeper) {
  for (int i = 0; i < all->count; i++) {
    int rc = finish_bits(&all->columns[i], all->rows);
    if (rc) return rc;
  }
  uint64_t length = blob_length(all);
  uint64_t end = HEADER_BYTES + (uint64_t)all->count * COLUMN_BYTES;
  unsigned char *blob = take_block(keeper, length);
  if (!blob) return SQLITE_NOMEM;
  memset(blob, 0, end);
  put32(blob, MAGIC);
  put32(blob + 4, (uint32_t)all->count);
  put32(blob + 8, all->rows);
  put32(blob + 12, all->misfit_count);
  put32(blob + 16, (uint32_t)all->full);
  for (int i = 0; i < all->count; i++) {
    const Column *column = &all->columns[i];
    unsigned char *at = blob + HEADER_BYTES + (uint64_t)i * COLUMN_BYTES;
    put32(at, column->nulls);
    put64(at + 8, column->nulls > 0 ? place(blob, &end, &column->validity) : 0);
    put64(at + 16, place(blob, &end, &column->values));
    put64(at + 24, column->values.length);
    put64(at + 32, place(blob, &end, &column->offsets));
  }
  place(blob, &end, &all->misfits);
  sqlite3_result_blob64(context, blob, length, return_block);
  return SQLITE_OK;
}
