/*
** A Parquet file in the making, and its footer, FileMetaData of
** https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
*/
#ifndef PARQUET_FILE_H
#define PARQUET_FILE_H

#include "parquet-chunk.h"
#include "thrift.h"

#define MARK "PAR1" /* at both ends of the file */

typedef struct Column {
  Buffer name;
  Chunk chunk;
} Column;

typedef struct File {
  Column *columns;
  uint32_t count;
  Scratch scratch;
  Buffer metadata;   /* KeyValue, one after another */
  Buffer row_groups; /* RowGroup, one after another */
  uint32_t metadata_count, row_group_count;
  uint64_t rows; /* of the row groups that are ended */

  /* the row group that is ended, as far as it is */
  uint32_t flushed; /* columns */
  uint64_t group_rows, group_start, group_raw_bytes;
  Thrift group;

  uint64_t length; /* of what was returned */
} File;

/* Appends a ColumnChunk; `base` is where in the file the bytes begin that the place is in. */
void put_chunk(Thrift *thrift, const Column *column, const ChunkPlace *place, uint64_t base, int codec);

/* Appends the footer, and the end of the file. */
int append_footer(const File *file, const void *program, uint64_t length, Buffer *out);

#endif
