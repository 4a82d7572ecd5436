#include "parquet-file.h"

#define FORMAT_VERSION 1

/* Parquet's Type, Repetition and ConvertedType */
enum { TYPE_BOOLEAN = 0, TYPE_INT64 = 2, TYPE_DOUBLE = 5, TYPE_BYTE_ARRAY = 6 };
enum { REPETITION_OPTIONAL = 1 };
enum { CONVERTED_UTF8 = 0, CONVERTED_TIMESTAMP_MICROS = 10 };

static int physical_type(char type) {
  switch (type) {
    case 'b': return TYPE_BOOLEAN;
    case 'd': return TYPE_DOUBLE;
    case 's':
    case 'x': return TYPE_BYTE_ARRAY;
    default: return TYPE_INT64;
  }
}

static void put_bound(Thrift *thrift, int id, char type, uint64_t number, const Buffer *bytes) {
  unsigned char boolean = (unsigned char)number;
  if (is_of_bytes(type)) thrift_binary(thrift, id, bytes->bytes, bytes->length);
  else if (type == 'b') thrift_binary(thrift, id, &boolean, 1);
  else thrift_binary(thrift, id, &number, sizeof number);
}

/* PageEncodingStats, by which readers know whether a dictionary has all values of the chunk. */
static void put_page_count(Thrift *thrift, int page_type, int encoding, uint32_t count) {
  thrift_open(thrift);
  thrift_integer(thrift, 1, THRIFT_I32, page_type);
  thrift_integer(thrift, 2, THRIFT_I32, encoding);
  thrift_integer(thrift, 3, THRIFT_I32, count);
  thrift_close(thrift);
}

void put_chunk(Thrift *thrift, const Column *column, const ChunkPlace *place, uint64_t base, int codec) {
  const Chunk *chunk = &column->chunk;
  int has_dictionary = chunk->dictionary_pages > 0, has_plain = chunk->plain_pages > 0;
  thrift_open(thrift);
  thrift_integer(thrift, 2, THRIFT_I64, 0);
  thrift_open_field(thrift, 3);
  thrift_integer(thrift, 1, THRIFT_I32, physical_type(chunk->type));
  thrift_list(thrift, 2, THRIFT_I32, has_dictionary ? 3 : 2);
  thrift_number(thrift, ENCODING_PLAIN); /* of a dictionary's own page too */
  thrift_number(thrift, ENCODING_RLE);
  if (has_dictionary) thrift_number(thrift, ENCODING_RLE_DICTIONARY);
  thrift_list(thrift, 3, THRIFT_BINARY, 1);
  thrift_text(thrift, column->name.bytes, column->name.length);
  thrift_integer(thrift, 4, THRIFT_I32, codec);
  thrift_integer(thrift, 5, THRIFT_I64, (int64_t)chunk->rows);
  thrift_integer(thrift, 6, THRIFT_I64, (int64_t)place->raw_bytes);
  thrift_integer(thrift, 7, THRIFT_I64, (int64_t)(place->end - place->dictionary_at));
  thrift_integer(thrift, 9, THRIFT_I64, (int64_t)(base + place->data_at));
  if (place->data_at > place->dictionary_at)
    thrift_integer(thrift, 11, THRIFT_I64, (int64_t)(base + place->dictionary_at));
  thrift_open_field(thrift, 12);
  thrift_integer(thrift, 3, THRIFT_I64, (int64_t)chunk->nulls);
  if (chunk->bounds.are_known) {
    put_bound(thrift, 5, chunk->type, chunk->bounds.most, &chunk->bounds.most_bytes);
    put_bound(thrift, 6, chunk->type, chunk->bounds.least, &chunk->bounds.least_bytes);
  }
  thrift_close(thrift);
  thrift_list(thrift, 13, THRIFT_STRUCT, (uint64_t)(2 * has_dictionary + has_plain));
  if (has_dictionary) put_page_count(thrift, PAGE_DICTIONARY, ENCODING_PLAIN, 1);
  if (has_dictionary) put_page_count(thrift, PAGE_DATA, ENCODING_RLE_DICTIONARY, chunk->dictionary_pages);
  if (has_plain) put_page_count(thrift, PAGE_DATA, ENCODING_PLAIN, chunk->plain_pages);
  thrift_close(thrift);
  thrift_close(thrift);
}

/* SchemaElement */
static void put_column(Thrift *thrift, const Column *column) {
  char type = column->chunk.type;
  thrift_open(thrift);
  thrift_integer(thrift, 1, THRIFT_I32, physical_type(type));
  thrift_integer(thrift, 3, THRIFT_I32, REPETITION_OPTIONAL);
  thrift_binary(thrift, 4, column->name.bytes, column->name.length);
  if (type == 's') {
    thrift_integer(thrift, 6, THRIFT_I32, CONVERTED_UTF8);
    thrift_open_field(thrift, 10);
    thrift_open_field(thrift, 1); /* a string */
    thrift_close(thrift);
    thrift_close(thrift);
  } else if (type == 't') {
    thrift_integer(thrift, 6, THRIFT_I32, CONVERTED_TIMESTAMP_MICROS);
    thrift_open_field(thrift, 10);
    thrift_open_field(thrift, 8);         /* a timestamp */
    thrift_field(thrift, 1, THRIFT_TRUE); /* in UTC */
    thrift_open_field(thrift, 2);
    thrift_open_field(thrift, 2); /* of microseconds */
    thrift_close(thrift);
    thrift_close(thrift);
    thrift_close(thrift);
    thrift_close(thrift);
  }
  thrift_close(thrift);
}

int append_footer(const File *file, const void *program, uint64_t length, Buffer *out) {
  Thrift footer = {.out = out};
  thrift_open(&footer);
  thrift_integer(&footer, 1, THRIFT_I32, FORMAT_VERSION);
  thrift_list(&footer, 2, THRIFT_STRUCT, (uint64_t)file->count + 1);
  thrift_open(&footer);
  thrift_binary(&footer, 4, "schema", 6);
  thrift_integer(&footer, 5, THRIFT_I32, file->count);
  thrift_close(&footer);
  for (uint32_t i = 0; i < file->count; i++) put_column(&footer, &file->columns[i]);
  thrift_integer(&footer, 3, THRIFT_I64, (int64_t)file->rows);
  thrift_list(&footer, 4, THRIFT_STRUCT, file->row_group_count);
  thrift_bytes(&footer, file->row_groups.bytes, file->row_groups.length);
  thrift_list(&footer, 5, THRIFT_STRUCT, file->metadata_count);
  thrift_bytes(&footer, file->metadata.bytes, file->metadata.length);
  thrift_binary(&footer, 6, program, length);
  thrift_list(&footer, 7, THRIFT_STRUCT, file->count);
  for (uint32_t i = 0; i < file->count; i++) { /* the order of the bounds is that of the type */
    thrift_open(&footer);
    thrift_open_field(&footer, 1);
    thrift_close(&footer);
    thrift_close(&footer);
  }
  thrift_close(&footer);
  uint32_t footer_bytes = (uint32_t)out->length;
  thrift_bytes(&footer, &footer_bytes, sizeof footer_bytes);
  thrift_bytes(&footer, MARK, 4);
  return footer.rc;
}
