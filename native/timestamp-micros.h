#ifndef TIMESTAMP_MICROS_H
#define TIMESTAMP_MICROS_H

#include "sqlite3ext.h"

/* Gives a connection timestamp_micros(value); an SQLite result code. */
int register_timestamp_micros(sqlite3 *db);

#endif
