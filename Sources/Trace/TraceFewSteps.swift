import Editing
import Pentimento
import StableDiffusion
import Tensors

/// Cases of what models of few steps add: their grids, what their networks are told.
extension TraceCase {
  /// The grids that the expectation's names ask for, and the boundary of a consistency model.
  func runFewStepSchedule(_ model: Model, _ results: TraceResults) throws {
    let schedule = try noiseSchedule(of: model)
    func add(_ name: String, _ timesteps: [Int]) {
      results.add(name, timesteps.map(Int64.init), shape: [timesteps.count])
    }
    for name in expectedNames {
      let parts = name.split(separator: "_").map(String.init)
      guard parts.count >= 2, let steps = Int(parts[1]) else { continue }
      switch (parts[0], parts.dropFirst(2).first) {
      case ("trailing", nil):
        add(name, try schedule.samplingGrid(steps: steps, spacing: .trailing).timesteps)
      case ("turbo", nil): add(name, try schedule.shiftedGrid(steps: steps).timesteps)
      case ("turbo", "noise"): add(name, try schedule.shiftedGrid(steps: steps).noiseTimesteps)
      case ("lcm", nil): add(name, try schedule.consistencyGrid(steps: steps).timesteps)
      case ("lcm", let part?):
        guard let strength = Double(part.dropFirst("strength".count)) else { continue }
        add(name, try schedule.consistencyGrid(steps: steps, strength: strength).timesteps)
      default: continue
      }
    }
    let timesteps = try params["boundary_timesteps"].integers()
    let rows = timesteps.flatMap { timestep in
      let boundary = schedule.consistency.boundary(timestep)
      return [Float(boundary.skip), Float(boundary.out)]
    }
    results.add("lcm_boundary", HostTensor(shape: [timesteps.count, 2], values: rows))
  }

  /// What the case tells a network that has a layer for it.
  var toldGuidance: Double? {
    get throws { params["embed_w"].isPresent ? try params["embed_w"].real() : nil }
  }

  /// What a network of some widths is told of some weights.
  func runGuidanceEmbedding(_ results: TraceResults) throws {
    let weights = try params["w"].elements().map { try $0.real() }
    for width in try params["dimensions"].integers() {
      guard let sinusoid = Sinusoid.ofGuidance(width: width) else {
        throw params["dimensions"].wrong("widths of at least 4")
      }
      let rows = weights.map { sinusoid(guidance: $0).values }
      results.add(
        "embedding_\(width)",
        HostTensor(shape: [weights.count, width], values: rows.flatMap { $0 }))
    }
  }
}
