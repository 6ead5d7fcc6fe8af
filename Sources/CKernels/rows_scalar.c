#include "lanes16_scalar.h"

#include "rows.h"
