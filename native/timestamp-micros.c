/*
** timestamp_micros(value): microseconds since the epoch, or NULL for what is no point in time.
**
** src/sqlite/timestamp-micros.ts says what it reads, and is followed here function by function; a property
** test holds the two against each other. Text with anything but ASCII in it is no point in time, so that it
** does not matter that positions are counted in bytes here and in UTF-16 units there.
*/
#include "timestamp-micros.h"
SQLITE_EXTENSION_INIT3

#include <locale.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define NONE INT64_MIN

#define MILLIS_FROM INT64_C(100000000000)
#define MICROS_FROM INT64_C(100000000000000)
#define NANOS_FROM INT64_C(100000000000000000)
#define LONGEST_NUMBER 64

/* Digits that fit 64 bits whatever they are; with more, a number is nanoseconds. */
#define MOST_DIGITS 18
/* Of a number below 1e20. */
#define MOST_NANOS_DIGITS 20

typedef struct Text {
  const char *bytes;
  int length;
} Text;

/* The byte at a place; -1 behind the end. */
static int at(Text text, int i) { return i < text.length ? (unsigned char)text.bytes[i] : -1; }

static int is_digit(int byte) { return byte >= '0' && byte <= '9'; }

/* The number that `count` digits make, or -1 if they are not digits. */
static int digits(Text text, int start, int count) {
  int number = 0;
  for (int i = start; i < start + count; i++) {
    if (!is_digit(at(text, i))) return -1;
    number = number * 10 + at(text, i) - '0';
  }
  return number;
}

static int64_t micros_of_integer(int64_t value) {
  if (value > -MILLIS_FROM && value < MILLIS_FROM) return value * 1000000;
  if (value > -MICROS_FROM && value < MICROS_FROM) return value * 1000;
  if (value > -NANOS_FROM && value < NANOS_FROM) return value;
  return value / 1000 - (value % 1000 < 0);
}

static int64_t micros_of_real(double value) {
  double size = fabs(value);
  double whole = floor(value);
  if (!(size < 1e20)) return NONE;
  if (size < (double)MICROS_FROM) {
    int64_t per_unit = size < (double)MILLIS_FROM ? 1000000 : 1000;
    double fraction = (value - whole) * (double)per_unit;
    double rounded = ceil(fraction);
    if (rounded - 0.5 > fraction) rounded -= 1; /* Math.round: halves go up */
    return (int64_t)whole * per_unit + (int64_t)rounded;
  }
  if (size < (double)NANOS_FROM) return (int64_t)whole;
  /* A double of this size is a multiple of 8, and need not fit 64 bits. */
  uint64_t eighths = (uint64_t)(size / 8);
  int64_t micros = (int64_t)(eighths / 125);
  return value < 0 ? -micros - (eighths % 125 > 0) : micros;
}

/* Of the digits from `start` on, which are all that is left. */
static int64_t micros_of_digits(Text text, int start, int is_negative) {
  while (at(text, start) == '0') start++;
  int count = text.length - start;
  int64_t number = 0;
  if (count > MOST_NANOS_DIGITS) return NONE;
  int taken = count > MOST_DIGITS ? count - 3 : count;
  for (int i = start; i < start + taken; i++) number = number * 10 + at(text, i) - '0';
  if (taken == count) return micros_of_integer(is_negative ? -number : number);
  return is_negative ? -number - (digits(text, start + taken, 3) > 0) : number;
}

static int64_t micros_of_number(Text text) {
  int sign = at(text, 0) == '+' || at(text, 0) == '-';
  int i = sign;
  if (text.length > LONGEST_NUMBER || !is_digit(at(text, i))) return NONE;
  while (is_digit(at(text, i))) i++;
  if (i == text.length) return micros_of_digits(text, sign, at(text, 0) == '-');
  if (at(text, i) == '.') {
    i++;
    while (is_digit(at(text, i))) i++;
  }
  if (at(text, i) == 'e' || at(text, i) == 'E') {
    i++;
    if (at(text, i) == '+' || at(text, i) == '-') i++;
    if (!is_digit(at(text, i))) return NONE;
    while (is_digit(at(text, i))) i++;
  }
  return i == text.length ? micros_of_real(strtod(text.bytes, NULL)) : NONE;
}

static int days_in_month(int year, int month) {
  if (month == 2) return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 ? 29 : 28;
  return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

/* days_from_civil of https://howardhinnant.github.io/date_algorithms.html, for years from 1 on. */
static int64_t days_since_epoch(int year, int month, int day) {
  int shifted = month <= 2 ? year - 1 : year;
  int era = shifted / 400;
  int year_of_era = shifted - era * 400;
  int day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  int day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return (int64_t)era * 146097 + day_of_era - 719468;
}

/* Reads the seconds east of UTC that the text from `start` to its end says; 0 if it says something else. */
static int read_offset(Text text, int start, int *seconds) {
  int left = text.length - start;
  int sign = at(text, start);
  *seconds = 0;
  if (left == 0) return 1;
  if (left == 1) return sign == 'Z' || sign == 'z';
  if (sign != '+' && sign != '-') return 0;
  int has_colon = left == 6 && at(text, start + 3) == ':';
  if (left != 3 && left != 5 && !has_colon) return 0;
  int hours = digits(text, start + 1, 2);
  int minutes = left == 3 ? 0 : digits(text, start + (has_colon ? 4 : 3), 2);
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return 0;
  *seconds = (sign == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
  return 1;
}

static int64_t micros_of_iso(Text text) {
  int year = digits(text, 0, 4), month = digits(text, 5, 2), day = digits(text, 8, 2);
  if (year < 1 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month)) return NONE;
  int64_t midnight = days_since_epoch(year, month, day) * 86400;
  if (text.length == 10) return midnight * 1000000;

  if (at(text, 10) != 'T' && at(text, 10) != 't' && at(text, 10) != ' ') return NONE;
  int hour = digits(text, 11, 2), minute = digits(text, 14, 2), second = 0;
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || at(text, 13) != ':') return NONE;

  int i = 16, micros = 0;
  if (at(text, i) == ':') {
    second = digits(text, i + 1, 2);
    if (second < 0 || second > 59) return NONE;
    i += 3;
    if (at(text, i) == '.' || at(text, i) == ',') {
      int start = ++i;
      for (int scale = 100000; is_digit(at(text, i)); i++, scale /= 10) micros += (at(text, i) - '0') * scale;
      if (i == start) return NONE;
    }
  }
  int offset;
  if (!read_offset(text, i, &offset)) return NONE;
  return (midnight + hour * 3600 + minute * 60 + second - offset) * 1000000 + micros;
}

static void timestamp_micros(sqlite3_context *context, int argc, sqlite3_value **argv) {
  (void)argc;
  int64_t micros = NONE;
  switch (sqlite3_value_type(argv[0])) {
    case SQLITE_INTEGER: micros = micros_of_integer(sqlite3_value_int64(argv[0])); break;
    case SQLITE_FLOAT: micros = micros_of_real(sqlite3_value_double(argv[0])); break;
    case SQLITE_TEXT: {
      Text text = {(const char *)sqlite3_value_text(argv[0]), 0};
      if (!text.bytes) {
        sqlite3_result_error_nomem(context);
        return;
      }
      text.length = sqlite3_value_bytes(argv[0]);
      micros = at(text, 4) == '-' && at(text, 7) == '-' ? micros_of_iso(text) : micros_of_number(text);
      break;
    }
  }
  if (micros >= EARLIEST_MICROS && micros <= LATEST_MICROS) sqlite3_result_int64(context, micros);
}

/* Where strtod() does not read a point, the function stays in TypeScript. Node.js sets no locale. */
int register_timestamp_micros(sqlite3 *db) {
  if (strcmp(localeconv()->decimal_point, ".") != 0) return SQLITE_OK;
  return sqlite3_create_function_v2(db, "timestamp_micros", 1,
                                    SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY, NULL,
                                    timestamp_micros, NULL, NULL, NULL);
}
