/* Stick images with a store, made by mailstore's own code on a medium that is
 * formatted here. */
#ifndef SIM_IMAGE_H
#define SIM_IMAGE_H

#include "mailstore/store.h"
#include "tests/sim/stick.h"

/* 272 MiB: the smallest FAT32 with clusters of 4 KiB, as mkusb makes them. Only
 * what is written takes memory. */
#define SIM_IMAGE_SECTORS 557056u

struct sim_image_options {
    bool dhcp; /* else SIM_AO_IP, static */
    bool no_store;
    uint64_t database_bytes;
    const char *version; /* written over the store's own; NULL: left */
    uint32_t sectors;    /* 0: SIM_IMAGE_SECTORS */
    void (*fill)(struct store *store); /* puts in what else there shall be */
};

/* A template and the copy that runs work on. */
struct sim_image {
    struct sim_medium *original, *medium;
};

/* argon2id of SIM_PASSWORD at the least cost there is. */
extern const char sim_image_hash[];

/* sim_image_make - in the parent, once. */
void sim_image_make(struct sim_image *image,
                    const struct sim_image_options *options);

/* sim_image_restore - as it was made. */
void sim_image_restore(struct sim_image *image);

/* sim_image_save - writes what is durable into the file of --image, if any. */
void sim_image_save(const struct sim_image *image);

/* sim_image_look - opens the store in a process of its own, on a private view
 * of the medium, and shows it. Returns whether look() came back. */
bool sim_image_look(const struct sim_image *image,
                    void (*look)(struct store *store));

/* sim_image_check - opens the store in a process of its own, on a private view
 * of the medium, and runs store_check(). Returns whether it passed. */
bool sim_image_check(const struct sim_image *image);

#endif
