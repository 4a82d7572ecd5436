/*
** columnar(query, types, limit, most, name, value, …): the rows of a query as columns, in one blob.
**
** The blob's parts are those of Apache Arrow's columns (https://arrow.apache.org/docs/format/Columnar.html):
** values, offsets, validity bitmap. src/encode/columnar-blob.ts views them without taking them apart row by
** row. What src/encode/column-builders.ts does in TypeScript is done here in a fraction of the time, and
** test/native holds the two against each other byte for byte.
**
**   query   TEXT, one SELECT. It runs inside the transaction of the caller.
**   types   TEXT, one letter for each of its columns:
**             i  64-bit integers            d  doubles: reals, and integers within 2^53
**             b  the integers 0 and 1       s  text that is valid Unicode      x  blobs
**   limit   INTEGER: rows are taken until they take so many bytes, counted below; 0: all of them
**   most    INTEGER from 1 to 2^30: the most bytes that the texts and blobs of one row may take, those that do not
**           fit their columns as in `_rescued`
**   name, value   the query's parameters: '@first', 1, …
**
** NULL where there is no row. A value that its column cannot hold is null there. If the column's letter is a
** capital, it is listed behind the columns as a misfit; if not, it is dropped, but for text that is not valid
** Unicode in a column s: that is the error SQLITE_MISMATCH. A row of more than `most` bytes, or 1 GB of all rows, is
** SQLITE_TOOBIG, which is found before the value is copied.
**
** The blob has the byte order of the machine, and every part begins at a multiple of 8:
**
**   header    u32 magic "COL1", u32 columns, u32 rows, u32 misfits, u32 full (1: the limit was reached), u32 0
**   column ×n u32 nulls, u32 0, u64 validity offset (0: no nulls), u64 values offset, u64 values length in
**             bytes, u64 offsets offset (0: not s or x)
**   parts     what those offsets point to, from the start of the blob
**   misfits   by row, then column: u32 row, u32 column, u32 kind (1 integer, 2 real, 3 text, 4 blob, 5 text
**             that is not valid Unicode), u32 length, then the value's bytes (none for kind 5), padded to 8
**
** It runs the query itself, rather than being an aggregate over it, so that the query stops where the limit is
** reached, rows come in the order the query gives them, and the number of columns is not bounded by that of a
** function's arguments. Between calls it keeps the memory of the last blob, since fresh memory of some megabytes costs
** more than to fill it. It needs only SQLite's extension interface.
*/
#include "sqlite3ext.h"
SQLITE_EXTENSION_INIT1

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "buffer.h"
#include "parquet.h"
#include "timestamp-micros.h"

#define MAGIC 0x314c4f43u /* "COL1" */
#define HEADER_BYTES 24
#define COLUMN_BYTES 40
#define EXACT_INTEGER ((sqlite3_int64)1 << 53)

/* The most bytes that are kept for the next blob; a read of ordinary rows takes less. Tests set it lower. */
#ifndef MOST_KEPT_BYTES
#define MOST_KEPT_BYTES ((uint64_t)1 << 25)
#endif

/*
** The most that a misfit of so many bytes may take in `_rescued`: a control character takes six in JSON, a byte of a
** blob two; the rest is for a number, or for the marks around a text or blob.
*/
#define RESCUED_BYTES(length) (6 * (length) + 32)

enum { ARG_QUERY, ARG_TYPES, ARG_LIMIT, ARG_MOST, ARG_PARAMETERS };
enum { MISFIT_INTEGER = 1, MISFIT_REAL, MISFIT_TEXT, MISFIT_BLOB, MISFIT_INVALID_TEXT };

/* What a connection keeps between calls; freed with the last blob and the function, whichever lasts longer. */
typedef struct Keeper {
  struct Block *kept; /* memory that no blob uses, or none */
  uint32_t users;     /* blobs that SQLite has, and the function itself */
} Keeper;

/* The memory of a blob. */
typedef struct Block {
  Keeper *keeper;
  uint64_t capacity;
  unsigned char bytes[];
} Block;

typedef struct Column {
  char type;
  int lists_misfits;
  uint32_t nulls;
  Buffer validity; /* one bit a row, as far as the last null */
  Buffer values;   /* of b, one bit a row, as far as the last 1 */
  Buffer offsets;  /* of s and x: int32, one more than rows */
} Column;

typedef struct Columns {
  sqlite3_stmt *query;
  int is_utf16; /* the database's encoding */
  int count;
  Column *columns;
  uint32_t rows;
  uint32_t misfit_count;
  Buffer misfits;
  /*
  ** What column-builders.ts would count for the rows, `_rescued` included, as long as there are no misfits;
  ** with misfits, no more than that.
  */
  uint64_t taken;
  uint64_t row_bytes; /* what each row takes, whatever its values are */
  uint32_t bit_columns;
  uint64_t limit;
  uint64_t most;
  uint64_t row_left; /* of `most`, for the row in hand */
  int full;
} Columns;

typedef struct Text {
  const unsigned char *bytes; /* UTF-8, if it is valid */
  uint64_t length;
  int valid;
} Text;

static uint64_t aligned(uint64_t length) { return (length + 7) & ~(uint64_t)7; }

static int has_offsets(const Column *column) { return column->type == 's' || column->type == 'x'; }

/* Lengthens a bitmap to so many rows; the new bytes are `filler`. */
static int extend(Buffer *bits, uint64_t rows, int filler) {
  uint64_t length = (rows + 7) >> 3;
  if (length <= bits->length) return SQLITE_OK;
  uint64_t more = length - bits->length;
  int rc = reserve(bits, more);
  if (rc) return rc;
  memset(bits->bytes + bits->length, filler, more);
  bits->length = length;
  return SQLITE_OK;
}

static int append_null(Column *column, uint32_t row) {
  int rc = extend(&column->validity, (uint64_t)row + 1, 0xff);
  if (rc) return rc;
  column->validity.bytes[row >> 3] &= (unsigned char)~(1u << (row & 7));
  column->nulls++;
  return SQLITE_OK;
}

static int append_true(Column *column, uint32_t row) {
  int rc = extend(&column->values, (uint64_t)row + 1, 0);
  if (rc) return rc;
  column->values.bytes[row >> 3] |= (unsigned char)(1u << (row & 7));
  return SQLITE_OK;
}

/* Lengthens the bitmaps of a column to its last row, with zeros behind it. */
static int finish_bits(Column *column, uint32_t rows) {
  int rc = column->type == 'b' ? extend(&column->values, rows, 0) : SQLITE_OK;
  if (rc || column->nulls == 0) return rc;
  rc = extend(&column->validity, rows, 0xff);
  if (!rc && (rows & 7)) column->validity.bytes[rows >> 3] &= (unsigned char)((1u << (rows & 7)) - 1);
  return rc;
}

/* Looks at eight bytes at once; of the last eight some may have been looked at before. */
static inline int is_ascii(const unsigned char *text, uint64_t length) {
  uint64_t seen = 0, word = 0;
  if (length < 8) {
    for (uint64_t i = 0; i < length; i++) seen |= text[i];
    return seen < 0x80;
  }
  for (uint64_t i = 0; i + 8 < length; i += 8) {
    memcpy(&word, text + i, 8);
    seen |= word;
  }
  memcpy(&word, text + length - 8, 8);
  return ((seen | word) & UINT64_C(0x8080808080808080)) == 0;
}

/* Whether it is well-formed UTF-8: the Unicode Standard, table 3-7. */
static int is_utf8(const unsigned char *text, uint64_t length) {
  uint64_t i = 0;
  while (i < length) {
    unsigned char lead = text[i++];
    unsigned char least = 0x80, most = 0xbf; /* of the byte behind it */
    int more;
    if (lead < 0x80) continue;
    if (lead >= 0xc2 && lead <= 0xdf) more = 1;
    else if (lead >= 0xe0 && lead <= 0xef) {
      more = 2;
      if (lead == 0xe0) least = 0xa0;
      if (lead == 0xed) most = 0x9f;
    } else if (lead >= 0xf0 && lead <= 0xf4) {
      more = 3;
      if (lead == 0xf0) least = 0x90;
      if (lead == 0xf4) most = 0x8f;
    } else return 0;
    for (; more > 0; more--) {
      if (i >= length || text[i] < least || text[i] > most) return 0;
      i++;
      least = 0x80;
      most = 0xbf;
    }
  }
  return 1;
}

/* Whether the surrogates of UTF-16 in the byte order of the machine come in pairs. */
static int is_utf16(const unsigned char *text, uint64_t length) {
  for (uint64_t i = 0; i + 2 <= length; i += 2) {
    uint16_t unit, next = 0;
    memcpy(&unit, text + i, 2);
    if ((unit & 0xf800) != 0xd800) continue;
    if (i + 4 <= length) memcpy(&next, text + i + 2, 2);
    if (unit >= 0xdc00 || (next & 0xfc00) != 0xdc00) return 0;
    i += 2;
  }
  return 1;
}

/*
** Reads a text. In a UTF-16 database the UTF-16 is looked at: SQLite makes valid UTF-8 of much that is not valid
** UTF-16. That changes the value in place, so text that is not valid is left as it is, to be found so again.
*/
static inline int read_text(const Columns *all, sqlite3_value *value, Text *text) {
  text->valid = 1;
  if (all->is_utf16) {
    text->bytes = sqlite3_value_text16(value);
    text->length = (uint64_t)sqlite3_value_bytes16(value);
    text->valid = text->bytes && is_utf16(text->bytes, text->length);
    if (!text->valid) return text->bytes ? SQLITE_OK : SQLITE_NOMEM;
  }
  text->bytes = sqlite3_value_text(value);
  text->length = (uint64_t)sqlite3_value_bytes(value);
  if (!text->bytes) return SQLITE_NOMEM;
  if (!all->is_utf16) text->valid = is_ascii(text->bytes, text->length) || is_utf8(text->bytes, text->length);
  return SQLITE_OK;
}

/* Reads a blob; a zeroblob() gets its bytes here, which takes memory, and loses its length where there is none. */
static int read_blob(sqlite3_value *value, const void **blob, uint64_t *length) {
  *length = (uint64_t)sqlite3_value_bytes(value);
  *blob = sqlite3_value_blob(value);
  return *blob || *length == 0 ? SQLITE_OK : SQLITE_NOMEM;
}

/* Counts bytes that the row in hand takes. */
static inline int take_bytes(Columns *all, uint64_t length) {
  if (length > all->row_left) return SQLITE_TOOBIG;
  all->row_left -= length;
  return SQLITE_OK;
}

static int append_misfit(Columns *all, int column, uint32_t kind, const void *bytes, uint64_t length) {
  static const unsigned char padding[8] = {0};
  uint32_t head[4] = {all->rows, (uint32_t)column, kind, (uint32_t)length};
  int rc = append(&all->misfits, head, sizeof head);
  all->misfit_count++;
  if (!rc) rc = append(&all->misfits, bytes, length);
  return rc ? rc : append(&all->misfits, padding, aligned(length) - length);
}

/*
** Lists a value that its column cannot hold. Text and blobs are counted: their JSON in `_rescued` is no
** shorter than they are.
*/
static int list_misfit(Columns *all, int index, sqlite3_value *value, int type) {
  if (type == SQLITE_INTEGER) {
    sqlite3_int64 integer = sqlite3_value_int64(value);
    int rc = take_bytes(all, RESCUED_BYTES(0));
    return rc ? rc : append_misfit(all, index, MISFIT_INTEGER, &integer, sizeof integer);
  }
  if (type == SQLITE_FLOAT) {
    double real = sqlite3_value_double(value);
    int rc = take_bytes(all, RESCUED_BYTES(0));
    return rc ? rc : append_misfit(all, index, MISFIT_REAL, &real, sizeof real);
  }
  if (type == SQLITE_BLOB) {
    const void *blob;
    uint64_t length;
    int rc = take_bytes(all, RESCUED_BYTES((uint64_t)sqlite3_value_bytes(value)));
    if (!rc) rc = read_blob(value, &blob, &length);
    if (rc) return rc;
    all->taken += length;
    return append_misfit(all, index, MISFIT_BLOB, blob, length);
  }
  Text text;
  int rc = read_text(all, value, &text);
  if (!rc) rc = take_bytes(all, RESCUED_BYTES(text.length));
  if (rc) return rc;
  all->taken += text.length;
  if (!text.valid) return append_misfit(all, index, MISFIT_INVALID_TEXT, NULL, 0);
  return append_misfit(all, index, MISFIT_TEXT, text.bytes, text.length);
}

/* Appends a value of a column s or x; none: of length 0. */
static inline int append_bytes(Columns *all, Column *column, const void *bytes, uint64_t length) {
  int rc = take_bytes(all, length);
  if (!rc) rc = append(&column->values, bytes, length);
  if (rc) return rc;
  int32_t end = (int32_t)column->values.length;
  all->taken += length;
  return append(&column->offsets, &end, sizeof end);
}

/* Appends a value of this type if the column can hold it; `held` says whether it could. */
static inline int append_value(Columns *all, Column *column, sqlite3_value *value, int type, int *held) {
  *held = 0;
  switch (column->type) {
    case 'i': {
      *held = type == SQLITE_INTEGER;
      sqlite3_int64 integer = *held ? sqlite3_value_int64(value) : 0;
      return append(&column->values, &integer, sizeof integer);
    }
    case 'd': {
      double real = 0;
      if (type == SQLITE_FLOAT) {
        *held = 1;
        real = sqlite3_value_double(value);
      } else if (type == SQLITE_INTEGER) {
        sqlite3_int64 integer = sqlite3_value_int64(value);
        *held = integer >= -EXACT_INTEGER && integer <= EXACT_INTEGER;
        if (*held) real = (double)integer;
      }
      return append(&column->values, &real, sizeof real);
    }
    case 'b': {
      sqlite3_int64 integer = type == SQLITE_INTEGER ? sqlite3_value_int64(value) : -1;
      *held = integer == 0 || integer == 1;
      return integer == 1 ? append_true(column, all->rows) : SQLITE_OK;
    }
    case 's': {
      if (type != SQLITE_TEXT) return append_bytes(all, column, NULL, 0);
      Text text;
      int rc = read_text(all, value, &text);
      if (rc) return rc;
      if (!text.valid) return column->lists_misfits ? append_bytes(all, column, NULL, 0) : SQLITE_MISMATCH;
      *held = 1;
      return append_bytes(all, column, text.bytes, text.length);
    }
    default: {
      if (type != SQLITE_BLOB) return append_bytes(all, column, NULL, 0);
      const void *blob;
      uint64_t length;
      /* Before a zeroblob() gets its bytes. */
      if ((uint64_t)sqlite3_value_bytes(value) > all->row_left) return SQLITE_TOOBIG;
      int rc = read_blob(value, &blob, &length);
      if (rc) return rc;
      *held = 1;
      return append_bytes(all, column, blob, length);
    }
  }
}

/*
** The functions sqlite3_value_… want a protected value, which one of a column is as long as the mutex of its
** connection is held (https://sqlite.org/c3ref/value.html): the sqlite3_step() that calls `columnar` holds it
** all the time. So a value is looked up once; each of the functions sqlite3_column_… would do so again.
*/
static inline int take_value(Columns *all, int index) {
  Column *column = &all->columns[index];
  sqlite3_value *value = sqlite3_column_value(all->query, index);
  int type = sqlite3_value_type(value); /* before anything converts the value */
  int held;
  int rc = append_value(all, column, value, type, &held);
  if (rc || held) return rc;
  if (type != SQLITE_NULL && column->lists_misfits) rc = list_misfit(all, index, value, type);
  return rc ? rc : append_null(column, all->rows);
}

static int take_row(Columns *all) {
  if (all->rows == INT32_MAX) return SQLITE_TOOBIG;
  all->row_left = all->most;
  for (int i = 0; i < all->count; i++) {
    int rc = take_value(all, i);
    if (rc) return rc;
  }
  all->taken += all->row_bytes;
  if ((all->rows & 7) == 0) all->taken += all->bit_columns;
  all->rows++;
  all->full = all->limit > 0 && all->taken >= all->limit;
  return all->taken > MOST_BYTES ? SQLITE_TOOBIG : SQLITE_OK;
}

static int query_encoding(sqlite3 *db, int *is_utf16) {
  sqlite3_stmt *pragma;
  int rc = sqlite3_prepare_v2(db, "PRAGMA encoding", -1, &pragma, NULL);
  if (rc) return rc;
  if (sqlite3_step(pragma) == SQLITE_ROW) {
    const char *name = (const char *)sqlite3_column_text(pragma, 0);
    *is_utf16 = name && strncmp(name, "UTF-16", 6) == 0;
  }
  return sqlite3_finalize(pragma);
}

/* Reads an argument that has to be text. */
static int argument_text(sqlite3_value *value, const char **text) {
  if (sqlite3_value_type(value) != SQLITE_TEXT) return SQLITE_MISUSE;
  *text = (const char *)sqlite3_value_text(value);
  return *text ? SQLITE_OK : SQLITE_NOMEM;
}

/* Binds every parameter of the query; names that it does not have are passed over. */
static int bind_parameters(sqlite3_stmt *query, int argc, sqlite3_value **argv) {
  int bound = 0;
  for (int i = ARG_PARAMETERS; i + 1 < argc; i += 2) {
    const char *name;
    int rc = argument_text(argv[i], &name);
    if (rc) return rc;
    int index = sqlite3_bind_parameter_index(query, name);
    if (index == 0) continue;
    rc = sqlite3_bind_value(query, index, argv[i + 1]);
    if (rc) return rc;
    bound++;
  }
  return bound == sqlite3_bind_parameter_count(query) ? SQLITE_OK : SQLITE_MISUSE;
}

static int prepare(Columns *all, sqlite3 *db, int argc, sqlite3_value **argv) {
  const char *sql;
  int rc = argument_text(argv[ARG_QUERY], &sql);
  if (!rc) rc = sqlite3_prepare_v2(db, sql, -1, &all->query, NULL);
  if (rc) return rc;
  if (!all->query || !sqlite3_stmt_readonly(all->query)) return SQLITE_MISUSE;
  rc = bind_parameters(all->query, argc, argv);
  return rc ? rc : query_encoding(db, &all->is_utf16);
}

static int create_columns(Columns *all, sqlite3_value **argv) {
  static const int32_t zero = 0;
  const char *types;
  sqlite3_int64 limit = sqlite3_value_int64(argv[ARG_LIMIT]);
  sqlite3_int64 most = sqlite3_value_int64(argv[ARG_MOST]);
  int count = sqlite3_column_count(all->query);
  int rc = argument_text(argv[ARG_TYPES], &types);
  if (rc) return rc;
  if (count == 0 || strlen(types) != (size_t)count || strspn(types, "idbsxIDBSX") != (size_t)count)
    return SQLITE_MISUSE;
  if (most < 1 || (uint64_t)most > MOST_BYTES) return SQLITE_MISUSE;
  all->most = (uint64_t)most;
  all->limit = limit > 0 ? (uint64_t)limit : 0;
  all->columns = sqlite3_malloc64((uint64_t)count * sizeof(Column));
  if (!all->columns) return SQLITE_NOMEM;
  memset(all->columns, 0, (size_t)count * sizeof(Column));
  all->count = count;
  /* The offset of `_rescued`, which only reads with a limit have. */
  if (all->limit > 0) all->row_bytes = sizeof(int32_t);
  for (int i = 0; i < count; i++) {
    Column *column = &all->columns[i];
    column->type = (char)(types[i] | 0x20);
    column->lists_misfits = types[i] != column->type;
    if (column->type == 'b') all->bit_columns++;
    else all->row_bytes += has_offsets(column) ? sizeof(int32_t) : sizeof(int64_t);
    if (has_offsets(column)) rc = append(&column->offsets, &zero, sizeof zero);
    if (rc) return rc;
  }
  return SQLITE_OK;
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

static void release_keeper(Keeper *keeper) {
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
  keeper->users++;
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

static void release_function(void *user_data) { release_keeper(user_data); }

static int give(sqlite3_context *context, Columns *all) {
  for (int i = 0; i < all->count; i++) {
    int rc = finish_bits(&all->columns[i], all->rows);
    if (rc) return rc;
  }
  uint64_t length = blob_length(all);
  uint64_t end = HEADER_BYTES + (uint64_t)all->count * COLUMN_BYTES;
  unsigned char *blob = take_block(sqlite3_user_data(context), length);
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

static void release(Columns *all) {
  for (int i = 0; i < all->count; i++) {
    sqlite3_free(all->columns[i].validity.bytes);
    sqlite3_free(all->columns[i].values.bytes);
    sqlite3_free(all->columns[i].offsets.bytes);
  }
  sqlite3_free(all->columns);
  sqlite3_free(all->misfits.bytes);
  sqlite3_finalize(all->query);
}

static void columnar(sqlite3_context *context, int argc, sqlite3_value **argv) {
  sqlite3 *db = sqlite3_context_db_handle(context);
  Columns all;
  memset(&all, 0, sizeof all);
  int rc = argc < ARG_PARAMETERS ? SQLITE_MISUSE : prepare(&all, db, argc, argv);
  int in_query = 1; /* whether SQLite has words for the error */
  if (!rc) {
    in_query = 0;
    rc = create_columns(&all, argv);
  }
  while (!rc && !all.full) {
    rc = sqlite3_step(all.query);
    in_query = rc != SQLITE_ROW;
    if (rc == SQLITE_ROW) rc = take_row(&all);
  }
  if (rc == SQLITE_DONE) rc = SQLITE_OK;
  if (!rc && all.rows > 0) rc = give(context, &all);

  if (rc == SQLITE_NOMEM) sqlite3_result_error_nomem(context);
  else if (rc) {
    if (rc == SQLITE_MISUSE) sqlite3_result_error(context, "columnar: the arguments are wrong", -1);
    else if (in_query) sqlite3_result_error(context, sqlite3_errmsg(db), -1);
    sqlite3_result_error_code(context, rc);
  }
  release(&all);
}

/*
** The blobs of a backlog are made on one thread and freed on another. glibc keeps such memory in the first one's arena, in
** pieces; what is larger than an ordinary read is given back to the system instead (man 3 mallopt). To give that back too
** would take some 20 MB less for a million rows, and 5 to 10 % more CPU time.
*/
static void give_memory_back(void) {
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, 4 * 1024 * 1024);
#endif
}

#ifdef _WIN32
__declspec(dllexport)
#endif
int sqlite3_columnar_init(sqlite3 *db, char **message, const sqlite3_api_routines *api) {
  (void)message;
  (void)api;
  SQLITE_EXTENSION_INIT2(api);
  give_memory_back();
  Keeper *keeper = sqlite3_malloc64(sizeof *keeper);
  if (!keeper) return SQLITE_NOMEM;
  keeper->kept = NULL;
  keeper->users = 1;
  /* Where it fails, it calls release_function. */
  int rc = sqlite3_create_function_v2(db, "columnar", -1, SQLITE_UTF8 | SQLITE_DIRECTONLY, keeper, columnar, NULL,
                                      NULL, release_function);
  if (!rc) rc = register_parquet(db);
  return rc ? rc : register_timestamp_micros(db);
}
