/* Between the parts of FAT32: table (clusters) and directory (names). */
#ifndef MAILSTORE_FAT32_TABLE_H
#define MAILSTORE_FAT32_TABLE_H

#include "core/bytes.h"
#include "mailstore/fat32.h"

#define FAT32_FREE 0u
#define FAT32_END  0x0ffffff8u
#define FAT32_MASK 0x0fffffffu

/* fat32_next - what the table says of a cluster (28 bits). */
enum err fat32_next(struct fat32 *fat, uint32_t cluster,
                    uint32_t *value) MUST_CHECK;

bool fat32_cluster_valid(const struct fat32 *fat, uint32_t cluster);

/* fat32_run_length - how many clusters of a chain, at most `limit`, follow each
 * other without a gap from `first`; *next: the cluster, or end mark, behind. */
enum err fat32_run_length(struct fat32 *fat, uint32_t first, uint32_t limit,
                          uint32_t *length, uint32_t *next) MUST_CHECK;

/* fat32_find_free - the first run of at least `wanted` free clusters from
 * `start` on, resp. (wanted 0) the longest one. ERR_FULL: there is none. */
enum err fat32_find_free(struct fat32 *fat, uint32_t wanted, uint32_t *first,
                         uint32_t *length) MUST_CHECK;

/* fat32_free_from - how many clusters from `first` on, at most `limit`, are
 * free. */
enum err fat32_free_from(struct fat32 *fat, uint32_t first, uint32_t limit,
                         uint32_t *length) MUST_CHECK;

/* fat32_link - makes a chain of `count` following clusters that ends in `end`,
 * in every copy of the table. */
enum err fat32_link(struct fat32 *fat, uint32_t first, uint32_t count,
                    uint32_t end) MUST_CHECK;

/* fat32_release - frees a chain. */
enum err fat32_release(struct fat32 *fat, uint32_t first) MUST_CHECK;

/* fat32_write_info - the number of free clusters for FSInfo is not known any
 * more after a change: workstations count it again. */
enum err fat32_forget_info(struct fat32 *fat) MUST_CHECK;

#define FAT32_ENTRY_BYTES      32
#define FAT32_ATTRIBUTE_FOLDER 0x10

/* Where a name stands, and what it names. */
struct fat32_place {
    uint64_t sector; /* of the short entry */
    unsigned index;  /* in that sector */
    uint32_t first;  /* first cluster, 0: none */
    uint32_t bytes;
};

/* fat32_find_entry - the entry of a file, or of a folder. */
enum err fat32_find_entry(struct fat32 *fat, const char *name, bool folder,
                          struct fat32_place *place) MUST_CHECK;

/* In a sector of a directory. */
static inline void fat32_set_entry(uint8_t *sector, unsigned index,
                                   uint32_t first, uint32_t bytes)
{
    uint8_t *entry = sector + index * FAT32_ENTRY_BYTES;

    put_le16(entry + 20, (uint16_t)(first >> 16));
    put_le16(entry + 26, (uint16_t)first);
    put_le32(entry + 28, bytes);
}

static inline uint64_t fat32_sector_of(const struct fat32 *fat,
                                       uint32_t cluster)
{
    return fat->data_sector + (uint64_t)(cluster - 2) * fat->cluster_sectors;
}

static inline uint64_t fat32_cluster_bytes(const struct fat32 *fat)
{
    return (uint64_t)fat->cluster_sectors * MEDIA_SECTOR_BYTES;
}

#endif
