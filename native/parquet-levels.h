/*
** Parquet's hybrid of runs and packed bits, in which pages have definition levels and the numbers of dictionary entries:
** https://parquet.apache.org/docs/file-format/data-pages/encodings/#run-length-encoding--bit-packing-hybrid-rle--3
*/
#ifndef PARQUET_LEVELS_H
#define PARQUET_LEVELS_H

#include "buffer.h"

/* The bits that numbers up to this one take; at least one. */
int bits_for(uint32_t most);

/* Appends numbers of at most so many bits, from 1 to 32. */
int append_hybrid(Buffer *out, const uint32_t *numbers, uint32_t count, int width);

#endif
