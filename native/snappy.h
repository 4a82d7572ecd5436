/* Compression by Snappy: https://github.com/google/snappy/blob/main/format_description.txt */
#ifndef SNAPPY_H
#define SNAPPY_H

#include <stdint.h>

/* What it works with: where four bytes with this hash were seen last. */
#define SNAPPY_HASH_BITS 14
typedef struct SnappyTable {
  uint16_t positions[1 << SNAPPY_HASH_BITS];
} SnappyTable;

/* The most that so many bytes, fewer than 2^32, take compressed. */
uint64_t snappy_most(uint64_t length);

/* Compresses into `out`, which has room for snappy_most(length) bytes; returns how many it took. */
uint64_t snappy_compress(const unsigned char *bytes, uint64_t length, unsigned char *out, SnappyTable *table);

#endif
