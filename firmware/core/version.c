/* The build's name comes from the Makefile. */
#include "core/version.h"

#if __has_include("build/version.h")
#include <build/version.h>
#else
#define BUILD_ID "unknown"
#endif

const char *version_build(void)
{
    return BUILD_ID;
}
