/* The bytes of a message.
 *
 * Each call sees the store as it is at that moment and keeps no snapshot, so
 * that no reader keeps the WAL from being moved. What makes a sequence of reads
 * cheap is the part of the body that was read last, kept in memory. */
#include "mailstore/store_internal.h"
#include "mailstore/schema.h"
#include "core/bytes.h"
#include <string.h>

struct layout {
    uint64_t bytes;
    uint32_t parts;
    /* Part and place in it of an offset. */
    uint32_t part;
    uint64_t part_start;
};

/* The ends of the parts, where they are not all full ones. */
static enum err find_part(const uint8_t *ends, size_t len, uint64_t offset,
                          struct layout *layout)
{
    uint32_t low = 0, high = layout->parts;

    if (len == 0) {
        layout->part = (uint32_t)(offset / STORE_CHUNK_BYTES);
        layout->part_start = (uint64_t)layout->part * STORE_CHUNK_BYTES;
        return layout->part < layout->parts ? OK : ERR_CORRUPT;
    }
    if (len != layout->parts * sizeof(uint32_t))
        return ERR_CORRUPT;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (get_le32(ends + middle * sizeof(uint32_t)) <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    layout->part = low;
    if (low)
        layout->part_start = get_le32(ends + (low - 1) * sizeof(uint32_t));
    return low < layout->parts ? OK : ERR_CORRUPT;
}

static enum err find_message(struct store *store, int64_t id, uint64_t offset,
                             struct layout *layout)
{
    sqlite3_stmt *statement = store_statement(store, SQL_BODY_FIND);
    enum err err;
    int code;

    if (!statement)
        return store_error(store, sqlite3_errcode(store->db));
    sqlite3_bind_int64(statement, 1, id);
    code = sqlite3_step(statement);
    err = code == SQLITE_DONE ? ERR_NOT_FOUND : store_error(store, code);
    if (!err) {
        layout->bytes = (uint64_t)sqlite3_column_int64(statement, 0);
        layout->parts = (uint32_t)sqlite3_column_int64(statement, 1);
        if (offset < layout->bytes)
            err = find_part(sqlite3_column_blob(statement, 2),
                            (size_t)sqlite3_column_bytes(statement, 2), offset,
                            layout);
    }
    sqlite3_reset(statement);
    return err;
}

/* Memory for a part of a message that is read in several pieces. */
static enum err keep_part(struct store *store, int64_t body_id,
                          const void *bytes, size_t len)
{
    if (!store->part)
        store->part = sqlite3_malloc(STORE_CHUNK_BYTES);
    if (!store->part)
        return ERR_MEMORY;
    memcpy(store->part, bytes, len);
    store->part_bytes = len;
    store->part_id = body_id;
    return OK;
}

/* Brings a part to where it is wanted whole, if it has room there, and else
 * into the connection's buffer. A part never changes and its number is never
 * given again, so that what is there already is right. `whole_bytes` is 0 where
 * it went into the buffer. */
static enum err load_part(struct store *store, int64_t body_id, void *whole,
                          size_t room, size_t *whole_bytes)
{
    sqlite3_stmt *statement;
    const void *bytes;
    size_t len;
    enum err err;
    int code;

    *whole_bytes = 0;
    if (store->part_id == body_id)
        return OK;
    statement = store_statement(store, SQL_BODY_GET);
    if (!statement)
        return store_error(store, sqlite3_errcode(store->db));
    sqlite3_bind_int64(statement, 1, body_id);
    code = sqlite3_step(statement);
    err = code == SQLITE_DONE ? ERR_CORRUPT : store_error(store, code);
    if (!err) {
        bytes = sqlite3_column_blob(statement, 0);
        len = (size_t)sqlite3_column_bytes(statement, 0);
        if (len == 0 || len > STORE_CHUNK_BYTES) {
            err = ERR_CORRUPT;
        } else if (!bytes) {
            err = store_error(store, sqlite3_errcode(store->db));
        } else if (len <= room) {
            memcpy(whole, bytes, len);
            *whole_bytes = len;
        } else {
            err = keep_part(store, body_id, bytes, len);
        }
    }
    sqlite3_reset(statement);
    return err;
}

enum err store_message_head(struct store *store, int64_t message_id,
                            const void **bytes, size_t *len)
{
    struct layout layout = {0};
    size_t whole;
    enum err err = find_message(store, message_id, 0, &layout);

    *bytes = "";
    *len = 0;
    if (err || layout.bytes == 0)
        return err;
    err = load_part(store, message_id << SCHEMA_CHUNK_BITS, NULL, 0, &whole);
    if (err)
        return err;
    *bytes = store->part;
    *len = store->part_bytes;
    return OK;
}

static enum err read_parts(struct store *store, int64_t id,
                           struct layout *layout, uint64_t offset,
                           uint8_t *buffer, size_t bytes)
{
    uint64_t skip = offset - layout->part_start;

    while (bytes) {
        size_t got;
        enum err err;

        if (layout->part >= layout->parts)
            return ERR_CORRUPT;
        err = load_part(store, id << SCHEMA_CHUNK_BITS | layout->part, buffer,
                        skip ? 0 : bytes, &got);
        if (err)
            return err;
        if (got == 0) {
            if (skip >= store->part_bytes)
                return ERR_CORRUPT;
            got = store->part_bytes - (size_t)skip;
            if (got > bytes)
                got = bytes;
            memcpy(buffer, store->part + skip, got);
        }
        buffer += got;
        bytes -= got;
        skip = 0;
        layout->part++;
    }
    return OK;
}

int store_message_read(struct store *store, int64_t message_id, uint64_t offset,
                       void *buffer, size_t bytes)
{
    struct layout layout = {0};
    enum err err = find_message(store, message_id, offset, &layout);

    if (err)
        return err;
    if (offset >= layout.bytes)
        return 0;
    if (bytes > layout.bytes - offset)
        bytes = (size_t)(layout.bytes - offset);
    if (bytes > INT32_MAX)
        bytes = INT32_MAX;
    err = read_parts(store, message_id, &layout, offset, buffer, bytes);
    return err ? (int)err : (int)bytes;
}
