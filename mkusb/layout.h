/* How a stick is divided: MBR, one FAT32 partition, its geometry.
 *
 *   sector 0      MBR: boot code, disk signature, one active entry, type 0x0C
 *   sector 2048   partition (1 MiB): reserved sectors, two FATs, data area
 *
 * The data area begins on a 4 KiB boundary (from 1 GiB on: 1 MiB), so that the
 * store's pages do not straddle the flash's. Microsoft FAT 1.03, 3.5: a volume
 * is FAT32 exactly when it has 65525 clusters or more. */
#ifndef MKUSB_LAYOUT_H
#define MKUSB_LAYOUT_H

#include "core/err.h"
#include <stdint.h>

#define LAYOUT_SECTOR_BYTES    512
#define LAYOUT_FIRST_SECTOR    2048
#define LAYOUT_HEADS           255
#define LAYOUT_TRACK_SECTORS   63
#define LAYOUT_CLUSTERS_MIN    65525
#define LAYOUT_CLUSTERS_MAX    0x0FFFFFF4
#define LAYOUT_BOOT_CODE_BYTES 440

struct layout {
    uint64_t partition_sector, partition_sectors;
    uint32_t cluster_sectors;
    uint32_t reserved_sectors;
    uint32_t fat_sectors; /* of each of the two */
    uint32_t cluster_count;
    uint64_t data_sector; /* absolute, of cluster 2 */
};

/* layout_plan - the geometry for a stick of that size. What a larger stick has
 * beyond the MBR's 2 TiB stays unused.
 * Returns OK, or ERR_FULL when it is too small for FAT32. */
enum err layout_plan(uint64_t stick_bytes, struct layout *layout) MUST_CHECK;

/* layout_bytes_min - the smallest stick whose data area holds `content` bytes
 * in files; a multiple of 1 MiB. */
uint64_t layout_bytes_min(uint64_t content);

/* layout_fill_mbr - the first sector. boot_code: LAYOUT_BOOT_CODE_BYTES. */
void layout_fill_mbr(const struct layout *layout, const uint8_t *boot_code,
                     uint32_t signature, uint8_t sector[LAYOUT_SECTOR_BYTES]);

#endif
