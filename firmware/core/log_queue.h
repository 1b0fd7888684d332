/* Log lines that wait for a sink to carry them on: records in a ring of fixed
 * size, each in one piece. When it is full, lines are lost and counted. */
#ifndef CORE_LOG_QUEUE_H
#define CORE_LOG_QUEUE_H

#include "core/err.h"
#include "core/log.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_MODULE_BYTES 16

struct log_record {
    uint32_t bytes; /* with this head; a multiple of 8 */
    uint16_t len;   /* of text; 0: only fills the ring's end */
    uint8_t level;
    int64_t time_ms, mail_id;
    char module[LOG_MODULE_BYTES];
    char text[]; /* not NUL-terminated */
};

struct log_queue {
    uint8_t *memory;
    size_t bytes;
    uint64_t head, tail; /* counted from the start on, never wrapped */
    uint64_t lost;
};

/* log_queue_init - bytes: a multiple of 8, more than the longest record.
 * Returns OK or ERR_MEMORY. */
enum err log_queue_init(struct log_queue *queue, size_t bytes) MUST_CHECK;

/* log_queue_put - copies a line in. Returns false when it was lost; a line
 * without text is left out. */
bool log_queue_put(struct log_queue *queue, const struct log_entry *entry);

/* log_queue_next - the line at *position, which begins with queue->tail, and
 * moves *position behind it; NULL when there are no more. It stays until
 * log_queue_drop() of a position behind it. */
const struct log_record *log_queue_next(const struct log_queue *queue,
                                        uint64_t *position);
void log_queue_drop(struct log_queue *queue, uint64_t position);

/* log_queue_lines - how many lines lie before a position. */
uint64_t log_queue_lines(const struct log_queue *queue, uint64_t position);

static inline bool log_queue_empty(const struct log_queue *queue)
{
    return queue->head == queue->tail;
}

#endif
