#ifndef PARQUET_H
#define PARQUET_H

#include "sqlite3ext.h"

/* Gives a connection the function `parquet`. */
int register_parquet(sqlite3 *db);

#endif
