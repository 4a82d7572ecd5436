/*
** columnar(query, types, limit, most, name, value, …): the rows of a query as columns, in one blob, which
** columnar-blob.h describes. What src/encode/column-builders.ts does in TypeScript is done here in a fraction of the
** time, and test/native holds the two against each other byte for byte.
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
** It runs the query itself, rather than being an aggregate over it, so that the query stops where the limit is
** reached, rows come in the order the query gives them, and the number of columns is not bounded by that of a
** function's arguments. It needs only SQLite's extension interface.
*/
#include "sqlite3ext.h"
SQLITE_EXTENSION_INIT1

#include <stdint.h>
#include <string.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "buffer.h"
#include "columnar-blob.h"
#include "grouped.h"
#include "parquet.h"
#include "timestamp-micros.h"
#include "unicode.h"

#define EXACT_INTEGER ((sqlite3_int64)1 << 53)

/*
** The most that a misfit of so many bytes may take in `_rescued`: a control character takes six in JSON, a byte of a
** blob two; the rest is for a number, or for the marks around a text or blob.
*/
#define RESCUED_BYTES(length) (6 * (length) + 32)

enum { ARG_QUERY, ARG_TYPES, ARG_LIMIT, ARG_MOST, ARG_PARAMETERS };
enum { MISFIT_INTEGER = 1, MISFIT_REAL, MISFIT_TEXT, MISFIT_BLOB, MISFIT_INVALID_TEXT };

typedef struct Reading {
  sqlite3_stmt *query;
  int is_utf16; /* the database's encoding */
  Columns made;
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
} Reading;

typedef struct Text {
  const unsigned char *bytes; /* UTF-8, if it is valid */
  uint64_t length;
  int valid;
} Text;

/*
** Reads a text. In a UTF-16 database the UTF-16 is looked at: SQLite makes valid UTF-8 of much that is not valid
** UTF-16. That changes the value in place, so text that is not valid is left as it is, to be found so again.
*/
static inline int read_text(const Reading *all, sqlite3_value *value, Text *text) {
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
static inline int take_bytes(Reading *all, uint64_t length) {
  if (length > all->row_left) return SQLITE_TOOBIG;
  all->row_left -= length;
  return SQLITE_OK;
}

static int append_misfit(Reading *all, int column, uint32_t kind, const void *bytes, uint64_t length) {
  static const unsigned char padding[8] = {0};
  uint32_t head[4] = {all->made.rows, (uint32_t)column, kind, (uint32_t)length};
  int rc = append(&all->made.misfits, head, sizeof head);
  all->made.misfit_count++;
  if (!rc) rc = append(&all->made.misfits, bytes, length);
  return rc ? rc : append(&all->made.misfits, padding, aligned(length) - length);
}

/*
** Lists a value that its column cannot hold. Text and blobs are counted: their JSON in `_rescued` is no
** shorter than they are.
*/
static int list_misfit(Reading *all, int index, sqlite3_value *value, int type) {
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

/* Appends a value of a column s or x; for null: of length 0. */
static inline int take_text(Reading *all, Column *column, const void *bytes, uint64_t length) {
  int rc = take_bytes(all, length);
  if (rc) return rc;
  all->taken += length;
  return append_bytes(column, bytes, length);
}

/* Appends a value of this type if the column can hold it; `held` says whether it could. */
static inline int append_value(Reading *all, Column *column, sqlite3_value *value, int type, int *held) {
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
      return integer == 1 ? append_true(column, all->made.rows) : SQLITE_OK;
    }
    case 's': {
      if (type != SQLITE_TEXT) return take_text(all, column, NULL, 0);
      Text text;
      int rc = read_text(all, value, &text);
      if (rc) return rc;
      if (!text.valid) return column->lists_misfits ? take_text(all, column, NULL, 0) : SQLITE_MISMATCH;
      *held = 1;
      return take_text(all, column, text.bytes, text.length);
    }
    default: {
      if (type != SQLITE_BLOB) return take_text(all, column, NULL, 0);
      const void *blob;
      uint64_t length;
      /* Before a zeroblob() gets its bytes. */
      if ((uint64_t)sqlite3_value_bytes(value) > all->row_left) return SQLITE_TOOBIG;
      int rc = read_blob(value, &blob, &length);
      if (rc) return rc;
      *held = 1;
      return take_text(all, column, blob, length);
    }
  }
}

/*
** The functions sqlite3_value_… want a protected value, which one of a column is as long as the mutex of its
** connection is held (https://sqlite.org/c3ref/value.html): the sqlite3_step() that calls `columnar` holds it
** all the time. So a value is looked up once; each of the functions sqlite3_column_… would do so again.
*/
static inline int take_value(Reading *all, int index) {
  Column *column = &all->made.columns[index];
  sqlite3_value *value = sqlite3_column_value(all->query, index);
  int type = sqlite3_value_type(value); /* before anything converts the value */
  int held;
  int rc = append_value(all, column, value, type, &held);
  if (rc || held) return rc;
  if (type != SQLITE_NULL && column->lists_misfits) rc = list_misfit(all, index, value, type);
  return rc ? rc : append_null(column, all->made.rows);
}

static int take_row(Reading *all) {
  if (all->made.rows == INT32_MAX) return SQLITE_TOOBIG;
  all->row_left = all->most;
  for (int i = 0; i < all->made.count; i++) {
    int rc = take_value(all, i);
    if (rc) return rc;
  }
  all->taken += all->row_bytes;
  if ((all->made.rows & 7) == 0) all->taken += all->bit_columns;
  all->made.rows++;
  all->made.full = all->limit > 0 && all->taken >= all->limit;
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

static int prepare(Reading *all, sqlite3 *db, int argc, sqlite3_value **argv) {
  const char *sql;
  int rc = argument_text(argv[ARG_QUERY], &sql);
  if (!rc) rc = sqlite3_prepare_v2(db, sql, -1, &all->query, NULL);
  if (rc) return rc;
  if (!all->query || !sqlite3_stmt_readonly(all->query)) return SQLITE_MISUSE;
  rc = bind_parameters(all->query, argc, argv);
  return rc ? rc : query_encoding(db, &all->is_utf16);
}

static int create_columns(Reading *all, sqlite3_value **argv) {
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
  rc = begin_columns(&all->made, count);
  if (rc) return rc;
  /* The offset of `_rescued`, which only reads with a limit have. */
  if (all->limit > 0) all->row_bytes = sizeof(int32_t);
  for (int i = 0; i < count; i++) {
    Column *column = &all->made.columns[i];
    rc = begin_column(column, (char)(types[i] | 0x20));
    if (rc) return rc;
    column->lists_misfits = types[i] != column->type;
    if (column->type == 'b') all->bit_columns++;
    else all->row_bytes += has_offsets(column) ? sizeof(int32_t) : sizeof(int64_t);
  }
  return SQLITE_OK;
}

static void columnar(sqlite3_context *context, int argc, sqlite3_value **argv) {
  sqlite3 *db = sqlite3_context_db_handle(context);
  Reading all;
  memset(&all, 0, sizeof all);
  int rc = argc < ARG_PARAMETERS ? SQLITE_MISUSE : prepare(&all, db, argc, argv);
  int in_query = 1; /* whether SQLite has words for the error */
  if (!rc) {
    in_query = 0;
    rc = create_columns(&all, argv);
  }
  while (!rc && !all.made.full) {
    rc = sqlite3_step(all.query);
    in_query = rc != SQLITE_ROW;
    if (rc == SQLITE_ROW) rc = take_row(&all);
  }
  if (rc == SQLITE_DONE) rc = SQLITE_OK;
  if (!rc && all.made.rows > 0) rc = give_columns(context, &all.made, sqlite3_user_data(context));

  if (rc == SQLITE_NOMEM) sqlite3_result_error_nomem(context);
  else if (rc) {
    if (rc == SQLITE_MISUSE) sqlite3_result_error(context, "columnar: the arguments are wrong", -1);
    else if (in_query) sqlite3_result_error(context, sqlite3_errmsg(db), -1);
    sqlite3_result_error_code(context, rc);
  }
  free_columns(&all.made);
  sqlite3_finalize(all.query);
}

/*
** The blobs of a backlog are made on one thread and freed on another. glibc keeps such memory in the first one's arena, in
** pieces; what is larger than an ordinary read is given back to the system instead (man 3 mallopt). To give that back too,
** from 1 MB on, would take some 10 MB less for a million rows, and 5 to 9 % more CPU time.
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
  Keeper *keeper = create_keeper();
  if (!keeper) return SQLITE_NOMEM;
  use_keeper(keeper);
  /* Where it fails, it calls release_keeper. */
  int rc = sqlite3_create_function_v2(db, "columnar", -1, SQLITE_UTF8 | SQLITE_DIRECTONLY, keeper, columnar, NULL,
                                      NULL, release_keeper);
  if (!rc) rc = register_grouped(db, keeper);
  if (!rc) rc = register_parquet(db);
  return rc ? rc : register_timestamp_micros(db);
}
