#include "dictionary.h"

#define FIRST_SLOTS 1024u

/* Every bit of the result depends on every bit of the value: of rounded doubles the lower ones are all the same. */
static inline uint64_t mixed(uint64_t value) {
  value ^= value >> 32;
  value *= UINT64_C(0x9e3779b97f4a7c15);
  value ^= value >> 29;
  value *= UINT64_C(0xbf58476d1ce4e5b9);
  return value ^ value >> 32;
}

static inline uint64_t hash_of_bytes(const unsigned char *bytes, uint32_t length) {
  uint64_t hash = length;
  for (; length >= 8; bytes += 8, length -= 8) {
    hash = (hash ^ load64(bytes)) * UINT64_C(0x9e3779b97f4a7c15);
    hash ^= hash >> 32;
  }
  uint64_t rest = 0;
  if (length > 0) memcpy(&rest, bytes, length);
  return mixed(hash ^ rest);
}

static inline uint64_t hash_of_entry(const Dictionary *dictionary, uint32_t number, int has_length) {
  if (!has_length) return mixed(load64(dictionary->values.bytes + (uint64_t)number * 8));
  const unsigned char *at = dictionary->values.bytes + load64(dictionary->starts.bytes + (uint64_t)number * 8);
  return hash_of_bytes(at + 4, load32(at));
}

/* Makes the table larger where another value would fill more than half of it. */
static int make_room(Dictionary *dictionary, int has_length) {
  if (dictionary->count + 1 <= dictionary->slot_count / 2) return SQLITE_OK;
  uint32_t slot_count = dictionary->slot_count ? dictionary->slot_count * 2 : FIRST_SLOTS;
  uint32_t *slots = sqlite3_malloc64((uint64_t)slot_count * sizeof *slots);
  if (!slots) return SQLITE_NOMEM;
  memset(slots, 0, (size_t)slot_count * sizeof *slots);
  for (uint32_t number = 0; number < dictionary->count; number++) {
    uint32_t slot = (uint32_t)hash_of_entry(dictionary, number, has_length) & (slot_count - 1);
    while (slots[slot]) slot = (slot + 1) & (slot_count - 1);
    slots[slot] = number + 1;
  }
  sqlite3_free(dictionary->slots);
  dictionary->slots = slots;
  dictionary->slot_count = slot_count;
  return SQLITE_OK;
}

int dictionary_number(Dictionary *dictionary, uint64_t value, uint32_t *number, int *is_new) {
  int rc = make_room(dictionary, 0);
  if (rc) return rc;
  uint32_t mask = dictionary->slot_count - 1, slot = (uint32_t)mixed(value) & mask;
  for (; dictionary->slots[slot]; slot = (slot + 1) & mask) {
    *number = dictionary->slots[slot] - 1;
    *is_new = 0;
    if (load64(dictionary->values.bytes + (uint64_t)*number * 8) == value) return SQLITE_OK;
  }
  *number = dictionary->count;
  *is_new = 1;
  rc = append(&dictionary->values, &value, sizeof value);
  if (rc) return rc;
  dictionary->slots[slot] = ++dictionary->count;
  return SQLITE_OK;
}

int dictionary_bytes(Dictionary *dictionary, const unsigned char *bytes, uint32_t length, uint32_t *number,
                     int *is_new) {
  int rc = make_room(dictionary, 1);
  if (rc) return rc;
  uint32_t mask = dictionary->slot_count - 1, slot = (uint32_t)hash_of_bytes(bytes, length) & mask;
  for (; dictionary->slots[slot]; slot = (slot + 1) & mask) {
    *number = dictionary->slots[slot] - 1;
    *is_new = 0;
    const unsigned char *at = dictionary->values.bytes + load64(dictionary->starts.bytes + (uint64_t)*number * 8);
    if (load32(at) == length && (length == 0 || memcmp(at + 4, bytes, length) == 0)) return SQLITE_OK;
  }
  *number = dictionary->count;
  *is_new = 1;
  uint64_t start = dictionary->values.length;
  rc = append(&dictionary->starts, &start, sizeof start);
  if (!rc) rc = append(&dictionary->values, &length, sizeof length);
  if (!rc) rc = append(&dictionary->values, bytes, length);
  if (rc) return rc;
  dictionary->slots[slot] = ++dictionary->count;
  return SQLITE_OK;
}

void dictionary_end(Dictionary *dictionary) {
  sqlite3_free(dictionary->starts.bytes);
  sqlite3_free(dictionary->slots);
  memset(&dictionary->starts, 0, sizeof dictionary->starts);
  dictionary->slots = NULL;
  dictionary->slot_count = 0;
}

void dictionary_clear(Dictionary *dictionary) {
  empty(&dictionary->values);
  dictionary->starts.length = dictionary->count = 0;
  if (dictionary->slots) memset(dictionary->slots, 0, (size_t)dictionary->slot_count * sizeof *dictionary->slots);
}

void dictionary_free(Dictionary *dictionary) {
  sqlite3_free(dictionary->values.bytes);
  sqlite3_free(dictionary->starts.bytes);
  sqlite3_free(dictionary->slots);
}
