#if defined(__x86_64__)
#include "lanes16_avx512.h"

#include "rows.h"
#endif
