/*
** Writes Thrift's compact protocol, in which Parquet has its page headers and its footer:
** https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md. A failure is kept in `rc`, so that
** it is asked for once, at the end.
*/
#ifndef THRIFT_H
#define THRIFT_H

#include "buffer.h"

enum { THRIFT_TRUE = 1, THRIFT_FALSE = 2, THRIFT_I16 = 4, THRIFT_I32 = 5, THRIFT_I64 = 6, THRIFT_BINARY = 8,
       THRIFT_LIST = 9, THRIFT_STRUCT = 12 };

#define THRIFT_DEPTH 8

typedef struct Thrift {
  Buffer *out;
  int rc;
  int depth;
  int last[THRIFT_DEPTH]; /* the number of the last field of each struct that is open */
} Thrift;

static inline void thrift_bytes(Thrift *thrift, const void *bytes, uint64_t length) {
  if (!thrift->rc) thrift->rc = append(thrift->out, bytes, length);
}

static inline void thrift_byte(Thrift *thrift, unsigned byte) {
  unsigned char bytes[1] = {(unsigned char)byte};
  thrift_bytes(thrift, bytes, 1);
}

static inline void thrift_varint(Thrift *thrift, uint64_t value) {
  for (; value >= 0x80; value >>= 7) thrift_byte(thrift, (unsigned)(value & 0x7f) | 0x80);
  thrift_byte(thrift, (unsigned)value);
}

static inline void thrift_number(Thrift *thrift, int64_t value) {
  thrift_varint(thrift, (uint64_t)value << 1 ^ (value < 0 ? UINT64_MAX : 0));
}

/* The head of a field, whose value follows. */
static inline void thrift_field(Thrift *thrift, int id, int type) {
  int *last = &thrift->last[thrift->depth], step = id - *last;
  if (step > 0 && step < 16) thrift_byte(thrift, (unsigned)(step << 4 | type));
  else {
    thrift_byte(thrift, (unsigned)type);
    thrift_number(thrift, id);
  }
  *last = id;
}

static inline void thrift_integer(Thrift *thrift, int id, int type, int64_t value) {
  thrift_field(thrift, id, type);
  thrift_number(thrift, value);
}

static inline void thrift_text(Thrift *thrift, const void *bytes, uint64_t length) {
  thrift_varint(thrift, length);
  thrift_bytes(thrift, bytes, length);
}

static inline void thrift_binary(Thrift *thrift, int id, const void *bytes, uint64_t length) {
  thrift_field(thrift, id, THRIFT_BINARY);
  thrift_text(thrift, bytes, length);
}

/* The head of a list, whose elements follow. */
static inline void thrift_list(Thrift *thrift, int id, int type, uint64_t count) {
  thrift_field(thrift, id, THRIFT_LIST);
  if (count < 15) thrift_byte(thrift, (unsigned)count << 4 | (unsigned)type);
  else {
    thrift_byte(thrift, 0xf0 | (unsigned)type);
    thrift_varint(thrift, count);
  }
}

/* Begins a struct that is an element of a list, or stands alone. */
static inline void thrift_open(Thrift *thrift) { thrift->last[++thrift->depth] = 0; }

/* Begins a struct that is a field. */
static inline void thrift_open_field(Thrift *thrift, int id) {
  thrift_field(thrift, id, THRIFT_STRUCT);
  thrift_open(thrift);
}

static inline void thrift_close(Thrift *thrift) {
  thrift_byte(thrift, 0);
  thrift->depth--;
}

#endif
