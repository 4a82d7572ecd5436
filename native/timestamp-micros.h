#ifndef TIMESTAMP_MICROS_H
#define TIMESTAMP_MICROS_H

#include <stdint.h>

#include "sqlite3ext.h"

/* The years 0001 to 9999. */
#define EARLIEST_MICROS (-INT64_C(62135596800000000))
#define LATEST_MICROS INT64_C(253402300799999999)

/* Gives a connection timestamp_micros(value); an SQLite result code. */
int register_timestamp_micros(sqlite3 *db);

#endif
