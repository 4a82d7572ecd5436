/*
** Bytes that grow. Functions that return int without saying more return an SQLite result code, here and in all of
** native/.
*/
#ifndef BUFFER_H
#define BUFFER_H

#include "sqlite3ext.h"
SQLITE_EXTENSION_INIT3

#include "load.h"

/*
** The most bytes of one buffer, and of all values of a blob. Offsets are 32-bit; sqlite3_realloc64() gives less than
** 2 GB, and capacities are powers of two. Tests set it lower.
*/
#ifndef MOST_BYTES
#define MOST_BYTES ((uint64_t)1 << 30)
#endif

typedef struct Buffer {
  unsigned char *bytes;
  uint64_t length;
  uint64_t capacity;
} Buffer;

static int grow(Buffer *buffer, uint64_t length) {
  if (length > MOST_BYTES - buffer->length) return SQLITE_TOOBIG;
  uint64_t capacity = buffer->capacity ? buffer->capacity : 1024;
  while (capacity < buffer->length + length) capacity *= 2;
  unsigned char *larger = sqlite3_realloc64(buffer->bytes, capacity);
  if (!larger) return SQLITE_NOMEM;
  buffer->bytes = larger;
  buffer->capacity = capacity;
  return SQLITE_OK;
}

/* Makes room for so many bytes more. */
static inline int reserve(Buffer *buffer, uint64_t length) {
  return length <= buffer->capacity - buffer->length ? SQLITE_OK : grow(buffer, length);
}

static inline int append(Buffer *buffer, const void *bytes, uint64_t length) {
  int rc = reserve(buffer, length);
  if (rc) return rc;
  if (length > 0) memcpy(buffer->bytes + buffer->length, bytes, length);
  buffer->length += length;
  return SQLITE_OK;
}

/* The most bytes of memory that an empty buffer keeps for what it is filled with next. */
#define MOST_EMPTY_BYTES ((uint64_t)4 << 20)

/* Empties a buffer; the memory is kept, unless a very large value has made it large. */
static inline void empty(Buffer *buffer) {
  buffer->length = 0;
  if (buffer->capacity <= MOST_EMPTY_BYTES) return;
  sqlite3_free(buffer->bytes);
  memset(buffer, 0, sizeof *buffer);
}

#endif
