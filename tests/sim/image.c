/* Stick images: see image.h.
 *
 * The data area begins with random bytes, as on a stick that was in use: what
 * has not been written must not be taken for a store. */
#include "tests/sim/image.h"
#include "core/bytes.h"
#include "core/random.h"
#include "mailstore/store.h"
#include "tests/sim/dialogue.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PARTITION       2048u
#define CLUSTER_SECTORS 8u
#define RESERVED        32u
#define ROOT_CLUSTER    2u
#define GARBAGE_BYTES   (24u << 20)
#define HEAP_BYTES      (8u << 20)

/* It is not what is under test here. */
const char sim_image_hash[] =
    "$argon2id$v=19$m=256,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$"
    "RzbQ8BOKmwB/Rs14QaU0WHFf8kBHxdxnhDtPeb88GYA";

/* ---- FAT32 ------------------------------------------------------------- */

static uint32_t fat_sectors(uint32_t sectors)
{
    uint32_t clusters = sectors / CLUSTER_SECTORS;

    return (clusters + 2) * 4 / MACHINE_SECTOR_BYTES + 1;
}

static void write_boot_sector(struct sim_medium *medium, uint32_t sectors)
{
    uint8_t sector[MACHINE_SECTOR_BYTES] = {0xeb, 0x58, 0x90};

    memcpy(sector + 3, "BAREPOST", 8);
    put_le16(sector + 11, MACHINE_SECTOR_BYTES);
    sector[13] = CLUSTER_SECTORS;
    put_le16(sector + 14, RESERVED);
    sector[16] = 2;
    sector[21] = 0xf8;
    put_le16(sector + 24, 63);
    put_le16(sector + 26, 255);
    put_le32(sector + 28, PARTITION);
    put_le32(sector + 32, sectors);
    put_le32(sector + 36, fat_sectors(sectors));
    put_le32(sector + 44, ROOT_CLUSTER);
    put_le16(sector + 48, 1); /* FSInfo */
    put_le16(sector + 50, 6); /* backup */
    sector[64] = 0x80;
    sector[66] = 0x29;
    put_le32(sector + 67, 0x5eed5eed);
    memcpy(sector + 71, "BAREPOST   FAT32   ", 19);
    put_le16(sector + 510, 0xaa55);
    sim_medium_write(medium, PARTITION, 1, sector);
    sim_medium_write(medium, PARTITION + 6, 1, sector);
    memset(sector, 0, sizeof(sector));
    put_le32(sector, 0x41615252);
    put_le32(sector + 484, 0x61417272);
    put_le32(sector + 488, 0xffffffff);
    put_le32(sector + 492, 0xffffffff);
    put_le32(sector + 508, 0xaa550000);
    sim_medium_write(medium, PARTITION + 1, 1, sector);
    sim_medium_write(medium, PARTITION + 7, 1, sector);
}

static void format(struct sim_medium *medium)
{
    uint32_t sectors = (uint32_t)medium->sectors - PARTITION;
    uint32_t data = PARTITION + RESERVED + 2 * fat_sectors(sectors);
    uint8_t sector[MACHINE_SECTOR_BYTES] = {0};
    uint8_t *entry = sector + 446;
    struct sim_random random;

    entry[4] = 0x0c;
    put_le32(entry + 8, PARTITION);
    put_le32(entry + 12, sectors);
    put_le16(sector + 510, 0xaa55);
    sim_medium_write(medium, 0, 1, sector);
    write_boot_sector(medium, sectors);
    memset(sector, 0, sizeof(sector));
    put_le32(sector, 0x0ffffff8);
    put_le32(sector + 4, 0x0fffffff);
    put_le32(sector + 8, 0x0fffffff); /* the root directory */
    for (uint32_t i = 0; i < 2; i++)
        sim_medium_write(
            medium, PARTITION + RESERVED + i * fat_sectors(sectors), 1, sector);
    sim_random_init(&random, 1, "garbage", 0);
    for (uint32_t i = CLUSTER_SECTORS; i < GARBAGE_BYTES / sizeof(sector);
         i++) {
        sim_random_fill(&random, sector, sizeof(sector));
        sim_medium_write(medium, data + i, 1, sector);
    }
}

/* ---- The store, by mailstore -------------------------------------------- */

struct host_media {
    struct media media;
    uint8_t *bytes;
    struct sim_medium *medium; /* NULL: a private view, written directly */
    int entropy;               /* another one for each image */
};

static enum err host_read(struct media *media, uint64_t sector, uint32_t count,
                          void *buffer)
{
    struct host_media *host = (struct host_media *)(void *)media;

    if (sector > media->sectors || count > media->sectors - sector)
        return ERR_INVALID;
    memcpy(buffer, host->bytes + sector * MEDIA_SECTOR_BYTES,
           (size_t)count * MEDIA_SECTOR_BYTES);
    return OK;
}

static enum err host_write(struct media *media, uint64_t sector, uint32_t count,
                           const void *buffer)
{
    struct host_media *host = (struct host_media *)(void *)media;

    if (sector > media->sectors || count > media->sectors - sector)
        return ERR_INVALID;
    if (host->medium != NULL)
        sim_medium_write(host->medium, sector, count, buffer);
    else
        memcpy(host->bytes + sector * MEDIA_SECTOR_BYTES, buffer,
               (size_t)count * MEDIA_SECTOR_BYTES);
    return OK;
}

static enum err host_flush(struct media *media)
{
    (void)media;
    return OK;
}

static int64_t host_clock(void)
{
    return 1767225600000ll;
}

static void must(enum err err, const char *what)
{
    if (err != OK)
        sim_fail("%s: %s", what, err_text(err));
}

static void start_host(struct host_media *host, uint64_t sectors)
{
    void *heap = malloc(HEAP_BYTES);

    sim_machine_entropy((uint64_t)host->entropy);
    random_module_init();
    host->media.read = host_read;
    host->media.write = host_write;
    host->media.flush = host_flush;
    host->media.sectors = sectors;
    if (heap == NULL)
        sim_fail("no memory for a store");
    must(store_module_init(heap, HEAP_BYTES, host_clock), "store_module_init");
}

static void add_users(struct store *store)
{
    for (unsigned i = 0; i < SIM_USERS; i++) {
        struct user user = {.enabled = true, .admin = i == 0};

        snprintf(user.name, sizeof(user.name), "user%u", i);
        snprintf(user.full_name, sizeof(user.full_name), "User %u", i);
        snprintf(user.hash, sizeof(user.hash), "%s", sim_image_hash);
        must(store_user_add(store, &user), "store_user_add");
    }
}

struct making {
    struct sim_medium *medium;
    const struct sim_image_options *options;
};

static void make_store(void *context)
{
    struct making *making = context;
    struct host_media host = {.bytes = making->medium->durable,
                              .medium = making->medium,
                              .entropy = making->medium->fd};
    struct store_place place;
    struct store *store;

    start_host(&host, making->medium->sectors);
    must(store_locate(&host.media, making->options->database_bytes, &place),
         "store_locate");
    must(store_create(&place), "store_create");
    must(store_open(&place, true, &store), "store_open");
    must(store_setting_put(store, "hostname", "mail." SIM_DOMAIN), "hostname");
    must(store_setting_put(store, "domains", SIM_DOMAIN), "domains");
    must(store_setting_put(store, "address",
                           making->options->dhcp ? "dhcp" : "10.0.0.2/24"),
         "address");
    must(store_setting_put(store, "gateway", "10.0.0.1"), "gateway");
    add_users(store);
    if (making->options->fill != NULL)
        making->options->fill(store);
    must(store_checkpoint(store), "store_checkpoint");
    store_close(store);
    if (making->options->version != NULL) {
        /* The version is in SQLite's header: user_version, offset 60. */
        uint8_t sector[MACHINE_SECTOR_BYTES];

        must(host_read(&host.media, place.database_sector, 1, sector), "read");
        put_be32(sector + 60, (uint32_t)atoi(making->options->version));
        must(host_write(&host.media, place.database_sector, 1, sector),
             "write");
    }
}

void sim_image_make(struct sim_image *image,
                    const struct sim_image_options *options)
{
    uint32_t sectors =
        options->sectors != 0 ? options->sectors : SIM_IMAGE_SECTORS;
    struct making making;

    image->original = sim_medium_make(sectors);
    image->medium = sim_medium_make(sectors);
    format(image->original);
    making.medium = image->original;
    making.options = options;
    if (!options->no_store && !sim_child(make_store, &making)) {
        fprintf(stderr, "cannot make a store: %s\n", sim_shared->why);
        exit(2);
    }
    memcpy(image->medium->changed, image->original->changed,
           (size_t)sectors * MACHINE_SECTOR_BYTES / 4096);
    sim_image_restore(image);
}

void sim_image_restore(struct sim_image *image)
{
    sim_medium_restore(image->medium, image->original);
}

void sim_image_save(const struct sim_image *image)
{
    FILE *file;

    if (sim_options.image == NULL)
        return;
    file = fopen(sim_options.image, "wb");
    if (file == NULL ||
        fwrite(image->medium->durable, MACHINE_SECTOR_BYTES,
               image->medium->sectors, file) != image->medium->sectors)
        perror(sim_options.image);
    if (file != NULL)
        fclose(file);
}

/* ---- Check ------------------------------------------------------------- */

struct looking {
    const struct sim_image *image;
    void (*look)(struct store *store);
};

static void open_and_look(void *context)
{
    const struct looking *looking = context;
    const struct sim_image *image = looking->image;
    struct host_media host = {.medium = NULL};
    struct store_place place;
    struct store *store;

    host.bytes =
        mmap(NULL, (size_t)image->medium->sectors * MACHINE_SECTOR_BYTES,
             PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE,
             image->medium->fd, 0);
    if (host.bytes == MAP_FAILED)
        sim_fail("no memory for a store's check");
    start_host(&host, image->medium->sectors);
    must(store_locate(&host.media, 0, &place), "check: store_locate");
    must(store_open(&place, true, &store), "check: store_open");
    looking->look(store);
    store_close(store);
}

bool sim_image_look(const struct sim_image *image,
                    void (*look)(struct store *store))
{
    struct looking looking = {image, look};

    return sim_child(open_and_look, &looking);
}

static void check_store(struct store *store)
{
    char finding[512];

    if (store_check(store, finding, sizeof(finding)) != OK)
        sim_fail("store_check: %s", finding);
    sim_shared->checks++;
}

bool sim_image_check(const struct sim_image *image)
{
    return sim_image_look(image, check_store);
}
