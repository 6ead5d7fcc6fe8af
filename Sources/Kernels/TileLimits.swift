import CKernels

/// What the GEMM tiles of all instruction sets keep to (`tiles.h`, where it is checked for every set).
enum TileLimits {
  /// Rows that every set's tile height divides: a block of a multiple of it is whole tiles of any set.
  static var rows: Int { Int(TILE_ROWS) }
  /// The most columns that a set's tile has; a multiple of a panel's.
  static var columns: Int { Int(TILE_COLUMNS) }
  /// Columns of a panel, of floats or bytes.
  static var panelColumns: Int { Int(PANEL_COLUMNS) }

  /// Panels for some columns, the last one filled up.
  static func panels(_ columns: Int) -> Int { (columns + panelColumns - 1) / panelColumns }
}
