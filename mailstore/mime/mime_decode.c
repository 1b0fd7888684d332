/* The content of a part, as a stream that is pulled. See mime_decode.h.
 *
 * raw holds bytes of the message, plain what the transfer encoding gives of
 * them; it never gives more than the raw bytes and what was held back before.
 */
#include "mailstore/mime/mime_decode.h"
#include "mailstore/mime/charset_internal.h"
#include "mailstore/mime/mime_internal.h"
#include <string.h>

static void give(struct mime_decoder *decoder, uint8_t byte)
{
    decoder->plain[decoder->plain_bytes++] = byte;
}

/* ---- Quoted-printable (RFC 2045 6.7) --------------------------------------
 */

/* What the last bytes were: nothing special, "=", "=" and a hex digit, "=" and
 * spaces. */
enum { QP_TEXT, QP_EQUAL, QP_HEX, QP_SOFT };

/* Spaces that turned out not to stand at the end of a line. */
static void qp_release(struct mime_decoder *decoder)
{
    for (unsigned i = 0; i < decoder->held; i++)
        give(decoder, (uint8_t)decoder->spaces[i]);
    decoder->held = 0;
    if (decoder->cr)
        give(decoder, '\r');
    decoder->cr = false;
}

static void qp_text(struct mime_decoder *decoder, uint8_t byte)
{
    if (byte == '\n') {
        decoder->held = 0; /* padding on the way */
        qp_release(decoder);
        give(decoder, '\n');
        return;
    }
    if (decoder->cr || decoder->held == sizeof decoder->spaces ||
        (byte != ' ' && byte != '\t' && byte != '\r'))
        qp_release(decoder);
    if (byte == ' ' || byte == '\t')
        decoder->spaces[decoder->held++] = (char)byte;
    else if (byte == '\r')
        decoder->cr = true;
    else if (byte == '=')
        decoder->state = QP_EQUAL;
    else
        give(decoder, byte);
}

static void qp_byte(struct mime_decoder *decoder, uint8_t byte)
{
    bool space = byte == ' ' || byte == '\t' || byte == '\r';

    switch (decoder->state) {
    case QP_EQUAL:
        if (mime_hex((char)byte) >= 0) {
            decoder->bits = byte;
            decoder->state = QP_HEX;
            return;
        }
        if (space || byte == '\n') {
            decoder->state = byte == '\n' ? QP_TEXT : QP_SOFT;
            return;
        }
        give(decoder, '=');
        break;
    case QP_HEX:
        if (mime_hex((char)byte) >= 0) {
            give(decoder, (uint8_t)(mime_hex((char)decoder->bits) * 16 +
                                    mime_hex((char)byte)));
            decoder->state = QP_TEXT;
            return;
        }
        give(decoder, '=');
        give(decoder, (uint8_t)decoder->bits);
        break;
    case QP_SOFT:
        if (space || byte == '\n') {
            decoder->state = byte == '\n' ? QP_TEXT : QP_SOFT;
            return;
        }
        give(decoder, '=');
        give(decoder, ' ');
        break;
    default:
        break;
    }
    decoder->state = QP_TEXT;
    qp_text(decoder, byte);
}

static void qp_end(struct mime_decoder *decoder)
{
    if (decoder->state == QP_HEX) {
        give(decoder, '=');
        give(decoder, (uint8_t)decoder->bits);
    }
    decoder->state = QP_TEXT;
    decoder->held = 0;
    qp_release(decoder);
}

/* ---- Base64 ---------------------------------------------------------------
 */

static void base64_byte(struct mime_decoder *decoder, uint8_t byte)
{
    int value = mime_base64_value((char)byte);

    if (byte == '=') /* more may follow: it was put together of pieces */
        decoder->bit_count = 0;
    if (value < 0)
        return;
    decoder->bits = (decoder->bits << 6 | (uint32_t)value) & 0xffff;
    decoder->bit_count = (uint8_t)(decoder->bit_count + 6);
    if (decoder->bit_count >= 8) {
        decoder->bit_count = (uint8_t)(decoder->bit_count - 8);
        give(decoder, (uint8_t)(decoder->bits >> decoder->bit_count));
    }
}

/* ---- uuencode -------------------------------------------------------------
 */

/* Looking for "begin ", passing a line before or with it, at the beginning of a
 * line of data, within it, behind the end. */
enum { UU_BEFORE, UU_PASS, UU_BEGIN, UU_LINE, UU_DATA, UU_DONE };

static void uu_before(struct mime_decoder *decoder, uint8_t byte)
{
    static const char begin[] = "begin ";

    if (byte == (uint8_t)begin[decoder->held])
        decoder->held++;
    else
        decoder->state = byte == '\n' ? UU_BEFORE : UU_PASS;
    if (decoder->state == UU_PASS || byte == '\n' ||
        decoder->held == sizeof begin - 1) {
        if (decoder->held == sizeof begin - 1)
            decoder->state = UU_BEGIN;
        decoder->held = 0;
    }
}

static void uu_byte(struct mime_decoder *decoder, uint8_t byte)
{
    switch (decoder->state) {
    case UU_BEFORE:
        uu_before(decoder, byte);
        break;
    case UU_PASS:
    case UU_BEGIN:
        if (byte == '\n')
            decoder->state = decoder->state == UU_PASS ? UU_BEFORE : UU_LINE;
        break;
    case UU_LINE:
        decoder->bit_count = 0;
        if (byte == '\r' || byte == '\n')
            break;
        decoder->line_left = (uint16_t)((byte - 32u) & 63);
        decoder->state = byte >= 0x20 && byte <= 0x60 ? UU_DATA : UU_DONE;
        break;
    case UU_DATA:
        if (byte == '\n')
            decoder->state = UU_LINE;
        if (byte < 0x20 || decoder->line_left == 0)
            break;
        decoder->bits = (decoder->bits << 6 | ((byte - 32u) & 63)) & 0xffff;
        decoder->bit_count = (uint8_t)(decoder->bit_count + 6);
        if (decoder->bit_count >= 8) {
            decoder->bit_count = (uint8_t)(decoder->bit_count - 8);
            give(decoder, (uint8_t)(decoder->bits >> decoder->bit_count));
            decoder->line_left--;
        }
        break;
    default:
        break;
    }
}

/* ---- The stream -----------------------------------------------------------
 */

static void decode_raw(struct mime_decoder *decoder, size_t len)
{
    void (*byte)(struct mime_decoder * decoder, uint8_t byte) =
        decoder->encoding == MIME_QUOTED_PRINTABLE ? qp_byte
        : decoder->encoding == MIME_BASE64         ? base64_byte
                                                   : uu_byte;

    if (decoder->encoding == MIME_7BIT) {
        memcpy(decoder->plain, decoder->raw, len);
        decoder->plain_bytes = len;
        return;
    }
    for (size_t i = 0; i < len; i++)
        byte(decoder, decoder->raw[i]);
}

/* HTML may say its charset itself; utf-16 cannot be true where it was read. */
static void find_html_charset(struct mime_decoder *decoder)
{
    const char *text = (const char *)decoder->plain;
    size_t len = decoder->plain_bytes;

    for (size_t i = 0; i + 9 < len; i++) {
        const struct charset *charset;
        size_t name = i + 7, end;
        bool known;

        if (!mime_same(text + i, 7, "charset"))
            continue;
        while (name < len && (mime_is_space(text[name]) || text[name] == '=' ||
                              text[name] == '"' || text[name] == '\''))
            name++;
        for (end = name; end < len && text[end] > ' ' && text[end] != '"' &&
                         text[end] != '\'' && text[end] != '>' &&
                         text[end] != ';';)
            end++;
        charset = charset_find(text + name, end - name, &known);
        if (known && charset->ascii)
            charset_begin(&decoder->text, charset);
        if (known)
            return;
    }
}

/* More of plain. Returns OK, also at the end, or the source's error. */
static enum err refill(struct mime_decoder *decoder)
{
    uint32_t left = decoder->end - decoder->at;
    int got;

    decoder->plain_at = decoder->plain_bytes = 0;
    while (decoder->plain_bytes == 0 && !decoder->ended) {
        got = left == 0 ? 0
                        : decoder->source->read(
                              decoder->source, decoder->at, decoder->raw,
                              left < sizeof decoder->raw ? left
                                                         : sizeof decoder->raw);
        if (got < 0)
            return (enum err)got;
        decoder->at += (uint32_t)got;
        left -= (uint32_t)got;
        decode_raw(decoder, (size_t)got);
        if (got > 0)
            continue;
        decoder->ended = true;
        if (decoder->encoding == MIME_QUOTED_PRINTABLE)
            qp_end(decoder);
    }
    if (decoder->sniff)
        find_html_charset(decoder);
    decoder->sniff = false;
    return OK;
}

void mime_decode_begin(struct mime_decoder *decoder,
                       const struct mime_source *source,
                       const struct mime_part *part, enum mime_decode_as as)
{
    const struct charset *charset =
        charset_find(part->charset, strlen(part->charset), NULL);

    decoder->source = source;
    decoder->at = part->body;
    decoder->end = part->body + part->body_bytes;
    charset_begin(&decoder->text, charset);
    decoder->bits = 0;
    decoder->bit_count = 0;
    decoder->encoding = part->encoding;
    decoder->state = 0;
    decoder->as_text = as == MIME_AS_TEXT;
    decoder->sniff = decoder->as_text && part->charset[0] == '\0' &&
                     mime_is(part, "text/html");
    decoder->cr = decoder->text_cr = decoder->ended = false;
    decoder->line_left = decoder->held = 0;
    decoder->plain_at = decoder->plain_bytes = 0;
}

/* Line ends become LF, NUL is left out; in place. */
static size_t clean_text(struct mime_decoder *decoder, char *text, size_t len)
{
    size_t used = 0;

    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        bool second = c == '\n' && decoder->text_cr;

        if (c == '\0' || second) {
            decoder->text_cr = false;
            continue;
        }
        decoder->text_cr = c == '\r';
        text[used++] = c == '\r' ? '\n' : c;
    }
    return used;
}

static size_t read_text(struct mime_decoder *decoder, char *text, size_t room)
{
    size_t taken, given;

    given = charset_convert(&decoder->text, decoder->plain + decoder->plain_at,
                            decoder->plain_bytes - decoder->plain_at, &taken,
                            text, room, decoder->ended);
    decoder->plain_at += taken;
    return clean_text(decoder, text, given);
}

static size_t read_bytes(struct mime_decoder *decoder, void *buffer,
                         size_t room)
{
    size_t bytes = decoder->plain_bytes - decoder->plain_at;

    if (bytes > room)
        bytes = room;
    memcpy(buffer, decoder->plain + decoder->plain_at, bytes);
    decoder->plain_at += bytes;
    return bytes;
}

int mime_decode_read(struct mime_decoder *decoder, void *buffer, size_t room)
{
    for (;;) {
        bool last = decoder->ended;
        size_t given;

        if (decoder->plain_at == decoder->plain_bytes && !last) {
            enum err err = refill(decoder);

            if (err != OK)
                return err;
            last = decoder->ended;
        }
        given = decoder->as_text ? read_text(decoder, buffer, room)
                                 : read_bytes(decoder, buffer, room);
        if (given > 0)
            return (int)given;
        if (last && decoder->plain_at == decoder->plain_bytes &&
            (!decoder->as_text || decoder->text.count == 0))
            return 0;
    }
}
