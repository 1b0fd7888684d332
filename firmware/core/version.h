/* Which Barepost this is. */
#ifndef CORE_VERSION_H
#define CORE_VERSION_H

#define VERSION_NUMBER "0.1"

/* version_build - the commit it was built from and its date; "-dirty" stands
 * behind when files differed from it. */
const char *version_build(void);

#endif
