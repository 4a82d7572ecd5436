#include "snappy.h"

#include "load.h"

/* Copies reach back within a block alone, so that their offsets take two bytes. */
#define BLOCK_BYTES 65536u

/* Shorter ones are not looked for: a copy takes two or three bytes. */
#define LEAST_MATCH 4u

/* Where so few bytes are left no match is looked for, so that eight can be read everywhere before. */
#define MARGIN 15u

enum { TAG_LITERAL = 0, TAG_COPY_1 = 1, TAG_COPY_2 = 2 };

static inline uint32_t hash_of(uint32_t bytes) { return (bytes * 0x1e35a7bdu) >> (32 - SNAPPY_HASH_BITS); }

/* Bytes as they are. */
static unsigned char *put_literal(unsigned char *out, const unsigned char *bytes, uint32_t length) {
  if (length == 0) return out;
  uint32_t less = length - 1;
  if (less < 60) *out++ = (unsigned char)(less << 2 | TAG_LITERAL);
  else if (less < 256) {
    *out++ = 60 << 2 | TAG_LITERAL;
    *out++ = (unsigned char)less;
  } else {
    *out++ = 61 << 2 | TAG_LITERAL;
    *out++ = (unsigned char)less;
    *out++ = (unsigned char)(less >> 8);
  }
  memcpy(out, bytes, length);
  return out + length;
}

static unsigned char *put_long_copy(unsigned char *out, uint32_t offset, uint32_t length) {
  *out++ = (unsigned char)((length - 1) << 2 | TAG_COPY_2);
  *out++ = (unsigned char)offset;
  *out++ = (unsigned char)(offset >> 8);
  return out;
}

/* Bytes that stand so far before; a copy has at most 64, and what is left behind one at least four. */
static unsigned char *put_copies(unsigned char *out, uint32_t offset, uint32_t length) {
  for (; length >= 64 + LEAST_MATCH; length -= 64) out = put_long_copy(out, offset, 64);
  if (length > 64) {
    out = put_long_copy(out, offset, 60);
    length -= 60;
  }
  if (length >= 12 || offset >= 2048) return put_long_copy(out, offset, length);
  *out++ = (unsigned char)((offset >> 8) << 5 | (length - LEAST_MATCH) << 2 | TAG_COPY_1);
  *out++ = (unsigned char)offset;
  return out;
}

/* How many bytes from `at` on, which lies before `end`, are those from `earlier` on. */
static uint32_t match_length(const unsigned char *earlier, const unsigned char *at, const unsigned char *end) {
  const unsigned char *start = at;
  while (end - at >= 8 && load64(earlier) == load64(at)) {
    earlier += 8;
    at += 8;
  }
  while (at < end && *earlier == *at) {
    earlier++;
    at++;
  }
  return (uint32_t)(at - start);
}

/* Where nothing matches, the steps become longer: bytes that do not compress are passed over fast. */
static unsigned char *compress_block(const unsigned char *block, uint32_t length, unsigned char *out,
                                     uint16_t *positions) {
  uint32_t literal = 0, last = length > MARGIN ? length - MARGIN : 0;
  memset(positions, 0, sizeof(SnappyTable));
  for (uint32_t at = 1, misses = 32; at < last;) {
    uint32_t bytes = load32(block + at), hash = hash_of(bytes), earlier = positions[hash];
    positions[hash] = (uint16_t)at;
    if (load32(block + earlier) != bytes) {
      at += misses++ >> 5;
      continue;
    }
    out = put_literal(out, block + literal, at - literal);
    uint32_t matched = match_length(block + earlier, block + at, block + length);
    out = put_copies(out, at - earlier, matched);
    literal = at += matched;
    misses = 32;
    if (at < last) positions[hash_of(load32(block + at - 1))] = (uint16_t)(at - 1);
  }
  return put_literal(out, block + literal, length - literal);
}

uint64_t snappy_most(uint64_t length) { return 32 + length + length / 6; }

uint64_t snappy_compress(const unsigned char *bytes, uint64_t length, unsigned char *out, SnappyTable *table) {
  unsigned char *start = out;
  uint64_t rest = length;
  for (; rest >= 0x80; rest >>= 7) *out++ = (unsigned char)(rest | 0x80);
  *out++ = (unsigned char)rest;
  for (uint64_t from = 0; from < length; from += BLOCK_BYTES) {
    uint64_t left = length - from;
    out = compress_block(bytes + from, left < BLOCK_BYTES ? (uint32_t)left : BLOCK_BYTES, out, table->positions);
  }
  return (uint64_t)(out - start);
}
