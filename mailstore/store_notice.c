/* Notices to senders (RFC 3464) as messages of the store: what the relay has
 * written, and between its two halves the original message or its header,
 * copied from the store to the store. */
#include "mailstore/store_internal.h"
#include "mailstore/store_queue.h"
#include <string.h>

#define READ_BYTES ((size_t)4096)

/* A message that is being written; full parts go into the store. */
struct writer {
    struct store *store;
    struct store_delivery delivery;
    uint8_t *part; /* STORE_CHUNK_BYTES */
    size_t used;
};

static enum err append(struct writer *writer, const void *bytes, size_t len)
{
    const uint8_t *from = bytes;

    while (len) {
        size_t room = STORE_CHUNK_BYTES - writer->used;
        size_t part = len < room ? len : room;
        enum err err;

        memcpy(writer->part + writer->used, from, part);
        writer->used += part;
        from += part;
        len -= part;
        /* The last part is the tail: a full one is put when more follows. */
        if (writer->used < STORE_CHUNK_BYTES || len == 0)
            continue;
        err = store_put_chunk(writer->store, writer->delivery.message_id,
                              writer->delivery.chunks, writer->part,
                              writer->used);
        if (err)
            return err;
        writer->delivery.chunks++;
        writer->delivery.chunk_bytes += writer->used;
        writer->used = 0;
    }
    return OK;
}

/* How much of a span belongs to the header: up to and with the empty line's
 * CRLF. newlines: how many line ends without a byte between were seen last. */
static size_t header_part(const uint8_t *bytes, size_t len, unsigned *newlines)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] == '\n')
            ++*newlines;
        else if (bytes[i] != '\r')
            *newlines = 0;
        if (*newlines == 2)
            return i + 1;
    }
    return len;
}

static enum err append_original(struct writer *writer,
                                const struct store_notice *notice, bool full)
{
    uint8_t *buffer = writer->part + STORE_CHUNK_BYTES;
    uint64_t offset = 0;
    unsigned newlines = 0;

    /* A header without end is cut off where the whole message would be. */
    while (newlines < 2 && offset < STORE_RETURN_BYTES) {
        int got = store_message_read(writer->store, notice->original, offset,
                                     buffer, READ_BYTES);
        size_t part;
        enum err err;

        /* The administrator may have removed it meanwhile. */
        if (got == 0 || got == ERR_NOT_FOUND)
            break;
        if (got < 0)
            return (enum err)got;
        part = full ? (size_t)got : header_part(buffer, (size_t)got, &newlines);
        err = append(writer, buffer, part);
        if (err)
            return err;
        offset += part;
    }
    return OK;
}

/* Whether the whole message is returned: not when it is long, and not when it
 * would take the store's last room. */
static bool returns_all(struct store *store, const struct store_notice *notice)
{
    uint8_t byte;
    int beyond = store_message_read(store, notice->original, STORE_RETURN_BYTES,
                                    &byte, 1);

    return notice->full && beyond == 0 &&
           store_room(store) > 2 * STORE_RETURN_BYTES;
}

static enum err write_notice(struct writer *writer,
                             const struct store_notice *notice)
{
    bool full = returns_all(writer->store, notice);
    enum err err = append(writer, notice->head, notice->head_bytes);

    if (!err)
        err = append_original(writer, notice, full);
    if (!err)
        err = append(writer, notice->tail, notice->tail_bytes);
    if (err)
        return err;
    writer->delivery.tail = writer->part;
    writer->delivery.tail_bytes = writer->used;
    return store_deliver(writer->store, &writer->delivery);
}

enum err store_put_notice(struct store *store,
                          const struct store_notice *notice, int64_t now_ms,
                          int64_t *message_id)
{
    struct store_remote remote = {
        .address = notice->remote, .orcpt = "", .notify = STORE_NOTIFY_NEVER};
    struct writer writer = {
        .store = store,
        .delivery = {.message_id = store_reserve_id(store),
                     .sender = "",
                     .received_ms = now_ms,
                     .users = notice->users,
                     .user_count = notice->user_count,
                     .remotes = &remote,
                     .remote_count = notice->user_count == 0,
                     .envid = "",
                     .smtputf8 = notice->smtputf8,
                     .eight_bit = true,
                     .stays = notice->stays,
                     .reserve = true},
        .part = sqlite3_malloc(STORE_CHUNK_BYTES + READ_BYTES),
    };
    enum err err = writer.part ? write_notice(&writer, notice) : ERR_MEMORY;

    sqlite3_free(writer.part);
    *message_id = err ? 0 : writer.delivery.message_id;
    return err;
}
