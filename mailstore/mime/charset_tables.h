/* Tables of charsets, made by charset.py; see there how they are kept. */
#ifndef MIME_CHARSET_TABLES_H
#define MIME_CHARSET_TABLES_H

#include <stdint.h>

struct charset_table {
    const uint16_t *blocks; /* where each block of 32 cells begins */
    const uint8_t *cells;
    uint32_t count; /* of blocks */
};

/* The 128 upper bytes. */
extern const struct charset_table charset_iso8859_2, charset_iso8859_3,
    charset_iso8859_4, charset_iso8859_5, charset_iso8859_6, charset_iso8859_7,
    charset_iso8859_8, charset_iso8859_10, charset_iso8859_13,
    charset_iso8859_14, charset_iso8859_15, charset_iso8859_16, charset_cp1250,
    charset_cp1251, charset_cp1252, charset_cp1253, charset_cp1254,
    charset_cp1255, charset_cp1256, charset_cp1257, charset_cp1258,
    charset_cp874, charset_koi8_r, charset_koi8_u, charset_cp437, charset_cp850,
    charset_cp852, charset_cp866, charset_mac_roman;

/* JIS X 0208 with the rows of NEC and IBM: row * 94 + cell, from 0. */
extern const struct charset_table charset_jis;
/* KS X 1001 and GB18030's part of the same form: row * 94 + cell. */
extern const struct charset_table charset_ksc, charset_gb;
/* Big5: (first byte - 0xa1) * 157 + second. */
extern const struct charset_table charset_big5;
/* GBK: symbols, (first byte - 0xa1) * 96 + second; and what stands behind the
 * ideographs in order. */
extern const struct charset_table charset_gbk_symbols, charset_gbk_rest;

/* Which ideographs from U+4E00 on, and which Hangul from U+AC00 on, are not
 * among those that GBK and Windows added in order; and how many were added
 * before each 256th. */
extern const uint8_t charset_gbk_own[], charset_ksc_own[];
extern const uint16_t charset_gbk_own_ranks[], charset_ksc_own_ranks[];
#define CHARSET_GBK_CODES 20902 /* U+4E00 to U+9FA5 */
#define CHARSET_GBK_ADDED 14139
#define CHARSET_KSC_CODES 11172 /* U+AC00 to U+D7A3 */
#define CHARSET_KSC_ADDED 8822

/* GB18030's four bytes: ranges of the Basic Plane. */
#define CHARSET_GB_RANGES 206
extern const uint16_t charset_gb_linear[CHARSET_GB_RANGES];
extern const uint16_t charset_gb_first[CHARSET_GB_RANGES];

#endif
