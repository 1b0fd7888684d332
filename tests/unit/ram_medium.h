/* A medium in memory that counts, fails and loses power as a test wants. What
 * is written counts as durable only after a flush; ram_medium_cut() decides
 * for each 512-byte sector written since whether it got there. */
#ifndef TESTS_UNIT_RAM_MEDIUM_H
#define TESTS_UNIT_RAM_MEDIUM_H

#include "mailstore/media.h"
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>

struct ram_pending {
    uint64_t sector;
    uint8_t bytes[MEDIA_SECTOR_BYTES];
};

struct ram_medium {
    struct media media; /* must be first */
    uint8_t *content;   /* as reads see it */
    uint8_t *durable;   /* as a power cut would leave it; NULL: not kept */
    struct ram_pending *pending;
    size_t pending_count, pending_room;
    uint64_t reads, writes, flushes, bytes_read, bytes_written;
    uint64_t unaligned;     /* writes that were not whole 4 KiB blocks */
    uint64_t outside;       /* writes outside the allowed ranges */
    uint64_t allowed[2][2]; /* sector ranges; all zero: everywhere */
    enum err fail;          /* what every call answers, if not OK */
    unsigned lying;         /* of 10 flushes, how many do nothing */
    long countdown;         /* calls until the power goes; 0: never */
    jmp_buf *power_off;     /* where to go then */
    uint64_t random;
};

void ram_medium_init(struct ram_medium *medium, uint64_t sectors, bool durable);
void ram_medium_free(struct ram_medium *medium);

/* The power is gone: content becomes what got there; all counters of the cut
 * are cleared. */
void ram_medium_cut(struct ram_medium *medium);

uint32_t ram_random(struct ram_medium *medium);

#endif
