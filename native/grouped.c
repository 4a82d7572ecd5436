/*
** grouped(layout, window, micros, value, …): an aggregate, which gives the rows' time windows and groups with their
** figures as columns, in one blob, which columnar-blob.h describes.
**
** src/query/aggregated.ts says what the figures are; src/query/aggregated-sql.ts has the same as SQL with a GROUP BY, for
** which SQLite sorts the rows. Here they meet their groups in a hash table. test/native holds the two against each other
** byte for byte.
**
**   layout  TEXT, one letter for each value: first the groups, then flags, then metrics
**             g  any value, which the group is known by as text: numbers as SQLite writes them, blobs as X'C0FFEE'
**             f  INTEGER: 0 or 1, or NULL
**             m  any value: finite numbers count, as doubles, and nothing else does
**   window  INTEGER from 1 to 2^53: the length of a window in microseconds
**   micros  INTEGER: the time of the row, within the years 0001 to 9999; NULL: the row is in the window null
**
** The columns: start and end of the window; the groups; the count of rows; for each flag, that of rows where it is 1;
** for each metric, count, sum, minimum, maximum, average, sum of squares. They are in the order of windows, then groups:
** null first, text by its bytes. NULL where there is no row.
**
** A group's name that is not UTF-8, as in a database in UTF-16, is SQLITE_MISMATCH; names of more than 64 KB together,
** and groups that take more than 32 MB, are SQLITE_TOOBIG. The SQL with the GROUP BY then does the same for all rows.
*/
#include "grouped.h"
SQLITE_EXTENSION_INIT3

#include <math.h>
#include <stdlib.h>

#include "dictionary.h"
#include "timestamp-micros.h"
#include "unicode.h"

/* The most bytes of all groups: of their keys and figures. Tests set it lower. */
#ifndef MOST_GROUPED_BYTES
#define MOST_GROUPED_BYTES ((uint64_t)1 << 25)
#endif
/* The most of a key; rows whose long values are left out have longer ones: see src/encode/row-limit.ts. */
#define MOST_KEY_BYTES ((uint64_t)1 << 16)
#define MOST_WINDOW ((int64_t)1 << 53)
/* Stands for the window null. */
#define NO_WINDOW INT64_MIN
/* Stands, in a key, for the length of a group's name that is null. */
#define NO_NAME UINT32_MAX

enum { ARG_LAYOUT, ARG_WINDOW, ARG_MICROS, ARG_VALUES };

/* A sum as SQLite's total() has it: that of Kahan, Babuska and Neumaier. */
typedef struct Sum {
  double sum;
  double error;
} Sum;

typedef struct Metric {
  int64_t count;
  Sum sum;
  Sum squares;
  double min;
  double max;
} Metric;

typedef struct Groups {
  int is_begun;
  int rc; /* the error that ended it */
  int names;
  int flags;
  int metrics;
  int64_t window;
  Buffer key;      /* of the row in hand: i64 window, then u32 length and bytes of each name */
  Dictionary keys; /* which number the groups */
  Buffer counts;   /* of each group, int64: rows, then those of each flag */
  Buffer figures;  /* of each group, a Metric for each metric */
} Groups;

/* A group's place in the order of the result. */
typedef struct Entry {
  const unsigned char *key;
  uint32_t number;
} Entry;

/*
** kahanBabuskaNeumaierStep() of SQLite's func.c. The rows of a group come in the order in which its sorter would leave
** them, so that sums are the same to the last bit.
*/
static inline void add(Sum *all, double value) {
  double sum = all->sum, larger = sum + value;
  all->error += fabs(sum) > fabs(value) ? (sum - larger) + value : (value - larger) + sum;
  all->sum = larger;
}

/* As in totalFinalize() there: where a sum has left the range of doubles, its error means nothing. */
static inline double total(const Sum *all) { return isfinite(all->error) ? all->sum + all->error : all->sum; }

static int begin(Groups *all, int argc, sqlite3_value **argv) {
  const char *layout = (const char *)sqlite3_value_text(argv[ARG_LAYOUT]);
  if (!layout) return sqlite3_value_type(argv[ARG_LAYOUT]) == SQLITE_NULL ? SQLITE_MISUSE : SQLITE_NOMEM;
  size_t names = strspn(layout, "g"), flags = strspn(layout + names, "f");
  size_t metrics = strspn(layout + names + flags, "m");
  if (layout[names + flags + metrics] || names + flags + metrics != (size_t)argc - ARG_VALUES) return SQLITE_MISUSE;
  all->names = (int)names;
  all->flags = (int)flags;
  all->metrics = (int)metrics;
  all->window = sqlite3_value_int64(argv[ARG_WINDOW]);
  if (all->window < 1 || all->window > MOST_WINDOW) return SQLITE_MISUSE;
  all->is_begun = 1;
  return SQLITE_OK;
}

/* Appends the window of the row to its key. */
static inline int take_window(Groups *all, sqlite3_value *value) {
  int64_t window = NO_WINDOW;
  if (sqlite3_value_type(value) != SQLITE_NULL) {
    int64_t micros = sqlite3_value_int64(value);
    if (micros < EARLIEST_MICROS || micros > LATEST_MICROS) return SQLITE_MISUSE;
    window = micros / all->window - (micros % all->window < 0);
  }
  return append(&all->key, &window, sizeof window);
}

/* As quote() writes a blob. */
static int take_blob(Groups *all, sqlite3_value *value) {
  static const char digits[] = "0123456789ABCDEF";
  uint32_t bytes = (uint32_t)sqlite3_value_bytes(value), length = 2 * bytes + 3;
  if (bytes > MOST_KEY_BYTES) return SQLITE_TOOBIG;
  const unsigned char *blob = sqlite3_value_blob(value);
  if (!blob && bytes > 0) return SQLITE_NOMEM;
  int rc = append(&all->key, &length, sizeof length);
  if (!rc) rc = append(&all->key, "X'", 2);
  for (uint32_t i = 0; !rc && i < bytes; i++) {
    char pair[2] = {digits[blob[i] >> 4], digits[blob[i] & 15]};
    rc = append(&all->key, pair, 2);
  }
  return rc ? rc : append(&all->key, "'", 1);
}

/* Appends the name of a group to the key of the row. */
static inline int take_name(Groups *all, sqlite3_value *value) {
  uint32_t length = NO_NAME;
  int type = sqlite3_value_type(value);
  if (type == SQLITE_NULL) return append(&all->key, &length, sizeof length);
  if (type == SQLITE_BLOB) return take_blob(all, value);
  if (type == SQLITE_TEXT && sqlite3_value_encoding(value) != SQLITE_UTF8) return SQLITE_MISMATCH;
  const unsigned char *name = sqlite3_value_text(value);
  if (!name) return SQLITE_NOMEM;
  length = (uint32_t)sqlite3_value_bytes(value);
  if (length > MOST_KEY_BYTES) return SQLITE_TOOBIG;
  int rc = append(&all->key, &length, sizeof length);
  return rc ? rc : append(&all->key, name, length);
}

/* Appends zeros for the figures of another group. */
static int append_figures(Buffer *figures, uint64_t length) {
  int rc = reserve(figures, length);
  if (rc) return rc;
  if (length > 0) memset(figures->bytes + figures->length, 0, length);
  figures->length += length;
  return SQLITE_OK;
}

/* The number of the row's group, which may be a new one. */
static inline int find_group(Groups *all, sqlite3_value **argv, uint32_t *number) {
  int is_new;
  all->key.length = 0;
  int rc = take_window(all, argv[ARG_MICROS]);
  for (int i = 0; !rc && i < all->names; i++) {
    rc = take_name(all, argv[ARG_VALUES + i]);
    if (!rc && all->key.length > MOST_KEY_BYTES) rc = SQLITE_TOOBIG;
  }
  if (!rc) rc = dictionary_bytes(&all->keys, all->key.bytes, (uint32_t)all->key.length, number, &is_new);
  if (rc || !is_new) return rc;
  rc = append_figures(&all->counts, ((uint64_t)all->flags + 1) * sizeof(int64_t));
  if (!rc) rc = append_figures(&all->figures, (uint64_t)all->metrics * sizeof(Metric));
  if (rc) return rc;
  uint64_t taken = all->keys.values.length + all->keys.starts.length + all->counts.length + all->figures.length;
  return taken > MOST_GROUPED_BYTES ? SQLITE_TOOBIG : SQLITE_OK;
}

/* Adding 0.0 makes 0.0 of -0.0, so that minima and maxima do not depend on the order of rows. */
static inline void measure(Metric *metric, sqlite3_value *value) {
  int type = sqlite3_value_type(value);
  if (type != SQLITE_FLOAT && type != SQLITE_INTEGER) return;
  double number = sqlite3_value_double(value) + 0.0;
  if (!isfinite(number)) return;
  if (metric->count == 0 || number < metric->min) metric->min = number;
  if (metric->count == 0 || number > metric->max) metric->max = number;
  metric->count++;
  add(&metric->sum, number);
  add(&metric->squares, number * number);
}

static int64_t *counts_of(const Groups *all, uint32_t number) {
  return (int64_t *)all->counts.bytes + (uint64_t)number * ((uint64_t)all->flags + 1);
}

static Metric *metrics_of(const Groups *all, uint32_t number) {
  return (Metric *)all->figures.bytes + (uint64_t)number * (uint64_t)all->metrics;
}

static int take_row(Groups *all, sqlite3_value **argv) {
  uint32_t number;
  int rc = find_group(all, argv, &number);
  if (rc) return rc;
  int64_t *counts = counts_of(all, number);
  sqlite3_value **flags = argv + ARG_VALUES + all->names, **values = flags + all->flags;
  counts[0]++;
  for (int i = 0; i < all->flags; i++) counts[i + 1] += sqlite3_value_int64(flags[i]) == 1;
  if (all->metrics == 0) return SQLITE_OK;
  Metric *metrics = metrics_of(all, number);
  for (int i = 0; i < all->metrics; i++) measure(&metrics[i], values[i]);
  return SQLITE_OK;
}

/* Reads what a key has at `at`, which moves behind it. */
static int64_t read_window(const unsigned char **at) {
  int64_t window = (int64_t)load64(*at);
  *at += sizeof window;
  return window;
}

static const unsigned char *read_name(const unsigned char **at, uint32_t *length) {
  const unsigned char *name = *at + sizeof *length;
  *length = load32(*at);
  *at = name + (*length == NO_NAME ? 0 : *length);
  return name;
}

/* NO_WINDOW is less than every other window. No two keys are equal, so that they differ before they end. */
static int compare_entries(const void *one, const void *other) {
  const unsigned char *a = ((const Entry *)one)->key, *b = ((const Entry *)other)->key;
  if (a == b) return 0;
  int64_t window_a = read_window(&a), window_b = read_window(&b);
  if (window_a != window_b) return window_a < window_b ? -1 : 1;
  for (;;) {
    uint32_t length_a, length_b;
    const unsigned char *name_a = read_name(&a, &length_a), *name_b = read_name(&b, &length_b);
    if (length_a == NO_NAME && length_b == NO_NAME) continue;
    if (length_a == NO_NAME || length_b == NO_NAME) return length_a == NO_NAME ? -1 : 1;
    int order = memcmp(name_a, name_b, length_a < length_b ? length_a : length_b);
    if (order == 0 && length_a == length_b) continue;
    return order != 0 ? order : length_a < length_b ? -1 : 1;
  }
}

static Entry *sorted_entries(const Groups *all) {
  Entry *entries = sqlite3_malloc64((uint64_t)all->keys.count * sizeof *entries);
  if (!entries) return NULL;
  for (uint32_t number = 0; number < all->keys.count; number++) {
    const unsigned char *value = all->keys.values.bytes + load64(all->keys.starts.bytes + (uint64_t)number * 8);
    entries[number].key = value + sizeof(uint32_t);
    entries[number].number = number;
  }
  qsort(entries, all->keys.count, sizeof *entries, compare_entries);
  return entries;
}

static int append_integer(Column *column, int64_t value) { return append(&column->values, &value, sizeof value); }

/* Appends a double where there is one. */
static int append_double(Columns *made, Column *column, int is_there, double value) {
  if (!is_there) value = 0;
  int rc = append(&column->values, &value, sizeof value);
  return rc || is_there ? rc : append_null(column, made->rows);
}

static int append_window(const Groups *all, Columns *made, Column *column, int64_t window) {
  if (window == NO_WINDOW) {
    for (int i = 0; i < 2; i++) {
      int rc = append_integer(&column[i], 0);
      if (!rc) rc = append_null(&column[i], made->rows);
      if (rc) return rc;
    }
    return SQLITE_OK;
  }
  int64_t start = window * all->window, end = start + all->window;
  int rc = append_integer(&column[0], start < EARLIEST_MICROS ? EARLIEST_MICROS : start);
  return rc ? rc : append_integer(&column[1], end > LATEST_MICROS ? LATEST_MICROS : end);
}

static int append_name(Columns *made, Column *column, const unsigned char *name, uint32_t length) {
  if (length == NO_NAME) {
    int rc = append_bytes(column, NULL, 0);
    return rc ? rc : append_null(column, made->rows);
  }
  if (!is_ascii(name, length) && !is_utf8(name, length)) return SQLITE_MISMATCH;
  return append_bytes(column, name, length);
}

static int append_metric(Columns *made, Column *column, const Metric *metric) {
  int has_values = metric->count > 0;
  double sum = total(&metric->sum);
  int rc = append_integer(&column[0], metric->count);
  if (!rc) rc = append_double(made, &column[1], 1, sum);
  if (!rc) rc = append_double(made, &column[2], has_values, metric->min);
  if (!rc) rc = append_double(made, &column[3], has_values, metric->max);
  if (!rc) rc = append_double(made, &column[4], has_values, sum / (double)metric->count);
  return rc ? rc : append_double(made, &column[5], 1, total(&metric->squares));
}

static int append_group(const Groups *all, Columns *made, const Entry *entry) {
  const unsigned char *key = entry->key;
  const int64_t *counts = counts_of(all, entry->number);
  Column *column = made->columns;
  int rc = append_window(all, made, column, read_window(&key));
  column += 2;
  for (int i = 0; !rc && i < all->names; i++) {
    uint32_t length;
    const unsigned char *name = read_name(&key, &length);
    rc = append_name(made, column++, name, length);
  }
  for (int i = 0; !rc && i <= all->flags; i++) rc = append_integer(column++, counts[i]);
  for (int i = 0; !rc && i < all->metrics; i++, column += 6)
    rc = append_metric(made, column, metrics_of(all, entry->number) + i);
  made->rows++;
  return rc;
}

static int begin_result(const Groups *all, Columns *made) {
  int counts_from = 2 + all->names, metrics_from = counts_from + 1 + all->flags;
  int rc = begin_columns(made, metrics_from + 6 * all->metrics);
  for (int i = 0; !rc && i < made->count; i++) {
    int is_name = i >= 2 && i < counts_from, is_double = i >= metrics_from && (i - metrics_from) % 6 > 0;
    rc = begin_column(&made->columns[i], is_name ? 's' : is_double ? 'd' : 'i');
  }
  return rc;
}

static int give(sqlite3_context *context, const Groups *all) {
  Columns made;
  Entry *entries = sorted_entries(all);
  if (!entries) return SQLITE_NOMEM;
  int rc = begin_result(all, &made);
  for (uint32_t i = 0; !rc && i < all->keys.count; i++) rc = append_group(all, &made, &entries[i]);
  if (!rc) rc = give_columns(context, &made, sqlite3_user_data(context));
  free_columns(&made);
  sqlite3_free(entries);
  return rc;
}

static void give_error(sqlite3_context *context, int rc) {
  if (rc == SQLITE_NOMEM) sqlite3_result_error_nomem(context);
  else {
    if (rc == SQLITE_MISUSE) sqlite3_result_error(context, "grouped: the arguments are wrong", -1);
    sqlite3_result_error_code(context, rc);
  }
}

static void grouped_step(sqlite3_context *context, int argc, sqlite3_value **argv) {
  Groups *all = sqlite3_aggregate_context(context, sizeof *all);
  if (!all) {
    give_error(context, SQLITE_NOMEM);
    return;
  }
  if (!all->is_begun) all->rc = argc < ARG_VALUES ? SQLITE_MISUSE : begin(all, argc, argv);
  if (!all->rc) all->rc = take_row(all, argv);
  if (all->rc) give_error(context, all->rc);
}

/* SQLite calls it behind an error, too, for what is to be freed. */
static void grouped_final(sqlite3_context *context) {
  Groups *all = sqlite3_aggregate_context(context, 0);
  if (!all) return;
  if (!all->rc) {
    int rc = give(context, all);
    if (rc) give_error(context, rc);
  }
  sqlite3_free(all->key.bytes);
  sqlite3_free(all->counts.bytes);
  sqlite3_free(all->figures.bytes);
  dictionary_free(&all->keys);
}

int register_grouped(sqlite3 *db, Keeper *keeper) {
  use_keeper(keeper);
  return sqlite3_create_function_v2(db, "grouped", -1, SQLITE_UTF8 | SQLITE_DIRECTONLY, keeper, NULL, grouped_step,
                                    grouped_final, release_keeper);
}
