#if defined(__x86_64__)
#include "lanes16_sse41.h"

#include "rows.h"
#endif
