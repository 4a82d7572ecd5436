/* Pages of a column chunk: https://parquet.apache.org/docs/file-format/data-pages/ */
#ifndef PARQUET_PAGE_H
#define PARQUET_PAGE_H

#include "buffer.h"
#include "snappy.h"

/* A page ends at so many rows, or bytes, whichever comes first. Tests set it lower. */
#define PAGE_ROWS 20000u
#ifndef PAGE_BYTES
#define PAGE_BYTES ((uint64_t)1 << 20)
#endif

enum { PAGE_DATA = 0, PAGE_DICTIONARY = 2 };                                 /* Parquet's PageType */
enum { CODEC_NONE = 0, CODEC_SNAPPY = 1 };                                   /* its CompressionCodec */
enum { ENCODING_PLAIN = 0, ENCODING_RLE = 3, ENCODING_RLE_DICTIONARY = 8 }; /* its Encoding */

/* What the columns of a file share: the page in hand, and the memory it takes to make one. */
typedef struct Scratch {
  int codec;
  Buffer page;
  Buffer compressed;
  Buffer numbers; /* levels */
  SnappyTable table;
} Scratch;

/* Append to the page in hand: levels, a byte each, behind their length; booleans, a byte each; u32 numbers of entries. */
int put_levels(Scratch *scratch, const Buffer *levels);
int put_bits(Scratch *scratch, const Buffer *values);
int put_numbers(Scratch *scratch, const Buffer *numbers, uint32_t entries);

/*
** Appends the page in hand, compressed, behind a head of its own, and counts what it would take if it was not. The page is
** empty then.
*/
int append_page(Buffer *out, uint64_t *raw_bytes, int page_type, uint32_t values, int encoding, Scratch *scratch);

#endif
