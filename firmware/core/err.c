#include "core/err.h"

const char *err_text(int error)
{
    static const char *const text[] = {
        [-OK] = "no error",
        [-ERR_INVALID] = "malformed input",
        [-ERR_MEMORY] = "out of memory",
        [-ERR_FULL] = "no room left",
        [-ERR_NOT_FOUND] = "not found",
        [-ERR_EXISTS] = "exists already",
        [-ERR_IO] = "device failure",
        [-ERR_GONE] = "device or peer is gone",
        [-ERR_TIMEOUT] = "timed out",
        [-ERR_BUSY] = "busy",
        [-ERR_CORRUPT] = "stored data is damaged",
        [-ERR_VERSION] = "made by another version",
        [-ERR_REFUSED] = "not allowed",
        [-ERR_TOO_BIG] = "over a limit",
        [-ERR_UNSUPPORTED] = "not supported",
        [-ERR_RESET] = "reset by the peer",
    };
    const int count = (int)(sizeof(text) / sizeof(text[0]));

    if (error > 0 || -error >= count)
        return "unknown error";
    return text[-error];
}
