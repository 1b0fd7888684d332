/* Computes the geometry of a stick and fills its first sector. */
#include "mkusb/layout.h"
#include <string.h>

#define MIB 1048576ull
#define GIB (1024 * MIB)

/* Usual for FAT32: boot sectors and their copies. mformat takes no more than
 * 255, so that a large alignment is reached by longer FATs. */
#define RESERVED         32
#define FAT_ENTRIES      (LAYOUT_SECTOR_BYTES / 4)
#define PAGE_SECTORS     8
#define PARTITION_FAT32  0x0C /* FAT32 addressed by LBA */
#define PARTITION_ACTIVE 0x80

static uint64_t round_up(uint64_t value, uint64_t unit)
{
    return (value + unit - 1) / unit * unit;
}

/* Microsoft's default cluster sizes, in sectors; small sticks go below. */
static uint32_t usual_cluster_sectors(uint64_t stick_bytes)
{
    if (stick_bytes <= 8 * GIB)
        return 8;
    if (stick_bytes <= 16 * GIB)
        return 16;
    return stick_bytes <= 32 * GIB ? 32 : 64;
}

static enum err try_cluster_size(struct layout *layout, uint32_t sectors,
                                 uint64_t alignment)
{
    uint64_t entries = layout->partition_sectors / sectors + 2;
    uint64_t fat = (entries + FAT_ENTRIES - 1) / FAT_ENTRIES;
    uint64_t before = round_up(RESERVED + 2 * fat, alignment);
    uint64_t clusters;

    if (before >= layout->partition_sectors)
        return ERR_FULL;
    clusters = (layout->partition_sectors - before) / sectors;
    if (clusters < LAYOUT_CLUSTERS_MIN || clusters > LAYOUT_CLUSTERS_MAX)
        return ERR_FULL;
    layout->cluster_sectors = sectors;
    layout->fat_sectors = (uint32_t)((before - RESERVED) / 2);
    layout->reserved_sectors = RESERVED;
    layout->cluster_count = (uint32_t)clusters;
    layout->data_sector = layout->partition_sector + before;
    return OK;
}

enum err layout_plan(uint64_t stick_bytes, struct layout *layout)
{
    uint64_t sectors = stick_bytes / LAYOUT_SECTOR_BYTES;
    uint64_t alignment =
        stick_bytes >= GIB ? MIB / LAYOUT_SECTOR_BYTES : PAGE_SECTORS;

    if (sectors > UINT32_MAX)
        sectors = UINT32_MAX;
    if (sectors <= LAYOUT_FIRST_SECTOR)
        return ERR_FULL;
    layout->partition_sector = LAYOUT_FIRST_SECTOR;
    layout->partition_sectors =
        (sectors - LAYOUT_FIRST_SECTOR) / PAGE_SECTORS * PAGE_SECTORS;
    for (uint32_t c = usual_cluster_sectors(stick_bytes); c > 0; c /= 2)
        if (try_cluster_size(layout, c, alignment) == OK)
            return OK;
    return ERR_FULL;
}

uint64_t layout_bytes_min(uint64_t content)
{
    uint64_t bytes = round_up(content + MIB, MIB);
    struct layout layout;

    while (layout_plan(bytes, &layout) != OK || (uint64_t)layout.cluster_count *
                                                        layout.cluster_sectors *
                                                        LAYOUT_SECTOR_BYTES <
                                                    content)
        bytes += MIB;
    return bytes;
}

static void put_le32(uint8_t *at, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

/* Cylinder, head, sector of an LBA in the INT 13h translation; what does not
 * fit is marked by the largest address, as all partitioning tools do. */
static void put_chs(uint8_t *at, uint64_t lba)
{
    uint64_t cylinder = lba / (LAYOUT_HEADS * LAYOUT_TRACK_SECTORS);
    uint64_t head = lba / LAYOUT_TRACK_SECTORS % LAYOUT_HEADS;
    uint64_t sector = lba % LAYOUT_TRACK_SECTORS + 1;

    if (cylinder > 1023) {
        cylinder = 1023;
        head = LAYOUT_HEADS - 1;
        sector = LAYOUT_TRACK_SECTORS;
    }
    at[0] = (uint8_t)head;
    at[1] = (uint8_t)(sector | (cylinder >> 8 << 6));
    at[2] = (uint8_t)cylinder;
}

void layout_fill_mbr(const struct layout *layout, const uint8_t *boot_code,
                     uint32_t signature, uint8_t sector[LAYOUT_SECTOR_BYTES])
{
    uint8_t *entry = sector + 446;
    uint64_t last = layout->partition_sector + layout->partition_sectors - 1;

    memset(sector, 0, LAYOUT_SECTOR_BYTES);
    memcpy(sector, boot_code, LAYOUT_BOOT_CODE_BYTES);
    put_le32(sector + 440, signature);
    entry[0] = PARTITION_ACTIVE;
    put_chs(entry + 1, layout->partition_sector);
    entry[4] = PARTITION_FAT32;
    put_chs(entry + 5, last);
    put_le32(entry + 8, (uint32_t)layout->partition_sector);
    put_le32(entry + 12, (uint32_t)layout->partition_sectors);
    sector[510] = 0x55;
    sector[511] = 0xAA;
}
