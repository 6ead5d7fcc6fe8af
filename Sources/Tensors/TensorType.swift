/// How one element of a tensor is stored.
public enum ElementType: String, Hashable, Sendable, Codable, CaseIterable {
  case s8, f16, bf16, f32, i32

  /// Bytes of one element.
  public var byteCount: Int {
    switch self {
    case .s8: 1
    case .f16, .bf16: 2
    case .f32, .i32: 4
    }
  }
}

/// How the elements of a tensor lie in memory.
public enum Layout: Hashable, Sendable {
  /// Row-major in the order of the shape.
  case plain
  /// A weight matrix for the GEMM kernels: `[ceil(N/16)]` panels of `[K]` groups of `[16 columns]`.
  /// Columns past N are zero. N is the first dimension of the shape, K the product of the others,
  /// in the order (ky, kx, channel) for a convolution.
  ///
  /// Of s8: `[ceil(N/16)]` panels of a convolution's taps (a linear layer has one), a tap being 16 column
  /// sums of 32 bits and then `[ceil(C/4)]` groups of `[16 columns][4 consecutive channels]`; channels
  /// past C are zero. `CKernels` says what the sums are for.
  case panels
  /// Of f16: the lines of a picture `[H, W, C]`, each multiplied by a power of two and followed by that factor, f32. How
  /// activations are kept in half the room.
  case scaledLines
}

/// What a value is: element type, shape and layout. Pictures are channels last (`[H, W, C]`), token
/// sequences `[rows, C]`.
public struct TensorType: Hashable, Sendable {
  public var element: ElementType
  public var shape: [Int]
  public var layout: Layout

  public init(_ shape: [Int], element: ElementType = .f32, layout: Layout = .plain) {
    self.element = element
    self.shape = shape
    self.layout = layout
  }

  /// Elements that carry a value (padding of panels not counted).
  public var count: Int { shape.reduce(1, *) }

  /// Bytes in memory, padding of panels included.
  public var byteCount: Int {
    switch layout {
    case .plain: count * element.byteCount
    case .panels:
      (shape[0] + 15) / 16 * 16
        * (element == .s8
          ? shape.dropFirst().dropLast().reduce(1, *) * ((shape.last! + 3) / 4 * 4 + 4)
          : shape.dropFirst().reduce(1, *) * element.byteCount)
    case .scaledLines: shape[0] * scaledLineBytes
    }
  }

  /// From one scaled line to the next, each at the start of a cache line.
  public var scaledLineBytes: Int { (factorOffset + 4 + 63) / 64 * 64 }

  /// In a scaled line: where its factor lies.
  public var factorOffset: Int { (shape.dropFirst().reduce(element.byteCount, *) + 3) / 4 * 4 }
}
