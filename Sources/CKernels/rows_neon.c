#if defined(__aarch64__)
#include "lanes16_neon.h"

#include "rows.h"
#endif
