import Tensors

/// What is known of a drawn mask once it has been read, for what its owner should be told.
public struct MaskFacts: Sendable, Equatable {
  /// Pixels of the mask itself.
  public var extent: Extent
  /// Of all its pixels.
  public var lowest: UInt8
  public var highest: UInt8
  /// The mask is the file's transparency: its colours say nothing.
  public var comesFromAlpha: Bool

  /// All of the picture may change.
  public var isAllWhite: Bool { lowest == 255 }
  /// Nothing may change.
  public var isAllBlack: Bool { highest == 0 }

  /// The aspect ratio is not that of the picture: a side differs by more than a pixel, and by more than 1 %, from
  /// what it would be.
  public func isStretched(over picture: Extent) -> Bool {
    let width = Double(picture.width) * Double(extent.height) / Double(picture.height)
    let difference = abs(Double(extent.width) - width)
    // One pixel of either side, in columns of the mask.
    let pixel = max(1, Double(picture.width) / Double(picture.height))
    return difference > pixel && difference > 0.01 * width
  }
}

extension Geometry {
  /// A mask of any size laid over the picture, at the size of the latent, made in one pass over the mask.
  public func latentMask(
    reading source: some MaskSource, _ rule: MaskRule
  ) throws -> (mask: Mask, facts: MaskFacts) {
    let rows = SurveyedRows(try source.pass())
    let mask =
      switch rule {
      case .nearest: try nearestMask(rows, of: source.extent)
      case .soft, .gradual: try softMask(rows, of: source.extent)
      case .majority: try softMask(rows, of: source.extent).binarized()
      }
    let facts = MaskFacts(
      extent: source.extent, lowest: rows.lowest, highest: rows.highest, comesFromAlpha: source.comesFromAlpha
    )
    return (mask, facts)
  }

  /// What `latentMask` takes beside its result and the source's `passBytes`.
  public func latentMaskBytes(of mask: Extent, _ rule: MaskRule) -> Int {
    let latent = Extent(width: latentWidth, height: latentHeight)
    let row = mask.width
    guard rule != .nearest else { return row }
    return row + AreaMeans.bytes(from: mask, to: content) + AreaMeans.bytes(from: padded, to: latent)
      + MemoryLayout<Double>.size * (content.width + latentWidth)
      + (rule == .majority ? MemoryLayout<Float>.size * latentWidth * latentHeight : 0)
  }

  /// A mask of any size laid over the picture, at the size of the latent.
  public func latentMask(_ mask: MaskPicture, _ rule: MaskRule) -> Mask {
    inMemory { try latentMask(reading: mask, rule).mask }
  }

  /// 1 where the upper left working pixel of a cell is at least half white.
  private func nearestMask(_ rows: SurveyedRows, of mask: Extent) throws -> Mask {
    var latent = Mask(height: latentHeight, width: latentWidth, repeating: 0)
    var line = [UInt8](repeating: 0, count: mask.width)
    var read = 0
    /// The mask's pixel under the first working pixel of a cell; the padding repeats the last of the content.
    func source(_ cell: Int, _ content: Int, _ mask: Int) -> Int {
      min(cell * pixelsPerLatent, content - 1) * mask / content
    }
    for i in 0..<latentHeight {
      let wanted = source(i, content.height, mask.height)
      while read <= wanted {
        try line.withUnsafeMutableBufferPointer { try rows.next(into: $0) }
        read += 1
      }
      for j in 0..<latentWidth where line[source(j, content.width, mask.width)] >= 128 { latent[i, j] = 1 }
    }
    while read < mask.height {
      try line.withUnsafeMutableBufferPointer { try rows.next(into: $0) }
      read += 1
    }
    return latent
  }

  /// The mean over each cell. A mean of means over cells of one size is the mean over the union.
  private func softMask(_ rows: SurveyedRows, of mask: Extent) throws -> Mask {
    var toContent = AreaMeans(from: mask, to: content)
    var toLatent = AreaMeans(from: padded, to: Extent(width: latentWidth, height: latentHeight))
    var line = [UInt8](repeating: 0, count: mask.width)
    var contentRow = [Double](repeating: 0, count: content.width)
    var latentRow = [Double](repeating: 0, count: latentWidth)
    var values: [Float] = []
    values.reserveCapacity(latentHeight * latentWidth)
    var y = 0
    for _ in 0..<latentHeight {
      try toLatent.next(into: &latentRow) { paddedRow in
        if y < content.height {
          try toContent.next(into: &contentRow) { samples in
            try line.withUnsafeMutableBufferPointer { try rows.next(into: $0) }
            for x in samples.indices { samples[x] = Double(line[x]) }
          }
          // Rounded as a mask of the content's size would be.
          for x in contentRow.indices { contentRow[x] = Double(Float(contentRow[x] / 255)) }
          y += 1
        }
        for x in paddedRow.indices { paddedRow[x] = contentRow[min(x, content.width - 1)] }
      }
      for mean in latentRow { values.append(Float(mean)) }
    }
    return Mask(height: latentHeight, width: latentWidth, values: values)
  }
}

/// Rows on their way, of which the extremes are remembered.
private final class SurveyedRows: RowPass {
  private let rows: any RowPass
  private(set) var lowest = UInt8.max
  private(set) var highest = UInt8.min

  init(_ rows: any RowPass) { self.rows = rows }

  func next(into row: UnsafeMutableBufferPointer<UInt8>) throws {
    try rows.next(into: row)
    for sample in row {
      lowest = min(lowest, sample)
      highest = max(highest, sample)
    }
  }
}
