import Editing
import Foundation
import JSON
import Tensors
import TestSupport
import Testing

@Suite("Noise schedule") struct NoiseScheduleTests {
  let schedule = NoiseSchedule.stableDiffusion

  @Test("has the alpha bars of the reference table")
  func checkValues() {
    // Published to these digits; half a unit of the last one is the tolerance.
    let table = [
      (0, 0.99915, 5e-6), (1, 0.998296, 5e-7), (21, 0.98038065, 5e-9), (500, 0.27633247, 5e-9),
      (981, 0.005775496, 5e-10), (999, 0.004660095, 5e-10),
    ]
    for (t, value, tolerance) in table { #expect(abs(schedule.alphaBar(t) - value) <= tolerance, "t = \(t)") }
    #expect(schedule.alphaBars.count == 1000)
    #expect(zip(schedule.alphaBars, schedule.alphaBars.dropFirst()).allSatisfy { $0 > $1 })
  }

  @Test("has the reference table's bits")
  func bits() {
    // Sum of the 1000 bit patterns, and three of them, from the reference scheduler's Float table.
    let sum = schedule.alphaBars.reduce(UInt64(0)) { $0 &* 1_000_003 &+ UInt64($1.bitPattern) }
    #expect(sum == 0xf34a_d5b0_a6b7_bdf3)
  }

  @Test("linear means linear in beta")
  func linear() throws {
    let linear = try NoiseSchedule(kind: "linear", betaStart: 0.0001, betaEnd: 0.02)
    #expect(linear.alphaBars[0] == 1 - Float(0.0001))
    // Π(1 − β) of the original DDPM schedule.
    #expect(abs(linear.alphaBar(999) - 4.0358e-5) < 1e-8)
  }

  @Test("refuses other schedules and predictions by name")
  func refusals() {
    #expect(throws: EditError.unsupportedSchedule("squaredcos_cap_v2")) {
      try NoiseSchedule(kind: "squaredcos_cap_v2")
    }
    #expect(throws: EditError.unsupportedPrediction("sample")) { try NoiseSchedule(prediction: "sample") }
  }

  @Test(
    "refuses scheduler options that no method is defined for",
    arguments: [
      ("clip_sample", "true"), ("thresholding", "true"), ("rescale_betas_zero_snr", "true"),
      ("num_train_timesteps", "500"), ("trained_betas", "[0.1, 0.2]"), ("steps_offset", "-1"),
    ])
  func options(name: String, value: String) throws {
    let json = Data("{\"\(name)\": \(value)}".utf8)
    let configuration = try SchedulerConfiguration(ConfigValue(parsing: Array(json), file: "f"))
    #expect {
      try NoiseSchedule(configuration)
    } throws: { error in
      "\(error)".contains(name)
    }
  }

  @Test("reads a checkpoint's configuration, absent keys being Stable Diffusion's")
  func configuration() throws {
    let json = Data(
      """
      {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012, "clip_sample": false,
       "prediction_type": "v_prediction", "set_alpha_to_one": true, "steps_offset": 0, "trained_betas": null}
      """.utf8)
    let schedule = try NoiseSchedule(SchedulerConfiguration(ConfigValue(parsing: Array(json), file: "f")))
    #expect(schedule.prediction == .velocity)
    #expect(schedule.finalAlphaBar == 1)
    #expect(schedule.stepsOffset == 0)
    #expect(schedule.alphaBars == NoiseSchedule.stableDiffusion.alphaBars)
    #expect(try NoiseSchedule(SchedulerConfiguration()) == .stableDiffusion)
  }

  @Test("turns a velocity into the noise it was made of")
  func velocity() throws {
    let schedule = try NoiseSchedule(prediction: "v_prediction")
    let (x0, n) = (latent(1), latent(2))
    let (a, s) = (schedule.signal(300), schedule.noise(300))
    let v = Latent.combination([(a, n), (-s, x0)])
    let eps = schedule.epsilon(fromOutput: v, at: schedule.diffuse(x0, to: 300, n), alphaBar: a * a)
    // a·v + s·x of three values below 6, each rounded once, and the sum: 4 roundings of at most 6.
    #expect(eps.isClose(to: n, within: 4 * 6 * halfUlp))
  }
}

@Suite("Grids") struct GridTests {
  let schedule = NoiseSchedule.stableDiffusion

  @Test("the leading grid has the stride of the samplers and offset 1")
  func leading() throws {
    let grid = try schedule.samplingGrid(steps: 50)
    #expect(grid.timesteps.first == 1 && grid.timesteps[1] == 21 && grid.timesteps.last == 981)
    #expect(try schedule.samplingGrid(steps: 100).timesteps.last == 991)
    #expect(try schedule.samplingGrid(steps: 200).timesteps.last == 996)
    #expect(try Array(schedule.samplingGrid(steps: 30).timesteps.prefix(3)) == [1, 34, 67])
    #expect(try schedule.samplingGrid(steps: 30).timesteps.last == 958)
  }

  @Test("level 0 is the table's first entry, or 1 if the checkpoint says so")
  func finalLevel() throws {
    #expect(try schedule.samplingGrid(steps: 50).alphaBars[0] == schedule.alphaBar(0))
    let one = try NoiseSchedule(setsAlphaToOne: true)
    let last = try one.samplingGrid(steps: 50).transition(from: 1)
    #expect(last.nextAlphaBar == 1)
    #expect(last.posteriorVariance == 0)
  }

  @Test(
    "the trailing grid is the reference sampler's, ends at the clean picture, and is the schedule's alone")
  func trailing() throws {
    let turbo = try NoiseSchedule(spacing: .trailing)
    let reference: [Int: [Int]] = [
      1: [999], 2: [499, 999], 3: [332, 666, 999], 4: [249, 499, 749, 999],
      7: [142, 285, 428, 570, 713, 856, 999],
    ]
    for (steps, timesteps) in reference {
      let grid = try turbo.samplingGrid(steps: steps)
      #expect(grid.timesteps == timesteps && grid.alphaBars[0] == 1)
    }
    #expect(try turbo.samplingGrid(steps: 16).timesteps.reduce(0, +) == 8484)  // four ties, to even
    #expect(try turbo.samplingGrid(steps: 1000).timesteps == Array(0...999))
    #expect(try turbo.samplingGrid(steps: 4, spacing: .leading).timesteps == [1, 251, 501, 751])
    #expect(try turbo.stateGrid(steps: 4).timesteps == [1, 251, 501, 751])
    #expect(throws: EditError.self) { try turbo.samplingGrid(steps: 1001) }
  }

  @Test("reads the schedulers of distilled models, and refuses by name those that are no noise predictors")
  func distilled() throws {
    func read(_ json: String) throws -> NoiseSchedule {
      try NoiseSchedule(SchedulerConfiguration(ConfigValue(parsing: Array(json.utf8), file: "f")))
    }
    for name in ["EulerDiscreteScheduler", "EulerAncestralDiscreteScheduler", "DDIMScheduler"] {
      let json = #"{"_class_name": "\#(name)", "timestep_spacing": "trailing"}"#
      #expect(try read(json).spacing == .trailing)
    }
    #expect(try read(#"{"timestep_spacing": "linspace"}"#).spacing == .leading)
    #expect(throws: EditError.unsupportedScheduler(option: "timestep_spacing", value: "middle")) {
      try read(#"{"timestep_spacing": "middle"}"#)
    }
    for name in ["TCDScheduler", "FlowMatchEulerDiscreteScheduler", "EDMEulerScheduler"] {
      let error = failure(EditError.self) { try read(#"{"_class_name": "\#(name)"}"#) }
      guard case .unsupportedSampler(name, _) = error else {
        Issue.record("\(String(describing: error))")
        continue
      }
    }
  }

  @Test("reads how a latent consistency model was distilled, and keeps it where everything is written down")
  func consistency() throws {
    func read(_ values: String) throws -> SchedulerConfiguration {
      let json = #"{"_class_name": "LCMScheduler"\#(values)}"#
      return try SchedulerConfiguration(ConfigValue(parsing: Array(json.utf8), file: "f"))
    }
    let usual = try NoiseSchedule(read(""))
    #expect(usual.consistency == ConsistencyRule() && usual.consistency.originalSteps == 50)
    let other = try NoiseSchedule(read(#", "original_inference_steps": 100, "timestep_scaling": 5"#).complete)
    #expect(other.consistency.originalSteps == 100 && other.consistency.timestepScaling == 5)
    #expect(try other.consistencyGrid(steps: 100).timesteps.first == 999)
    // In the configuration of another sampler the words mean nothing.
    let json = #"{"original_inference_steps": 100}"#
    let ordinary = try SchedulerConfiguration(ConfigValue(parsing: Array(json.utf8), file: "f"))
    #expect(try NoiseSchedule(ordinary).consistency == ConsistencyRule())
    #expect(ordinary.complete.className == nil && ordinary.complete.originalSteps == nil)
    for (option, value) in [("original_inference_steps", "0"), ("original_inference_steps", "1001")] {
      #expect(throws: EditError.unsupportedScheduler(option: option, value: value)) {
        try NoiseSchedule(read(#", "\#(option)": \#(value)"#))
      }
    }
    #expect(throws: EditError.unsupportedScheduler(option: "timestep_scaling", value: "-1.0")) {
      try NoiseSchedule(read(#", "timestep_scaling": -1"#))
    }
  }

  @Test("refuses a grid that does not fit", arguments: [0, -1, 1000, 1001])
  func refuses(steps: Int) {
    #expect(throws: EditError.gridTooFine(steps: steps, limit: 999)) {
      try schedule.samplingGrid(steps: steps)
    }
  }

  @Test("every number of steps up to the limit gives a grid inside the table")
  func allFit() throws {
    for steps in 1...999 { #expect(try schedule.samplingGrid(steps: steps).timesteps.last! < 1000) }
    let zero = try NoiseSchedule(stepsOffset: 0)
    #expect(try zero.samplingGrid(steps: 1000).timesteps == Array(0..<1000))
  }

  @Test("the state grid has one transition less and never leaves the table")
  func stateGrid() throws {
    let grid = try schedule.stateGrid(steps: 100)
    #expect(grid.transitions(1) == 99)
    #expect(grid.transitions(0.5) == 50)
    #expect(
      grid.transition(from: 1)
        == Transition(timestep: 11, from: schedule.alphaBar(11), to: schedule.alphaBar(1)))
  }

  @Test("fractions of the steps are guarded against rounding")
  func guardedFloor() {
    #expect(transitions(0.29, of: 100) == 29)
    #expect(transitions(0.7, of: 50) == 35)
    #expect(transitions(0.6, of: 200) == 120)
    #expect(transitions(0.1, of: 5) == 0)
    #expect(transitions(1, of: 50) == 50)
    #expect(DDPMInversion().skippedLevels == 36)
  }
}

/// A latent of prime-sized sides with values of a seed.
func latent(_ seed: UInt64, height: Int = 7, width: Int = 11) -> Latent {
  SeededTape(seed: seed).normal(0, count: 1, height: height, width: width, channels: 4)[0]
}
