/* The names of charsets in mail. Case and everything but letters and digits do
 * not count, nor does x- or cs in front. */
#include "mailstore/mime/charset_internal.h"
#include <string.h>

/* Longest name that is looked at, without what does not count. */
#define NAME_BYTES 24

#define ISO(n)                                                                 \
    .decode = charset_single, .table = &charset_iso8859_##n, .ascii = true
#define CP(n) .decode = charset_single, .table = &charset_cp##n, .ascii = true

static const struct charset charsets[] = {
    /* The one for names that are not known, and for none. */
    {"", "", charset_guess, NULL, 0, true},
    {"us-ascii",
     " ascii ansix341968 ansix341986 646 iso646us unknown "
     "unknown8bit default ",
     charset_guess, NULL, 0, true},
    {"utf-8", " unicode11utf8 unicode20utf8 utf8mb4 ", charset_utf8, NULL, 0,
     true},
    {"utf-7", " unicode11utf7 unicode20utf7 ", charset_utf7, NULL, 0, false},
    {"utf-16", " unicode iso10646ucs2 ucs2 ", charset_utf16, NULL, 0, false},
    {"utf-16le", "", charset_utf16, NULL, 1, false},
    {"utf-16be", "", charset_utf16, NULL, 2, false},
    {"utf-32", " iso10646ucs4 ucs4 ", charset_utf32, NULL, 0, false},
    {"utf-32le", "", charset_utf32, NULL, 1, false},
    {"utf-32be", "", charset_utf32, NULL, 2, false},
    /* What says ISO-8859-1 is windows-1252, in mail as on the web. */
    {"windows-1252",
     " cp1252 win1252 ansi iso88591 latin1 l1 isolatin1 "
     "iso885911987 cp819 ibm819 8859 88591 ",
     CP(1252)},
    {"iso-8859-2", " latin2 l2 isolatin2 iso885921987 88592 ", ISO(2)},
    {"iso-8859-3", " latin3 l3 isolatin3 iso885931988 ", ISO(3)},
    {"iso-8859-4", " latin4 l4 isolatin4 iso885941988 ", ISO(4)},
    {"iso-8859-5", " cyrillic isolatincyrillic iso885951988 ", ISO(5)},
    {"iso-8859-6", " arabic isolatinarabic iso88596i iso88596e asmo708 ",
     ISO(6)},
    {"iso-8859-7", " greek greek8 isolatingreek iso885971987 ", ISO(7)},
    {"iso-8859-8", " hebrew isolatinhebrew iso88598i iso88598e logical visual ",
     ISO(8)},
    {"iso-8859-10", " latin6 l6 isolatin6 ", ISO(10)},
    {"iso-8859-13", " latin7 l7 ", ISO(13)},
    {"iso-8859-14", " latin8 l8 ", ISO(14)},
    {"iso-8859-15", " latin9 l9 latin0 ", ISO(15)},
    {"iso-8859-16", " latin10 l10 ", ISO(16)},
    {"windows-1250", " cp1250 win1250 ", CP(1250)},
    {"windows-1251", " cp1251 win1251 ", CP(1251)},
    {"windows-1253", " cp1253 win1253 ", CP(1253)},
    {"windows-1254",
     " cp1254 win1254 iso88599 latin5 l5 isolatin5 "
     "iso885991989 ",
     CP(1254)},
    {"windows-1255", " cp1255 win1255 ", CP(1255)},
    {"windows-1256", " cp1256 win1256 ", CP(1256)},
    {"windows-1257", " cp1257 win1257 ", CP(1257)},
    {"windows-1258", " cp1258 win1258 ", CP(1258)},
    {"windows-874", " cp874 iso885911 tis620 dos874 ", CP(874)},
    {"koi8-r", " koi8 koi ", charset_single, &charset_koi8_r, 0, true},
    {"koi8-u", " koi8ru ", charset_single, &charset_koi8_u, 0, true},
    {"ibm437", " cp437 437 pc8codepage437 ", CP(437)},
    {"ibm850", " cp850 850 pc850multilingual ", CP(850)},
    {"ibm852", " cp852 852 pcp852 ", CP(852)},
    {"ibm866", " cp866 866 ", CP(866)},
    {"macintosh", " mac macroman ", charset_single, &charset_mac_roman, 0,
     true},
    {"iso-2022-jp",
     " jis iso2022jp1 iso2022jp2 iso2022jp3 iso2022jpms "
     "cp50220 cp50221 cp50222 ",
     charset_iso2022jp, NULL, 0, false},
    {"shift_jis", " sjis mskanji windows31j ms932 cp932 windows932 ",
     charset_shift_jis, NULL, 0, true},
    {"euc-jp", " eucjp eucpkdfmtjapanese eucjpms cp51932 ujis ", charset_euc_jp,
     NULL, 0, true},
    {"euc-kr",
     " ksc56011987 ksc56011989 ksc5601 ksc56011992 korean cp949 uhc "
     "windows949 ms949 isoir149 ",
     charset_euc_kr, NULL, 0, true},
    {"iso-2022-kr", "", charset_iso2022kr, NULL, 0, false},
    {"gb18030",
     " gbk gb2312 gb231280 chinese iso58gb231280 euccn cp936 ms936 "
     "windows936 isoir58 cp54936 gb180302000 gb180302005 ",
     charset_gb18030, NULL, 0, true},
    {"hz-gb-2312", " hz ", charset_hz, NULL, 0, false},
    {"big5", " cnbig5 big5eten big5hkscs cp950 windows950 ms950 ",
     charset_big5_decode, NULL, 0, true},
};

/* What counts of a name, with room for a space at both ends. */
static size_t plain_name(const char *name, size_t len, char *plain)
{
    size_t used = 0;

    for (size_t i = 0; i < len; i++) {
        char c = name[i];

        if (c >= 'A' && c <= 'Z')
            c = (char)(c + 32);
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')))
            continue;
        if (used == NAME_BYTES)
            return 0;
        plain[used++] = c;
    }
    return used;
}

/* Whether word, with spaces around it, is the charset's name or another. */
static bool is_named(const struct charset *charset, const char *word,
                     size_t len)
{
    char name[NAME_BYTES];
    size_t name_len = plain_name(charset->name, strlen(charset->name), name);

    if (name_len + 2 == len && memcmp(name, word + 1, name_len) == 0)
        return true;
    return strstr(charset->others, word) != NULL;
}

static const struct charset *find(const char *plain, size_t len)
{
    char word[NAME_BYTES + 3] = " ";

    if (len == 0)
        return NULL;
    memcpy(word + 1, plain, len);
    word[len + 1] = ' ';
    word[len + 2] = '\0';
    for (size_t i = 1; i < sizeof charsets / sizeof *charsets; i++) {
        if (is_named(&charsets[i], word, len + 2))
            return &charsets[i];
    }
    return NULL;
}

const struct charset *charset_find(const char *name, size_t len, bool *known)
{
    char plain[NAME_BYTES];
    size_t plain_len = plain_name(name, len, plain);
    const struct charset *charset = find(plain, plain_len);

    if (charset == NULL && plain_len > 1 && plain[0] == 'x')
        charset = find(plain + 1, plain_len - 1);
    if (charset == NULL && plain_len > 2 && plain[0] == 'c' && plain[1] == 's')
        charset = find(plain + 2, plain_len - 2);
    if (known != NULL)
        *known = charset != NULL;
    return charset != NULL ? charset : &charsets[0];
}

const char *charset_name(const struct charset *charset)
{
    return charset->name;
}
