#include "parquet-bounds.h"

/* Longer bounds say nothing more; they would make the footer large. */
#define MOST_BOUND_BYTES 64u

static double as_double(uint64_t bits) {
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/* Parquet's order of doubles has no NaN. */
static int is_less(char type, uint64_t one, uint64_t other) {
  return type == 'd' ? as_double(one) < as_double(other) : (int64_t)one < (int64_t)other;
}

void bound_number(Bounds *bounds, char type, uint64_t value) {
  if (type == 'd' && as_double(value) != as_double(value)) return;
  if (!bounds->are_known) bounds->least = bounds->most = value;
  else if (is_less(type, value, bounds->least)) bounds->least = value;
  else if (is_less(type, bounds->most, value)) bounds->most = value;
  bounds->are_known = 1;
}

static int compare_bytes(const unsigned char *bytes, uint32_t length, const Buffer *other) {
  uint64_t shorter = length < other->length ? length : other->length;
  int order = shorter > 0 ? memcmp(bytes, other->bytes, shorter) : 0;
  return order ? order : (length > other->length) - (length < other->length);
}

static int keep_bound(Buffer *bound, const unsigned char *bytes, uint32_t length) {
  bound->length = 0;
  return append(bound, bytes, length);
}

int bound_bytes(Bounds *bounds, const unsigned char *bytes, uint32_t length) {
  if (length > MOST_BOUND_BYTES) length = MOST_BOUND_BYTES + 1; /* enough to know that it is too long */
  int is_first = !bounds->are_known, rc = SQLITE_OK;
  bounds->are_known = 1;
  if (is_first || compare_bytes(bytes, length, &bounds->least_bytes) < 0)
    rc = keep_bound(&bounds->least_bytes, bytes, length);
  if (!rc && (is_first || compare_bytes(bytes, length, &bounds->most_bytes) > 0))
    rc = keep_bound(&bounds->most_bytes, bytes, length);
  return rc;
}

void finish_bounds(Bounds *bounds, char type) {
  if (bounds->least_bytes.length > MOST_BOUND_BYTES || bounds->most_bytes.length > MOST_BOUND_BYTES) bounds->are_known = 0;
  /* Both zeros are equal there: the bounds are those that hold for either. */
  if (type == 'd' && as_double(bounds->least) == 0) bounds->least = UINT64_C(1) << 63;
  if (type == 'd' && as_double(bounds->most) == 0) bounds->most = 0;
}

void clear_bounds(Bounds *bounds) { bounds->are_known = 0; }

void free_bounds(Bounds *bounds) {
  sqlite3_free(bounds->least_bytes.bytes);
  sqlite3_free(bounds->most_bytes.bytes);
}
