/* What the GEMM tiles of all sets keep to, for the loops above them. sets.c checks it. */
#pragma once

enum {
  /* Columns of a panel, of floats or bytes. */
  PANEL_COLUMNS = 16,
  /* Every set's rows per tile divide this, so a block of a multiple of it is whole tiles of any set. */
  TILE_ROWS = 12,
  /* No set's tile has more columns. */
  TILE_COLUMNS = 32
};
