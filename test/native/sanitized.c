/*
** Runs the extension under AddressSanitizer and UndefinedBehaviorSanitizer, which end the program where there is
** anything to say: values and texts of all kinds, broken ones, queries that end early, limits; then everything
** again with each allocation failing in turn, as SQLite's own tests do (https://sqlite.org/testing.html#oomtesting).
** sanitized.test.ts compiles it with MOST_BYTES at 64 KB, MOST_KEPT_BYTES at 4 KB, MOST_GROUPED_BYTES at 16 KB,
** PAGE_BYTES at 2,000, DICTIONARY_BYTES at 1,000 and PIECE_BYTES at 3,000.
*/
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../native/dictionary.h"

int sqlite3_columnar_init(sqlite3 *, char **, const void *);

#define CHECK(condition) \
  do { \
    if (!(condition)) { \
      printf("line %d: %s\n", __LINE__, #condition); \
      exit(1); \
    } \
  } while (0)

/* An allocator that fails at the `countdown`th call from now, and where it is persistent from then on; -1: never. */
static sqlite3_mem_methods memory;
static int countdown = -1, is_persistent, failures;

static int fails(void) {
  if (countdown < 0) return 0;
  if (countdown > 0 && --countdown > 0) return 0;
  if (!is_persistent) countdown = -1;
  failures++;
  return 1;
}
static void *failing_malloc(int size) { return fails() ? NULL : memory.xMalloc(size); }
static void *failing_realloc(void *old, int size) { return fails() ? NULL : memory.xRealloc(old, size); }

static void use_failing_allocator(void) {
  sqlite3_mem_methods failing;
  CHECK(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &memory) == SQLITE_OK);
  failing = memory;
  failing.xMalloc = failing_malloc;
  failing.xRealloc = failing_realloc;
  CHECK(sqlite3_config(SQLITE_CONFIG_MALLOC, &failing) == SQLITE_OK);
  CHECK(sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0) == SQLITE_OK);
}

static void interrupt(sqlite3_context *context, int argc, sqlite3_value **argv) {
  (void)argc;
  (void)argv;
  sqlite3_interrupt(sqlite3_context_db_handle(context));
}

static void run(sqlite3 *db, const char *sql) {
  char *message = NULL;
  if (sqlite3_exec(db, sql, NULL, NULL, &message) == SQLITE_OK) return;
  printf("%s: %s\n", sql, message);
  exit(1);
}

static const char *const ROWS =
    "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b, c, d, e);"
    "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40)"
    "INSERT INTO t SELECT i, 'text ' || i, i / 3.0, i % 3, zeroblob(i), NULL FROM n;"
    "INSERT INTO t VALUES(41, CAST(x'd8d8d8d8' AS TEXT), 'x', 2, 9007199254740993, 1e999);"
    "INSERT INTO t VALUES(42, x'', -9007199254740993, CAST(x'3dd80000' AS TEXT), '', CAST(x'00dc' AS TEXT));"
    "INSERT INTO t VALUES(43, CAST(x'f4908080' AS TEXT), 0, 1, CAST(x'eda080' AS TEXT), CAST(x'e0' AS TEXT));"
    "INSERT INTO t VALUES(44, printf('%.1200c', 'x'), 5e-324, 0, x'00', 'é😀' || char(0) || 'x');"
    "INSERT INTO t VALUES(45, '1767225600.5', '2026-01-01T00:00:00.123456789+02:00', '99999999999999999999', "
    "  CAST(x'323032362d30312d3031543030' AS TEXT), -1e19);";

static sqlite3 *open_database(const char *encoding) {
  sqlite3 *db;
  char pragma[64];
  snprintf(pragma, sizeof pragma, "PRAGMA encoding = '%s'", encoding);
  CHECK(sqlite3_open(":memory:", &db) == SQLITE_OK);
  CHECK(sqlite3_columnar_init(db, NULL, NULL) == SQLITE_OK);
  CHECK(sqlite3_create_function(db, "interrupt", 0, SQLITE_UTF8, NULL, interrupt, NULL, NULL) == SQLITE_OK);
  run(db, pragma);
  run(db, ROWS);
  return db;
}

static uint64_t get64(const unsigned char *blob, int at) {
  uint64_t value;
  memcpy(&value, blob + at, sizeof value);
  return value;
}
static uint32_t get32(const unsigned char *blob, int at) {
  uint32_t value;
  memcpy(&value, blob + at, sizeof value);
  return value;
}

/* Whether every part lies within the blob, where it may, and offsets rise to the end of the values. */
static void check_blob(const unsigned char *blob, int length) {
  CHECK(length >= 24 && length % 8 == 0 && memcmp(blob, "COL1", 4) == 0);
  uint32_t columns = get32(blob, 4), rows = get32(blob, 8);
  CHECK(rows > 0);
  for (uint32_t i = 0; i < columns; i++) {
    int at = 24 + (int)i * 40;
    uint64_t validity = get64(blob, at + 8), values = get64(blob, at + 16), size = get64(blob, at + 24);
    uint64_t offsets = get64(blob, at + 32);
    CHECK((get32(blob, at) > 0) == (validity > 0));
    CHECK(validity % 8 == 0 && validity + (rows + 7) / 8 <= (uint64_t)length);
    CHECK(values % 8 == 0 && values + size <= (uint64_t)length);
    CHECK(offsets % 8 == 0 && offsets + 4 * ((uint64_t)rows + 1) <= (uint64_t)length + (offsets ? 0 : 8 * rows));
    for (uint32_t row = 0; offsets && row < rows; row++)
      CHECK(get32(blob, (int)offsets + 4 * (int)row) <= get32(blob, (int)offsets + 4 * (int)row + 4));
    if (offsets) CHECK(get32(blob, (int)offsets + 4 * (int)rows) == size);
  }
}

typedef struct Case {
  const char *sql;
  int rc; /* SQLITE_ROW, or the error */
} Case;

static const Case CASES[] = {
    {"SELECT columnar('SELECT * FROM t', 'ISDBXS', 0, 65536)", SQLITE_ROW},
    {"SELECT columnar('SELECT id, b, a, d, c, e FROM t ORDER BY id DESC', 'IDIXBD', 100000, 65536)", SQLITE_ROW},
    {"SELECT columnar('SELECT * FROM t', 'IXXXXX', 1, 65536)", SQLITE_ROW},
    {"SELECT columnar('SELECT * FROM t', 'IBBBBB', 700, 65536)", SQLITE_ROW},
    {"SELECT columnar('SELECT * FROM t', 'idxbbx', 0, 65536)", SQLITE_ROW},
    {"SELECT columnar('SELECT * FROM t', 'issxdb', 0, 65536)", SQLITE_MISMATCH},
    {"SELECT columnar('SELECT id FROM t WHERE id BETWEEN @a AND @b', 'i', 0, 65536, '@a', 3, '@b', 5, '@c', 0)", SQLITE_ROW},
    {"SELECT columnar('SELECT @a', 'S', 0, 65536, '@a', CAST(x'3dd83dd8' AS TEXT))", SQLITE_ROW},
    {"SELECT columnar('SELECT a, timestamp_micros(a), timestamp_micros(b), timestamp_micros(c), "
     "timestamp_micros(d), timestamp_micros(e) FROM t', 'Siiiii', 0, 65536)", SQLITE_ROW},
    {"SELECT columnar('SELECT 1 WHERE 0', 'i', 0, 65536)", SQLITE_ROW},
    {"SELECT columnar()", SQLITE_MISUSE},
    {"SELECT columnar('SELECT 1', 'i', 0, 65536, '@a')", SQLITE_ROW},
    {"SELECT columnar('SELECT @a', 'i', 0, 65536, '@a')", SQLITE_MISUSE},
    {"SELECT columnar('SELECT @a', 'i', 0, 65536, NULL, 1)", SQLITE_MISUSE},
    {"SELECT columnar(1, 'i', 0, 65536)", SQLITE_MISUSE},
    {"SELECT columnar('', 'i', 0, 65536)", SQLITE_MISUSE},
    {"SELECT columnar('BEGIN', '', 0, 65536)", SQLITE_MISUSE},
    {"SELECT columnar('SELECT 1', x'00', 0, 65536)", SQLITE_MISUSE},
    {"SELECT columnar('SELECT 1', 'ii', 0, 65536)", SQLITE_MISUSE},
    {"SELECT columnar('SELECT 1', 'q', 0, 65536)", SQLITE_MISUSE},
    {"SELECT columnar('DELETE FROM t', 'i', 0, 65536)", SQLITE_MISUSE},
    {"SELECT columnar('SELECT nonsense FROM t', 'i', 0, 65536)", SQLITE_ERROR},
    {"SELECT columnar('SELECT id, iif(id = 30, abs(-9223372036854775807 - 1), 1) FROM t', 'ii', 0, 65536)", SQLITE_ERROR},
    {"SELECT columnar('SELECT id, iif(id = 30, interrupt(), a) FROM t', 'iS', 0, 65536)", SQLITE_INTERRUPT},
    {"SELECT columnar('SELECT zeroblob(70000)', 'x', 0, 65536)", SQLITE_TOOBIG},
    {"SELECT columnar('SELECT a.d, a.a FROM t a, t b, t c', 'xX', 0, 65536)", SQLITE_TOOBIG},
    {"SELECT columnar('SELECT printf(''%.65000c'', ''x''), zeroblob(2000)', 'sx', 0, 65536)", SQLITE_TOOBIG},
    {"SELECT columnar('SELECT zeroblob(65536)', 'I', 0, 65536)", SQLITE_TOOBIG},
    {"SELECT columnar('SELECT a, id FROM t', 'SI', 0, 1199)", SQLITE_TOOBIG},
    {"SELECT columnar('SELECT a, id FROM t', 'SI', 0, 1200)", SQLITE_ROW},
    {"SELECT columnar('SELECT zeroblob(600), zeroblob(601)', 'xx', 0, 1200)", SQLITE_TOOBIG},
    {"SELECT columnar('SELECT zeroblob(166)', 'I', 0, 1028)", SQLITE_ROW},
    {"SELECT columnar('SELECT zeroblob(167)', 'I', 0, 1028)", SQLITE_TOOBIG},
    {"SELECT columnar('SELECT printf(''%.167c'', ''x'')', 'I', 0, 1028)", SQLITE_TOOBIG},
    {"SELECT columnar('SELECT 1, 0.5', 'SS', 0, 63)", SQLITE_TOOBIG},
    {"SELECT columnar('SELECT 1, 0.5', 'SS', 0, 64)", SQLITE_ROW},
    {"SELECT columnar('SELECT 1', 'i', 0)", SQLITE_MISUSE},
    {"SELECT columnar('SELECT 1', 'i', 0, 0)", SQLITE_MISUSE},
    {"SELECT columnar('SELECT 1', 'i', 0, -1)", SQLITE_MISUSE},
    {"SELECT columnar('SELECT 1', 'i', 0, 65537)", SQLITE_MISUSE},
};

/* Of databases in UTF-8. */
static const Case GROUPED_CASES[] = {
    {"SELECT grouped('ggfmmm', 60000000, id * 13000000, a, b, c = 1, b, d, e) FROM t WHERE id < 41", SQLITE_ROW},
    {"SELECT grouped('ggffmm', 7, timestamp_micros(b), c, d, c = 1, NULL, c, e) FROM t WHERE id < 41", SQLITE_ROW},
    {"SELECT grouped('ggg', 1, NULL, b, d, id % 2) FROM t WHERE id < 41", SQLITE_ROW},
    {"SELECT grouped('', 9007199254740992, id) FROM t", SQLITE_ROW},
    {"SELECT grouped('g', 9007199254740992, iif(id % 2, -62135596800000000, 253402300799999999), id) FROM t", SQLITE_ROW},
    {"SELECT grouped('m', 1, NULL, iif(id % 2, 1.7e308, -1.7e308)) FROM t", SQLITE_ROW},
    {"SELECT grouped('g', 1, 1, a) FROM t WHERE id = 44", SQLITE_ROW},
    {"SELECT grouped('gm', 1, 1, a, a) FROM t WHERE id < 1", SQLITE_ROW},
    {"SELECT id % 3, grouped('gm', 1, id, a, b) FROM t WHERE id < 41 GROUP BY 1 LIMIT 2", SQLITE_ROW},
    {"SELECT grouped('m', 1, id, b) OVER (ORDER BY id) FROM t", SQLITE_ERROR},
    {"SELECT grouped('g', 1, 1, a) FROM t WHERE id IN (40, 41)", SQLITE_MISMATCH},
    {"SELECT grouped('gg', 1, 1, id, a) FROM t", SQLITE_MISMATCH},
    {"SELECT grouped('g', 1, 1, printf('%.65000c', 'x'))", SQLITE_TOOBIG},
    {"SELECT grouped('g', 1, 1, zeroblob(70000))", SQLITE_TOOBIG},
    {"SELECT grouped('gg', 1, 1, zeroblob(20000), zeroblob(20000))", SQLITE_TOOBIG},
    {"SELECT grouped('mmmmmmmm', 1, id, 1, 2, 3, 4, 5, 6, 7, 8) FROM t", SQLITE_TOOBIG},
    {"SELECT grouped('g', 1, t.id, printf('%.900c', 'x')) FROM t", SQLITE_TOOBIG},
    {"SELECT grouped('gm', 1, 1, a, iif(id = 30, abs(-9223372036854775807 - 1), 1)) FROM t WHERE id < 41", SQLITE_ERROR},
    {"SELECT grouped('gm', 1, 1, a, iif(id = 30, interrupt(), 1)) FROM t WHERE id < 41", SQLITE_INTERRUPT},
    {"SELECT grouped()", SQLITE_MISUSE},
    {"SELECT grouped('', 1)", SQLITE_MISUSE},
    {"SELECT grouped(NULL, 1, 1)", SQLITE_MISUSE},
    {"SELECT grouped('fg', 1, 1, 1, 1)", SQLITE_MISUSE},
    {"SELECT grouped('gfm', 1, 1, 1, 1)", SQLITE_MISUSE},
    {"SELECT grouped('', 0, 1)", SQLITE_MISUSE},
    {"SELECT grouped('', 9007199254740993, 1)", SQLITE_MISUSE},
    {"SELECT grouped('', 1, 9223372036854775807)", SQLITE_MISUSE},
    {"SELECT grouped('', 1, -9223372036854775807 - 1)", SQLITE_MISUSE},
};
#define LENGTH_OF(cases) (int)(sizeof(cases) / sizeof *(cases))

static int step_case(sqlite3 *db, const Case *each, sqlite3_stmt **statement) {
  int rc = sqlite3_prepare_v2(db, each->sql, -1, statement, NULL);
  return rc ? rc : sqlite3_step(*statement);
}

/* Runs a case with the first allocation failing, then with the second, until it runs to its end. */
static void run_out_of_memory(sqlite3 *db, const Case *each, const void *blob, int length) {
  for (int n = 1;; n++) {
    sqlite3_stmt *statement = NULL;
    int before = failures;
    countdown = n;
    int rc = step_case(db, each, &statement);
    countdown = -1;
    int failed = failures - before;
    if (rc == SQLITE_ROW && length > 0) {
      CHECK(sqlite3_column_bytes(statement, 0) == length);
      CHECK(memcmp(sqlite3_column_blob(statement, 0), blob, (size_t)length) == 0);
    }
    CHECK(rc == each->rc || (failed > 0 && rc == SQLITE_NOMEM));
    sqlite3_finalize(statement);
    if (failed == 0) return;
  }
}

static void run_cases(const char *encoding, const Case *cases, int count) {
  sqlite3 *db = open_database(encoding);
  for (int i = 0; i < count; i++) {
    sqlite3_stmt *statement = NULL;
    int rc = step_case(db, &cases[i], &statement);
    if (rc != cases[i].rc) printf("%s: %d %s\n", cases[i].sql, rc, sqlite3_errmsg(db));
    CHECK(rc == cases[i].rc);
    int is_blob = rc == SQLITE_ROW && sqlite3_column_type(statement, 0) == SQLITE_BLOB;
    int length = is_blob ? sqlite3_column_bytes(statement, 0) : 0;
    unsigned char *blob = malloc((size_t)length + 1);
    CHECK(blob);
    if (length > 0) {
      memcpy(blob, sqlite3_column_blob(statement, 0), (size_t)length);
      check_blob(blob, length);
    }
    sqlite3_finalize(statement);
    for (is_persistent = 0; is_persistent <= 1; is_persistent++)
      run_out_of_memory(db, &cases[i], blob, length);
    free(blob);
  }
  CHECK(sqlite3_close(db) == SQLITE_OK);
}

/* Two blobs of one statement, kept through its steps: each has the memory of its own, whichever is made first. */
static void run_twice(const char *encoding) {
  sqlite3 *db = open_database(encoding);
  sqlite3_stmt *statement;
  const char *sql =
      "SELECT columnar('SELECT @i', 'i', 0, 65536, '@i', id), "
      "columnar('SELECT a FROM t WHERE id >= @i', 'S', 0, 65536, '@i', id), "
      "columnar('SELECT @i', 'i', 0, 65536, '@i', -id) FROM t WHERE id < 9";
  CHECK(sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK);
  for (int run = 0; run < 2; run++) {
    for (int64_t id = 1; id < 9; id++) {
      CHECK(sqlite3_step(statement) == SQLITE_ROW);
      const unsigned char *first = sqlite3_column_blob(statement, 0), *last = sqlite3_column_blob(statement, 2);
      CHECK(first != last);
      check_blob(sqlite3_column_blob(statement, 1), sqlite3_column_bytes(statement, 1));
      CHECK(get64(first, (int)get64(first, 24 + 16)) == (uint64_t)id);
      CHECK(get64(last, (int)get64(last, 24 + 16)) == (uint64_t)-id);
    }
    CHECK(sqlite3_reset(statement) == SQLITE_OK);
  }
  /* Blobs that a sorter holds, and one that is held while the connection is given up. */
  sqlite3_stmt *sorted;
  sql = "SELECT columnar('SELECT @i', 'i', 0, 65536, '@i', id) AS blob FROM t ORDER BY -id";
  CHECK(sqlite3_prepare_v2(db, sql, -1, &sorted, NULL) == SQLITE_OK && sqlite3_step(sorted) == SQLITE_ROW);
  CHECK(sqlite3_step(statement) == SQLITE_ROW);
  CHECK(sqlite3_close_v2(db) == SQLITE_OK);
  check_blob(sqlite3_column_blob(statement, 0), sqlite3_column_bytes(statement, 0));
  sqlite3_finalize(statement);
  sqlite3_finalize(sorted);
}

/* What is kept between calls is the memory of the last blob, and no more than MOST_KEPT_BYTES. */
static void run_kept(void) {
  sqlite3 *db = open_database("UTF-8");
  sqlite3_stmt *call;
  CHECK(sqlite3_prepare_v2(db, "SELECT columnar('SELECT zeroblob(@n)', 'x', 0, 65536, '@n', ?)", -1, &call, NULL) ==
        SQLITE_OK);
  static const int lengths[] = {100, 100, 2000, 100, 9000, 9000, 100}, kept[] = {1, 1, 1, 1, 0, 0, 1};
  sqlite3_int64 before = sqlite3_memory_used();
  for (int i = 0; i < 7; i++) {
    sqlite3_bind_int(call, 1, lengths[i]);
    CHECK(sqlite3_step(call) == SQLITE_ROW && sqlite3_column_bytes(call, 0) > lengths[i]);
    CHECK(sqlite3_reset(call) == SQLITE_OK);
    sqlite3_int64 more = sqlite3_memory_used() - before;
    CHECK(more < 4096 + 1024 && (more >= 100) == kept[i]);
  }
  sqlite3_finalize(call);
  CHECK(sqlite3_close(db) == SQLITE_OK);
}

/* Bytes that follow from the seed; half of them such as texts and timestamps are made of. */
static uint32_t state = 1;
static unsigned char next_byte(void) {
  static const char likely[] = "0123456789-:T.Z+ eE\xc3\xa9\xd8\xdc\x00\x3d";
  state = state * 1664525u + 1013904223u;
  uint32_t random = state >> 8;
  return random & 1 ? (unsigned char)(random >> 1) : (unsigned char)likely[(random >> 1) % (sizeof likely - 1)];
}

static void run_random(const char *encoding) {
  sqlite3 *db = open_database(encoding);
  sqlite3_stmt *insert, *call, *group;
  run(db, "CREATE TABLE random(bytes BLOB)");
  CHECK(sqlite3_prepare_v2(db, "INSERT INTO random VALUES (?)", -1, &insert, NULL) == SQLITE_OK);
  CHECK(sqlite3_prepare_v2(db,
                           "SELECT columnar('SELECT t, bytes, timestamp_micros(t), t, t FROM "
                           "(SELECT CAST(bytes AS TEXT) t, bytes FROM random)', 'SXiDx', ?, 65536)",
                           -1, &call, NULL) == SQLITE_OK);
  CHECK(sqlite3_prepare_v2(db,
                           "SELECT grouped('gggmm', 60000000, timestamp_micros(t), bytes, iif(length(bytes) < ?, t, 1), "
                           "t IS NULL, t, length(bytes) / 3.0) "
                           "FROM (SELECT CAST(bytes AS TEXT) t, bytes FROM random)",
                           -1, &group, NULL) == SQLITE_OK);
  int groupings = 0;
  for (int round = 0; round < 300; round++) {
    run(db, "DELETE FROM random");
    for (int row = 0; row <= round % 40; row++) {
      unsigned char bytes[48];
      int length = next_byte() % (int)sizeof bytes;
      for (int i = 0; i < length; i++) bytes[i] = next_byte();
      sqlite3_bind_blob(insert, 1, bytes, length, SQLITE_TRANSIENT);
      CHECK(sqlite3_step(insert) == SQLITE_DONE && sqlite3_reset(insert) == SQLITE_OK);
    }
    sqlite3_bind_int(call, 1, next_byte() * 16);
    CHECK(sqlite3_step(call) == SQLITE_ROW);
    check_blob(sqlite3_column_blob(call, 0), sqlite3_column_bytes(call, 0));
    sqlite3_reset(call);
    sqlite3_bind_int(group, 1, next_byte() % 3);
    int rc = sqlite3_step(group);
    CHECK(rc == SQLITE_ROW || rc == SQLITE_MISMATCH);
    if (rc == SQLITE_ROW) check_blob(sqlite3_column_blob(group, 0), sqlite3_column_bytes(group, 0));
    groupings += rc == SQLITE_ROW;
    sqlite3_reset(group);
  }
  CHECK(groupings > 50);
  sqlite3_finalize(insert);
  sqlite3_finalize(call);
  sqlite3_finalize(group);
  CHECK(sqlite3_close(db) == SQLITE_OK);
}

/* How many slots of a dictionary's table are full, one behind the other, at the most. */
static uint32_t longest_cluster(const Dictionary *dictionary) {
  uint32_t longest = 0, length = 0;
  for (uint32_t i = 0; i < 2 * dictionary->slot_count; i++) {
    length = dictionary->slots[i % dictionary->slot_count] ? length + 1 : 0;
    if (length > longest) longest = length;
  }
  return longest;
}

/* Values that have most of their bits in common are found as fast as others: the table has no long clusters. */
static void run_dictionary(void) {
  for (int kind = 0; kind < 6; kind++) {
    Dictionary dictionary = {0};
    for (int i = 0; i < 2000; i++) {
      static const double steps[] = {1, 0.25, 0.01, 1.0 / 3};
      uint32_t number, again;
      int is_new, is_new_again;
      for (int twice = 0; twice < 2; twice++) {
        uint32_t *to = twice ? &again : &number;
        int *new_to = twice ? &is_new_again : &is_new;
        if (kind < 4) {
          double value = i * steps[kind];
          uint64_t bits;
          memcpy(&bits, &value, sizeof bits);
          CHECK(dictionary_number(&dictionary, bits, to, new_to) == SQLITE_OK);
        } else {
          char text[32];
          snprintf(text, sizeof text, kind == 4 ? "%07d" : "sensor %08d", i);
          CHECK(dictionary_bytes(&dictionary, (unsigned char *)text, (uint32_t)strlen(text), to, new_to) == SQLITE_OK);
        }
      }
      CHECK(is_new && !is_new_again && number == (uint32_t)i && again == number);
    }
    CHECK(longest_cluster(&dictionary) < 100);
    dictionary_free(&dictionary);
  }
}

/* Six columns of all types, whose rows come from next_byte(): half of the columns have nulls. */
#define PARQUET_TYPES "itdbsx"
#define BATCH_ROWS 150

static int step_once(sqlite3_stmt *statement, sqlite3_int64 *result) {
  int rc = sqlite3_step(statement);
  if (rc == SQLITE_ROW && result) *result = sqlite3_column_int64(statement, 0);
  int reset = sqlite3_reset(statement);
  return rc == SQLITE_ROW ? SQLITE_OK : reset;
}

static int bind_rows(sqlite3_stmt *call, int column, char type, int rows) {
  static unsigned char values[BATCH_ROWS * 40], validity[BATCH_ROWS / 8 + 1];
  static int32_t offsets[BATCH_ROWS + 1];
  int few = next_byte() % 3, at = 0, rc;
  for (int i = 0; i < BATCH_ROWS * 40; i++) values[i] = few ? (unsigned char)(next_byte() % few) : next_byte();
  for (int i = 0; i < (int)sizeof validity; i++) validity[i] = few ? next_byte() : 0;
  for (int row = 0; row <= rows; row++) {
    offsets[row] = at;
    at += few ? 3 : next_byte() % 40;
  }
  int length = type == 'b' ? (rows + 7) / 8 : type == 's' || type == 'x' ? offsets[rows] : rows * 8;
  rc = sqlite3_bind_int(call, 1, column);
  if (!rc) rc = sqlite3_bind_int(call, 2, rows / 3);
  if (!rc) rc = sqlite3_bind_int(call, 3, rows);
  if (!rc) rc = sqlite3_bind_int(call, 4, column % 2);
  if (!rc && column % 2) rc = sqlite3_bind_blob(call, 5, validity, (rows + 7) / 8, SQLITE_TRANSIENT);
  if (!rc && column % 2 == 0) rc = sqlite3_bind_null(call, 5);
  if (!rc) rc = sqlite3_bind_blob(call, 6, values, length, SQLITE_TRANSIENT);
  if (!rc && (type == 's' || type == 'x'))
    rc = sqlite3_bind_blob(call, 7, offsets, (rows + 1) * 4, SQLITE_TRANSIENT);
  else if (!rc)
    rc = sqlite3_bind_null(call, 7);
  return rc;
}

/* Makes a file of some row groups; the first error ends it. */
static int make_parquet(sqlite3 *db, const char *codec, sqlite3_int64 *bytes) {
  sqlite3_stmt *begin = NULL, *column = NULL, *metadata = NULL, *rows = NULL, *flush = NULL, *end = NULL;
  sqlite3_int64 length = 0;
  int rc = sqlite3_prepare_v2(db, "SELECT parquet('begin', ?)", -1, &begin, NULL);
  if (!rc) rc = sqlite3_prepare_v2(db, "SELECT parquet('column', ?, ?, ?, 1)", -1, &column, NULL);
  if (!rc) rc = sqlite3_prepare_v2(db, "SELECT parquet('metadata', 'a key', 'é')", -1, &metadata, NULL);
  if (!rc) rc = sqlite3_prepare_v2(db, "SELECT parquet('append', ?, ?, ?, ?, ?, ?, ?)", -1, &rows, NULL);
  if (!rc) rc = sqlite3_prepare_v2(db, "SELECT coalesce(length(parquet('flush')), 0)", -1, &flush, NULL);
  if (!rc) rc = sqlite3_prepare_v2(db, "SELECT length(parquet('end', 'a test'))", -1, &end, NULL);
  if (!rc) rc = sqlite3_bind_text(begin, 1, codec, -1, SQLITE_STATIC);
  if (!rc) rc = step_once(begin, NULL);
  for (int i = 0; !rc && i < 12; i++) {
    rc = sqlite3_bind_text(column, 1, "a name", -1, SQLITE_STATIC);
    if (!rc) rc = sqlite3_bind_text(column, 2, &PARQUET_TYPES[i % 6], 1, SQLITE_STATIC);
    if (!rc) rc = sqlite3_bind_int(column, 3, i < 6);
    if (!rc) rc = step_once(column, NULL);
  }
  if (!rc) rc = step_once(metadata, NULL);
  for (int batch = 0; !rc && batch < 6; batch++) {
    int count = 1 + next_byte() % BATCH_ROWS;
    for (int i = 0; !rc && i < 12; i++) {
      sqlite3_int64 estimate = -1;
      rc = bind_rows(rows, i, PARQUET_TYPES[i % 6], count);
      if (!rc) rc = step_once(rows, &estimate);
      if (!rc) CHECK(estimate >= 0);
    }
    if (!rc && batch % 2) {
      rc = step_once(flush, &length);
      if (!rc) CHECK(length > 4);
      while (!rc && length > 0) rc = step_once(flush, &length);
    }
  }
  if (!rc) rc = step_once(flush, &length);
  if (!rc) CHECK(length == 0);
  if (!rc) rc = step_once(end, bytes);
  sqlite3_stmt *all[] = {begin, column, metadata, rows, flush, end};
  for (int i = 0; i < 6; i++) sqlite3_finalize(all[i]);
  return rc;
}

static const char *const PARQUET_MISUSES[] = {
    "SELECT parquet()",
    "SELECT parquet(NULL)",
    "SELECT parquet('nonsense')",
    "SELECT parquet('begin')",
    "SELECT parquet('begin', 'zstd')",
    "SELECT parquet('begin', NULL)",
    "SELECT parquet('column', 'a', 'q', 1, 1)",
    "SELECT parquet('column', 'a', '', 1, 1)",
    "SELECT parquet('column', NULL, 'i', 1, 1)",
    "SELECT parquet('metadata', 'a', NULL)",
    "SELECT parquet('end', 'without rows')",
    "SELECT parquet('append', 0, 0, 1, 0, NULL, zeroblob(8), NULL)",
    "SELECT parquet('column', 'a', 'i', 1, 1), parquet('append', 1, 0, 1, 0, NULL, zeroblob(8), NULL)",
    "SELECT parquet('column', 'a', 'i', 1, 1), parquet('append', 0, 0, 2, 0, NULL, zeroblob(15), NULL)",
    "SELECT parquet('column', 'a', 'i', 1, 1), parquet('append', 0, 0, 9, 1, x'00', zeroblob(72), NULL)",
    "SELECT parquet('column', 'a', 'i', 1, 1), parquet('append', 0, 2, 1, 0, NULL, zeroblob(16), NULL)",
    "SELECT parquet('column', 'a', 'i', 1, 1), parquet('append', 0, -1, 1, 0, NULL, zeroblob(16), NULL)",
    "SELECT parquet('column', 'a', 'b', 1, 1), parquet('append', 0, 0, 9, 0, NULL, x'00', NULL)",
    "SELECT parquet('column', 'a', 's', 1, 1), parquet('append', 0, 0, 1, 0, NULL, 'x', x'0000000002000000')",
    "SELECT parquet('column', 'a', 's', 1, 1), parquet('append', 0, 0, 1, 0, NULL, 'x', x'0100000000000000')",
    "SELECT parquet('column', 'a', 's', 1, 1), parquet('append', 0, 0, 1, 0, NULL, 'x', x'00000000')",
    "SELECT parquet('column', 'a', 'i', 1, 1), parquet('column', 'b', 'i', 1, 1), "
    "parquet('append', 0, 0, 1, 0, NULL, zeroblob(8), NULL), parquet('flush')",
};

/* Files of all kinds of rows; then of the same rows with each allocation failing in turn. */
static void run_parquet(void) {
  sqlite3 *db = open_database("UTF-8");
  sqlite3_int64 bytes = 0, again = 0;
  for (int round = 0; round < 60; round++) {
    CHECK(make_parquet(db, round % 2 ? "snappy" : "none", &bytes) == SQLITE_OK);
    CHECK(bytes > 100);
  }
  for (int i = 0; i < (int)(sizeof PARQUET_MISUSES / sizeof *PARQUET_MISUSES); i++) {
    sqlite3_stmt *statement;
    CHECK(sqlite3_prepare_v2(db, PARQUET_MISUSES[i], -1, &statement, NULL) == SQLITE_OK);
    int rc = sqlite3_step(statement);
    if (rc != SQLITE_MISUSE) printf("%s: %d\n", PARQUET_MISUSES[i], rc);
    CHECK(rc == SQLITE_MISUSE);
    sqlite3_finalize(statement);
  }
  state = 7;
  CHECK(make_parquet(db, "snappy", &bytes) == SQLITE_OK);
  for (int n = 1, failed = 1; failed; n++) {
    int before = failures;
    state = 7;
    countdown = n;
    int rc = make_parquet(db, "snappy", &again);
    countdown = -1;
    failed = failures > before;
    CHECK(failed ? rc == SQLITE_NOMEM || rc == SQLITE_OK : rc == SQLITE_OK);
    if (rc == SQLITE_OK) CHECK(again == bytes);
  }
  CHECK(sqlite3_close(db) == SQLITE_OK);
}

int main(void) {
  static const char *const encodings[] = {"UTF-8", "UTF-16le", "UTF-16be"};
  use_failing_allocator();
  for (int i = 0; i < 3; i++) {
    run_cases(encodings[i], CASES, LENGTH_OF(CASES));
    run_twice(encodings[i]);
    run_random(encodings[i]);
  }
  run_cases("UTF-8", GROUPED_CASES, LENGTH_OF(GROUPED_CASES));
  run_kept();
  run_dictionary();
  run_parquet();
  CHECK(sqlite3_memory_used() == 0);
  printf("%d allocations failed\n", failures);
  return 0;
}
