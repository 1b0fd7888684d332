#include "net/dhcp.h"
