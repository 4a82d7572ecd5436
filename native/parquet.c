/*
** parquet(step, …): a Parquet file, made step by step: https://parquet.apache.org/docs/file-format/. A connection makes one,
** whose bytes are what 'flush' and 'end' return, one after another. src/encode/native-encoder.ts calls it; what
** parquet-wasm does, which is used where there is no extension, is done here in a fraction of the time and memory.
**
**   'begin', codec      'none' or 'snappy'; what was made before is dropped
**   'column', name, type, dictionary, bounds
**                       the next column: its type is one of i (64-bit integers), t (times in microseconds, UTC),
**                       d (doubles), b (booleans), s (text), x (blobs); 1 or 0: whether a dictionary of its values is
**                       tried; 1 or 0: whether its chunks say their least and greatest value
**   'metadata', key, value
**                       of the footer
**   'append', column, from, to, nulls, validity, values, offsets
**                       rows of the column with this number, from 0 on: of those that are given, from `from` to before
**                       `to`. They are as Apache Arrow has them (https://arrow.apache.org/docs/format/Columnar.html), in
**                       the byte order of the machine: how many are null; a bit a row, NULL where none is; the values;
**                       where each begins, of text and blobs, otherwise NULL. Returns how many bytes the chunk in the
**                       making would take, estimated
**   'flush'             ends the row group, for which every column has as many rows; returns its bytes in pieces, one
**                       with each call, then NULL
**   'end', program      the footer, and who made the file; before it there is a 'flush'
**
** Steps that do not say so return NULL. An error leaves a file that must not be used.
*/
#include "parquet.h"

#include "parquet-file.h"
#include "thrift.h"

/*
** A piece of a row group ends with the column that makes it so large; all of it at once would take its memory again. Tests
** set it lower.
*/
#ifndef PIECE_BYTES
#define PIECE_BYTES ((uint64_t)1 << 20)
#endif

static void reset(File *file) {
  for (uint32_t i = 0; i < file->count; i++) {
    sqlite3_free(file->columns[i].name.bytes);
    chunk_free(&file->columns[i].chunk);
  }
  sqlite3_free(file->columns);
  Buffer *buffers[] = {&file->scratch.page, &file->scratch.compressed, &file->scratch.numbers, &file->metadata,
                       &file->row_groups};
  for (unsigned i = 0; i < sizeof buffers / sizeof *buffers; i++) sqlite3_free(buffers[i]->bytes);
  memset(file, 0, sizeof *file);
}

static void release(void *file) {
  reset(file);
  sqlite3_free(file);
}

/* Reads an argument that is not NULL as text. */
static int take_text(sqlite3_value *value, const char **text, uint64_t *length) {
  *text = (const char *)sqlite3_value_text(value);
  *length = (uint64_t)sqlite3_value_bytes(value);
  if (*text) return SQLITE_OK;
  return sqlite3_value_type(value) == SQLITE_NULL ? SQLITE_MISUSE : SQLITE_NOMEM;
}

static int begin(File *file, sqlite3_value **argv) {
  const char *codec;
  uint64_t length;
  int rc = take_text(argv[0], &codec, &length);
  reset(file);
  if (rc) return rc;
  if (strcmp(codec, "none") && strcmp(codec, "snappy")) return SQLITE_MISUSE;
  file->scratch.codec = strcmp(codec, "snappy") ? CODEC_NONE : CODEC_SNAPPY;
  return SQLITE_OK;
}

static int add_column(File *file, sqlite3_value **argv) {
  const char *name, *type;
  uint64_t length, letters;
  int rc = take_text(argv[1], &type, &letters);
  if (rc) return rc;
  if (letters != 1 || !strchr("itdbsx", *type) || file->length > 0) return SQLITE_MISUSE;
  char letter = *type;
  Column *columns = sqlite3_realloc64(file->columns, ((uint64_t)file->count + 1) * sizeof(Column));
  if (!columns) return SQLITE_NOMEM;
  file->columns = columns;
  Column *column = &columns[file->count++];
  memset(column, 0, sizeof *column);
  column->chunk.type = letter;
  column->chunk.wants_dictionary = column->chunk.in_dictionary = letter != 'b' && sqlite3_value_int(argv[2]);
  column->chunk.wants_bounds = sqlite3_value_int(argv[3]) != 0;
  rc = take_text(argv[0], &name, &length);
  return rc ? rc : append(&column->name, name, length);
}

static int add_metadata(File *file, sqlite3_value **argv) {
  Thrift thrift = {.out = &file->metadata};
  thrift_open(&thrift);
  for (int i = 0; i < 2; i++) {
    const char *text;
    uint64_t length;
    int rc = take_text(argv[i], &text, &length);
    if (rc) return rc;
    thrift_binary(&thrift, i + 1, text, length);
  }
  thrift_close(&thrift);
  file->metadata_count++;
  return thrift.rc;
}

/* Reads a blob of at least so many bytes. */
static int take_blob(sqlite3_value *value, uint64_t least, const unsigned char **bytes, uint64_t *length) {
  *bytes = sqlite3_value_blob(value);
  *length = (uint64_t)sqlite3_value_bytes(value);
  if (!*bytes) *bytes = (const unsigned char *)""; /* of no bytes SQLite has no blob */
  return *length >= least ? SQLITE_OK : SQLITE_MISUSE;
}

/* Whether the offsets of so many rows do not go back, and end within the values. */
static int are_offsets(const unsigned char *offsets, uint32_t rows, uint64_t length) {
  for (uint32_t row = 0; row < rows; row++)
    if (load32(offsets + (uint64_t)row * 4) > load32(offsets + (uint64_t)row * 4 + 4)) return 0;
  return load32(offsets + (uint64_t)rows * 4) <= length;
}

static int append_rows(File *file, sqlite3_value **argv, uint64_t *estimate) {
  sqlite3_int64 index = sqlite3_value_int64(argv[0]), from = sqlite3_value_int64(argv[1]);
  sqlite3_int64 to = sqlite3_value_int64(argv[2]), nulls = sqlite3_value_int64(argv[3]);
  if (index < 0 || index >= file->count || file->flushed > 0) return SQLITE_MISUSE;
  if (from < 0 || to < from || to > INT32_MAX) return SQLITE_MISUSE;
  Chunk *chunk = &file->columns[index].chunk;
  uint32_t rows = (uint32_t)to;
  uint64_t bits = ((uint64_t)rows + 7) >> 3, least = (uint64_t)rows * 8, length, unused;
  if (chunk->type == 'b') least = bits;
  else if (is_of_bytes(chunk->type)) least = 0;
  ColumnView view = {.has_nulls = nulls != 0};
  int rc = take_blob(argv[4], view.has_nulls ? bits : 0, &view.validity, &unused);
  if (!rc) rc = take_blob(argv[5], least, &view.values, &length);
  if (!rc && is_of_bytes(chunk->type)) {
    rc = take_blob(argv[6], ((uint64_t)rows + 1) * 4, &view.offsets, &unused);
    if (!rc && !are_offsets(view.offsets, rows, length)) rc = SQLITE_MISUSE;
  }
  if (!rc) rc = chunk_append(chunk, &view, (uint32_t)from, rows, &file->scratch);
  *estimate = chunk_estimate(chunk);
  return rc;
}

/* The rows of the row group in the making. */
static int count_rows(const File *file, uint64_t *rows) {
  *rows = file->count > 0 ? file->columns[0].chunk.rows : 0;
  for (uint32_t i = 0; i < file->count; i++)
    if (file->columns[i].chunk.rows != *rows) return SQLITE_MISUSE;
  return SQLITE_OK;
}

/*
** Ends the row group in the making, column by column as far as the piece has room: their bytes go to `out`, what the footer
** says of them to `row_groups`.
*/
static int flush(File *file, Buffer *out) {
  Thrift *group = &file->group;
  int rc = SQLITE_OK;
  if (file->flushed == 0) {
    rc = count_rows(file, &file->group_rows);
    if (rc || file->group_rows == 0) return rc;
    if (file->length == 0) rc = append(out, MARK, 4);
    file->group_start = file->length + out->length;
    file->group_raw_bytes = 0;
    *group = (Thrift){.out = &file->row_groups};
    thrift_open(group);
    thrift_list(group, 1, THRIFT_STRUCT, file->count);
  }
  while (!rc && file->flushed < file->count && out->length < PIECE_BYTES) {
    Column *column = &file->columns[file->flushed++];
    ChunkPlace place;
    rc = chunk_finish(&column->chunk, out, &place, &file->scratch);
    put_chunk(group, column, &place, file->length, file->scratch.codec);
    file->group_raw_bytes += place.raw_bytes;
    chunk_clear(&column->chunk);
  }
  file->length += out->length;
  if (rc || file->flushed < file->count) return rc ? rc : group->rc;
  thrift_integer(group, 2, THRIFT_I64, (int64_t)file->group_raw_bytes);
  thrift_integer(group, 3, THRIFT_I64, (int64_t)file->group_rows);
  thrift_integer(group, 5, THRIFT_I64, (int64_t)file->group_start);
  thrift_integer(group, 6, THRIFT_I64, (int64_t)(file->length - file->group_start));
  thrift_close(group);
  file->rows += file->group_rows;
  file->row_group_count++;
  file->flushed = 0;
  return group->rc;
}

static int end(File *file, sqlite3_value **argv, Buffer *out) {
  const char *program;
  uint64_t length, left;
  int rc = take_text(argv[0], &program, &length);
  if (!rc) rc = count_rows(file, &left);
  if (rc) return rc;
  return file->row_group_count == 0 || left > 0 ? SQLITE_MISUSE : append_footer(file, program, length, out);
}

static void parquet(sqlite3_context *context, int argc, sqlite3_value **argv) {
  File *file = sqlite3_user_data(context);
  Buffer out = {0};
  uint64_t estimate = 0, length;
  const char *step;
  int is_append = 0, rc = argc > 0 ? take_text(argv[0], &step, &length) : SQLITE_MISUSE;
  if (rc) step = "";
  else rc = SQLITE_MISUSE;
  if (!strcmp(step, "begin") && argc == 2) rc = begin(file, argv + 1);
  else if (!strcmp(step, "column") && argc == 5) rc = add_column(file, argv + 1);
  else if (!strcmp(step, "metadata") && argc == 3) rc = add_metadata(file, argv + 1);
  else if (!strcmp(step, "append") && argc == 8) {
    is_append = 1;
    rc = append_rows(file, argv + 1, &estimate);
  } else if (!strcmp(step, "flush") && argc == 1) rc = flush(file, &out);
  else if (!strcmp(step, "end") && argc == 2) rc = end(file, argv + 1, &out);

  if (rc) {
    reset(file);
    sqlite3_free(out.bytes);
    if (rc == SQLITE_NOMEM) sqlite3_result_error_nomem(context);
    else if (rc == SQLITE_MISUSE) sqlite3_result_error(context, "parquet: the arguments are wrong", -1);
    if (rc != SQLITE_NOMEM) sqlite3_result_error_code(context, rc);
  } else if (is_append) sqlite3_result_int64(context, (sqlite3_int64)estimate);
  else if (out.length > 0) sqlite3_result_blob64(context, out.bytes, out.length, sqlite3_free);
  else sqlite3_free(out.bytes);
}

int register_parquet(sqlite3 *db) {
  File *file = sqlite3_malloc64(sizeof *file);
  if (!file) return SQLITE_NOMEM;
  memset(file, 0, sizeof *file);
  return sqlite3_create_function_v2(db, "parquet", -1, SQLITE_UTF8 | SQLITE_DIRECTONLY, file, parquet, NULL, NULL,
                                    release);
}
