#include "parquet-levels.h"

/* A shorter run takes no fewer bytes than its numbers packed. */
#define LEAST_RUN 8u

int bits_for(uint32_t most) {
  int bits = 1;
  while (bits < 32 && most >> bits) bits++;
  return bits;
}

static unsigned char *put_varint(unsigned char *out, uint32_t value) {
  for (; value >= 0x80; value >>= 7) *out++ = (unsigned char)(value | 0x80);
  *out++ = (unsigned char)value;
  return out;
}

static int append_run(Buffer *out, uint32_t number, uint32_t count, int width) {
  int rc = reserve(out, 16);
  if (rc) return rc;
  unsigned char *at = put_varint(out->bytes + out->length, count << 1);
  for (int shift = 0; shift < width; shift += 8) *at++ = (unsigned char)(number >> shift);
  out->length = (uint64_t)(at - out->bytes);
  return SQLITE_OK;
}

/* Numbers packed in groups of eight; the last one is filled up with zeros. */
static int append_packed(Buffer *out, const uint32_t *numbers, uint32_t count, int width) {
  if (count == 0) return SQLITE_OK;
  uint32_t groups = (count + 7) / 8;
  int rc = reserve(out, 16 + (uint64_t)groups * (uint64_t)width);
  if (rc) return rc;
  unsigned char *at = put_varint(out->bytes + out->length, groups << 1 | 1);
  uint64_t bits = 0;
  int filled = 0;
  for (uint32_t i = 0; i < groups * 8; i++) {
    bits |= (uint64_t)(i < count ? numbers[i] : 0) << filled;
    for (filled += width; filled >= 8; filled -= 8, bits >>= 8) *at++ = (unsigned char)bits;
  }
  out->length = (uint64_t)(at - out->bytes);
  return SQLITE_OK;
}

int append_hybrid(Buffer *out, const uint32_t *numbers, uint32_t count, int width) {
  uint32_t packed = 0; /* those from here on are not written yet */
  for (uint32_t at = 0; at < count;) {
    uint32_t end = at + 1;
    while (end < count && numbers[end] == numbers[at]) end++;
    /* Packed numbers come in eights, the last of which the run lends. */
    uint32_t start = at + (8 - (at - packed) % 8) % 8;
    if (end >= start + LEAST_RUN) {
      int rc = append_packed(out, numbers + packed, start - packed, width);
      if (!rc) rc = append_run(out, numbers[at], end - start, width);
      if (rc) return rc;
      packed = end;
    }
    at = end;
  }
  return append_packed(out, numbers + packed, count - packed, width);
}
