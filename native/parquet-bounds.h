/*
** The least and the greatest value of a column chunk, Statistics of
** https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
*/
#ifndef PARQUET_BOUNDS_H
#define PARQUET_BOUNDS_H

#include "buffer.h"

typedef struct Bounds {
  int are_known;
  uint64_t least, most; /* the bits of a number */
  Buffer least_bytes, most_bytes;
} Bounds;

/* Take a value of a column of this type, one of those in parquet-chunk.h; of text or blobs its bytes. */
void bound_number(Bounds *bounds, char type, uint64_t value);
int bound_bytes(Bounds *bounds, const unsigned char *bytes, uint32_t length);

/* Makes of them what the footer may say: none where it would be too long. */
void finish_bounds(Bounds *bounds, char type);

void clear_bounds(Bounds *bounds);
void free_bounds(Bounds *bounds);

#endif
