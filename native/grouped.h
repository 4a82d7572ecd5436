#ifndef GROUPED_H
#define GROUPED_H

#include "columnar-blob.h"

/* Gives a connection the aggregate grouped(layout, window, micros, value, …); an SQLite result code. */
int register_grouped(sqlite3 *db, Keeper *keeper);

#endif
