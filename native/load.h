/* Reads numbers that lie anywhere in memory. */
#ifndef LOAD_H
#define LOAD_H

#include <stdint.h>
#include <string.h>

static inline uint32_t load32(const unsigned char *at) {
  uint32_t value;
  memcpy(&value, at, sizeof value);
  return value;
}

static inline uint64_t load64(const unsigned char *at) {
  uint64_t value;
  memcpy(&value, at, sizeof value);
  return value;
}

#endif
