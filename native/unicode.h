/* Whether text is valid Unicode. */
#ifndef UNICODE_H
#define UNICODE_H

#include <stdint.h>
#include <string.h>

/* Looks at eight bytes at once; of the last eight some may have been looked at before. */
static inline int is_ascii(const unsigned char *text, uint64_t length) {
  uint64_t seen = 0, word = 0;
  if (length < 8) {
    for (uint64_t i = 0; i < length; i++) seen |= text[i];
    return seen < 0x80;
  }
  for (uint64_t i = 0; i + 8 < length; i += 8) {
    memcpy(&word, text + i, 8);
    seen |= word;
  }
  memcpy(&word, text + length - 8, 8);
  return ((seen | word) & UINT64_C(0x8080808080808080)) == 0;
}

/* Whether it is well-formed UTF-8: the Unicode Standard, table 3-7. */
static inline int is_utf8(const unsigned char *text, uint64_t length) {
  uint64_t i = 0;
  while (i < length) {
    unsigned char lead = text[i++];
    unsigned char least = 0x80, most = 0xbf; /* of the byte behind it */
    int more;
    if (lead < 0x80) continue;
    if (lead >= 0xc2 && lead <= 0xdf) more = 1;
    else if (lead >= 0xe0 && lead <= 0xef) {
      more = 2;
      if (lead == 0xe0) least = 0xa0;
      if (lead == 0xed) most = 0x9f;
    } else if (lead >= 0xf0 && lead <= 0xf4) {
      more = 3;
      if (lead == 0xf0) least = 0x90;
      if (lead == 0xf4) most = 0x8f;
    } else return 0;
    for (; more > 0; more--) {
      if (i >= length || text[i] < least || text[i] > most) return 0;
      i++;
      least = 0x80;
      most = 0xbf;
    }
  }
  return 1;
}

/* Whether the surrogates of UTF-16 in the byte order of the machine come in pairs. */
static inline int is_utf16(const unsigned char *text, uint64_t length) {
  for (uint64_t i = 0; i + 2 <= length; i += 2) {
    uint16_t unit, next = 0;
    memcpy(&unit, text + i, 2);
    if ((unit & 0xf800) != 0xd800) continue;
    if (i + 4 <= length) memcpy(&next, text + i + 2, 2);
    if (unit >= 0xdc00 || (next & 0xfc00) != 0xdc00) return 0;
    i += 2;
  }
  return 1;
}

#endif
