import NeuralGraph

/// A residual block and, on levels that attend to the text, a transformer.
///
///     x ── resnets.j ── attentions.j ── y
struct UNetLayer {
  var resBlock: ResBlock
  /// Behind each residual block.
  var transformers: [Transformer?]

  init(_ level: UNetConfiguration.Level, of c: UNetConfiguration) {
    resBlock = ResBlock(outChannels: level.channels, groups: c.groups, epsilon: c.epsilon)
    transformers = level.depths.map { depth in
      guard depth > 0 else { return nil }
      return Transformer(
        heads: level.heads, depth: depth, groups: c.groups, usesLinearProjection: c.usesLinearProjection)
    }
  }

  func residual(_ x: Value, _ told: Conditioning, _ j: Int, _ g: Scope) throws(GraphError) -> Value {
    try g.kept(resBlock(x, told.temb, g["resnets"][j]))
  }

  func attend(_ x: Value, _ told: Conditioning, _ j: Int, _ g: Scope) throws(GraphError) -> Value {
    guard let transformer = transformers[j] else { return x }
    g.builder.beginBlock()
    return try g.kept(transformer(x, over: told.context, maps: told.maps, g["attentions"][j]))
  }
}

/// Layers of one resolution, then half of it; the output of each is kept for the way up.
///
///     x ── layer 0 ─┬─ … ── layer n ─┬─ downsamplers.0 ─┬── y
///                 skip             skip               skip
struct DownBlock {
  var layer: UNetLayer
  var count: Int
  /// The lowest level has no downsampler.
  var isLast: Bool

  /// x `[H, W, C]` → `[⌈H/2⌉, ⌈W/2⌉, C']`
  func callAsFunction(
    _ x: Value, _ told: Conditioning, skips: inout [Value], _ g: Scope
  ) throws(GraphError) -> Value {
    var x = x
    for j in 0..<count {
      g.builder.beginBlock()
      x = try layer.residual(x, told, j, g)
      x = try layer.attend(x, told, j, g)
      skips.append(x)
    }
    if !isLast {
      x = try g.kept(g["downsamplers"][0]["conv"].conv(x, to: g.channels(x), kernel: 3, stride: 2))
      skips.append(x)
    }
    return g.tap(g.path, x)
  }
}

/// Residual blocks with attention between them.
///
///     x ── resnets.0 ── attentions.0 ── resnets.1 ── y
struct MiddleBlock {
  var layer: UNetLayer
  var count: Int

  /// x `[H, W, C]` → `[H, W, C]`
  func callAsFunction(_ x: Value, _ told: Conditioning, _ g: Scope) throws(GraphError) -> Value {
    var told = told
    told.maps = nil
    var x = x
    for j in 0..<count {
      if j > 0 { x = try layer.attend(x, told, j - 1, g) }
      g.builder.beginBlock()
      x = try layer.residual(x, told, j, g)
    }
    return g.tap(g.path, x)
  }
}

/// Layers of one resolution, each with what was kept on the way down, then the next skip's resolution.
///
///     x ─(concat skip)─ layer 0 ── … ─(concat skip)─ layer n ── upsample ─ upsamplers.0 ── y
struct UpBlock {
  var layer: UNetLayer
  var count: Int

  /// x `[H, W, C]` → `[H', W', C']` of the next skip; of the same size where none is left
  func callAsFunction(
    _ x: Value, _ told: Conditioning, skips: inout [Value], _ g: Scope
  ) throws(GraphError) -> Value {
    var x = x
    for j in 0..<count {
      g.builder.beginBlock()
      x = try layer.residual(g.concatenate(x, skips.removeLast()), told, j, g)
      x = try layer.attend(x, told, j, g)
    }
    if let next = skips.last {
      let size = g.shape(next)  // twice this one, or one less where it was odd
      let width = g.channels(x)
      x = try g.kept(
        g["upsamplers"][0]["conv"].conv(
          g.enlarged(x, height: size[0], width: size[1]), to: width, kernel: 3))
    }
    return g.tap(g.path, x)
  }
}
