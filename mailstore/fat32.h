/* FAT32 as far as it is needed: find the first partition, find a file by its
 * name, check that it is contiguous, make or replace a preallocated contiguous
 * file, exchange files. One at a time: the buffers are shared. Microsoft "FAT:
 * General Overview of On-Disk Format" 1.03. */
#ifndef MAILSTORE_FAT32_H
#define MAILSTORE_FAT32_H

#include "core/err.h"
#include "mailstore/media.h"
#include <stdint.h>

struct fat32 {
    struct media *media;
    uint64_t partition_sector; /* absolute */
    uint64_t partition_sectors;
    uint64_t fat_sector;  /* absolute, of the first FAT */
    uint32_t fat_sectors; /* of one FAT */
    uint32_t fat_count;
    uint64_t data_sector; /* absolute, of cluster 2 */
    uint32_t cluster_count;
    uint32_t root_cluster;
    uint32_t cluster_sectors;
    uint32_t volume_id;
};

/* A contiguous file on the medium. */
struct fat32_file {
    uint64_t sector;  /* absolute */
    uint64_t bytes;   /* as in the directory entry */
    uint64_t sectors; /* allocated */
};

/* fat32_mount - reads MBR (or a bare volume) and boot sector of the first
 * FAT32 partition. Returns OK, ERR_NOT_FOUND (no FAT32 there), ERR_CORRUPT, or
 * the medium's error. */
enum err fat32_mount(struct fat32 *fat, struct media *media) MUST_CHECK;

/* fat32_enter - a folder of the directory that `fat` stands for, for all
 * functions that follow; `fat` itself stands for the root directory. Returns
 * OK, ERR_NOT_FOUND, ERR_CORRUPT, or the medium's error. */
enum err fat32_enter(struct fat32 *fat, const char *name,
                     struct fat32 *folder) MUST_CHECK;

/* fat32_find - a file in the directory, by its 8.3 or long name, caseless.
 * A file of no bytes has sector 0. With ERR_CORRUPT file->bytes is set when the
 * file is there. Returns OK, ERR_NOT_FOUND, ERR_CORRUPT (not contiguous, chain
 * damaged), or the medium's error. */
enum err fat32_find(struct fat32 *fat, const char *name,
                    struct fat32_file *file) MUST_CHECK;

/* fat32_create - makes a contiguous file of `bytes` in the directory, or
 * re-makes it when it exists with another size or is fragmented; its content
 * is whatever lies there, but for the first 4 KiB, which are zeroed. A long
 * name that does not fit 8.3 gets its LFN entries. The data area
 * is not written otherwise. The order of writes leaves a valid file system at
 * any cut. Returns OK, ERR_FULL (no such contiguous run) or an error. */
enum err fat32_create(struct fat32 *fat, const char *name, uint64_t bytes,
                      struct fat32_file *file) MUST_CHECK;

/* fat32_relocate - makes a new contiguous file of `bytes`, at least as large as
 * the one of that name, with the same content at its beginning, in its place.
 * For a file that a workstation has left fragmented or too small. Returns OK,
 * ERR_NOT_FOUND, ERR_FULL or an error; then the old file is as it was. */
enum err fat32_relocate(struct fat32 *fat, const char *name, uint64_t bytes,
                        struct fat32_file *file) MUST_CHECK;

/* fat32_grow - lengthens a contiguous file in its place to `bytes`, or as far
 * as the clusters behind it are free. */
enum err fat32_grow(struct fat32 *fat, const char *name, uint64_t bytes,
                    struct fat32_file *file) MUST_CHECK;

/* fat32_rotate - each of the files gets the content of the next one, the last
 * one that of the first, by one write of one sector: a power cut leaves all as
 * they were, or all changed. What is written before is to be flushed before.
 * Returns OK, ERR_NOT_FOUND (one of them is not there), ERR_UNSUPPORTED (their
 * names do not stand in one sector), or the medium's error. dry: only looks
 * whether it can be done. */
enum err fat32_rotate(struct fat32 *fat, const char *const names[],
                      unsigned count, bool dry) MUST_CHECK;

/* fat32_free_run - bytes in the longest contiguous run of free clusters. */
enum err fat32_free_run(struct fat32 *fat, uint64_t *bytes) MUST_CHECK;

#endif
