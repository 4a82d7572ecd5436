/* The distinct values of a column chunk, each with a number, in the order of their first appearance. */
#ifndef DICTIONARY_H
#define DICTIONARY_H

#include "buffer.h"

typedef struct Dictionary {
  Buffer values;   /* as the dictionary page has them: numbers, or texts and blobs behind their u32 length */
  Buffer starts;   /* of texts and blobs: u64, where each begins in `values` */
  uint32_t count;
  uint32_t *slots; /* hash table: number + 1, or 0 */
  uint32_t slot_count; /* a power of two, at least twice `count` */
} Dictionary;

/* The number of a value, and whether it is new. */
int dictionary_number(Dictionary *dictionary, uint64_t value, uint32_t *number, int *is_new);
int dictionary_bytes(Dictionary *dictionary, const unsigned char *bytes, uint32_t length, uint32_t *number,
                     int *is_new);

/* Gives back what is needed to add values alone. */
void dictionary_end(Dictionary *dictionary);

/* Forgets the values, and keeps the memory. */
void dictionary_clear(Dictionary *dictionary);
void dictionary_free(Dictionary *dictionary);

#endif
