#include "parquet-page.h"

#include "parquet-levels.h"
#include "thrift.h"

int append_page(Buffer *out, uint64_t *raw_bytes, int page_type, uint32_t values, int encoding, Scratch *scratch) {
  const Buffer *page = &scratch->page, *body = page;
  if (scratch->codec == CODEC_SNAPPY) {
    Buffer *compressed = &scratch->compressed;
    int rc = reserve(compressed, snappy_most(page->length));
    if (rc) return rc;
    compressed->length = snappy_compress(page->bytes, page->length, compressed->bytes, &scratch->table);
    body = compressed;
  }
  uint64_t start = out->length;
  Thrift head = {.out = out};
  thrift_open(&head);
  thrift_integer(&head, 1, THRIFT_I32, page_type);
  thrift_integer(&head, 2, THRIFT_I32, (int64_t)page->length);
  thrift_integer(&head, 3, THRIFT_I32, (int64_t)body->length);
  thrift_open_field(&head, page_type == PAGE_DATA ? 5 : 7);
  thrift_integer(&head, 1, THRIFT_I32, values);
  thrift_integer(&head, 2, THRIFT_I32, encoding);
  if (page_type == PAGE_DATA) {
    thrift_integer(&head, 3, THRIFT_I32, ENCODING_RLE); /* of definition levels */
    thrift_integer(&head, 4, THRIFT_I32, ENCODING_RLE); /* of repetition levels, of which there are none */
  }
  thrift_close(&head);
  thrift_close(&head);
  *raw_bytes += out->length - start + page->length;
  thrift_bytes(&head, body->bytes, body->length);
  empty(&scratch->page);
  empty(&scratch->compressed);
  return head.rc;
}

int put_levels(Scratch *scratch, const Buffer *levels) {
  Buffer *page = &scratch->page, *numbers = &scratch->numbers;
  uint32_t length = 0, count = (uint32_t)levels->length;
  uint64_t start = page->length;
  int rc = append(page, &length, sizeof length);
  if (!rc) rc = reserve(numbers, (uint64_t)count * sizeof(uint32_t));
  if (rc) return rc;
  uint32_t *each = (uint32_t *)(void *)numbers->bytes;
  for (uint32_t i = 0; i < count; i++) each[i] = levels->bytes[i];
  rc = append_hybrid(page, each, count, 1);
  if (rc) return rc;
  length = (uint32_t)(page->length - start - sizeof length);
  memcpy(page->bytes + start, &length, sizeof length);
  return SQLITE_OK;
}

int put_bits(Scratch *scratch, const Buffer *values) {
  int rc = reserve(&scratch->page, values->length / 8 + 1);
  if (rc) return rc;
  for (uint64_t from = 0; from < values->length; from += 8) {
    unsigned bits = 0;
    for (uint64_t i = from; i < from + 8 && i < values->length; i++) bits |= (unsigned)values->bytes[i] << (i - from);
    scratch->page.bytes[scratch->page.length++] = (unsigned char)bits;
  }
  return SQLITE_OK;
}

int put_numbers(Scratch *scratch, const Buffer *numbers, uint32_t entries) {
  unsigned char width = (unsigned char)bits_for(entries - 1);
  int rc = append(&scratch->page, &width, 1);
  if (rc) return rc;
  return append_hybrid(&scratch->page, (const uint32_t *)(const void *)numbers->bytes,
                       (uint32_t)(numbers->length / sizeof(uint32_t)), width);
}
