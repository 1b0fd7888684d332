/* The stick itself, for page jobs and queries that read or write beside the
 * store's files. */
#ifndef STORE_ST_STICK_H
#define STORE_ST_STICK_H

#include "mailstore/media.h"

/* st_stick_take - waits until nobody else has it, since fat32.c is for one at a
 * time, and gives the medium that the store lies on. Its calls end with
 * ERR_GONE once the stick was pulled. One st_stick_give_back() for each. */
struct media *st_stick_take(void);
void st_stick_give_back(void);

#endif
