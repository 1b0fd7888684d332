/* The ring of waiting lines: see log_queue.h. */
#include "core/log_queue.h"
#include "core/memory.h"
#include <string.h>

static struct log_record *record_at(const struct log_queue *queue,
                                    uint64_t position)
{
    return (struct log_record *)(void *)(queue->memory +
                                         position % queue->bytes);
}

/* Room for a record of so many bytes in one piece, or NULL. What is left of the
 * ring's end is a multiple of 8, enough for `bytes` and `len` of a head. */
static struct log_record *make_room(struct log_queue *queue, size_t bytes)
{
    size_t to_end = queue->bytes - (size_t)(queue->head % queue->bytes);
    size_t skip = to_end < bytes ? to_end : 0;
    struct log_record *record;

    if (queue->head + skip + bytes - queue->tail > queue->bytes)
        return NULL;
    if (skip > 0) {
        record = record_at(queue, queue->head);
        record->bytes = (uint32_t)skip;
        record->len = 0;
        queue->head += skip;
    }
    record = record_at(queue, queue->head);
    record->bytes = (uint32_t)bytes;
    queue->head += bytes;
    return record;
}

bool log_queue_put(struct log_queue *queue, const struct log_entry *entry)
{
    size_t bytes = (sizeof(struct log_record) + entry->len + 7) & ~(size_t)7;
    struct log_record *record;
    size_t name;

    if (entry->len == 0)
        return true;
    record = make_room(queue, bytes);
    if (record == NULL) {
        queue->lost++;
        return false;
    }
    record->len = (uint16_t)entry->len;
    record->level = (uint8_t)entry->level;
    record->time_ms = entry->time_ms;
    record->mail_id = entry->mail_id;
    name = strnlen(entry->module, sizeof(record->module) - 1);
    memcpy(record->module, entry->module, name);
    record->module[name] = '\0';
    memcpy(record->text, entry->text, entry->len);
    return true;
}

const struct log_record *log_queue_next(const struct log_queue *queue,
                                        uint64_t *position)
{
    while (*position != queue->head) {
        const struct log_record *record = record_at(queue, *position);

        *position += record->bytes;
        if (record->len > 0)
            return record;
    }
    return NULL;
}

void log_queue_drop(struct log_queue *queue, uint64_t position)
{
    queue->tail = position;
}

uint64_t log_queue_lines(const struct log_queue *queue, uint64_t position)
{
    uint64_t at = queue->tail;
    uint64_t lines = 0;

    while (at < position && log_queue_next(queue, &at) != NULL)
        lines++;
    return lines;
}

enum err log_queue_init(struct log_queue *queue, size_t bytes)
{
    memset(queue, 0, sizeof(*queue));
    queue->bytes = bytes;
    queue->memory = memory_take("log", bytes, 64);
    return queue->memory != NULL ? OK : ERR_MEMORY;
}
