import Editing
import Synchronization
import Tensors
import TestSupport
import Testing

@Suite("LoRA training") struct LoRATrainingTests {
  let photo = latent(5, height: 8, width: 8)
  static let factors = [
    "a.lora_A.weight": HostTensor(shape: [2, 3], values: [0.1, -0.2, 0.3, 0.05, 0.1, -0.3]),
    "a.lora_B.weight": HostTensor(shape: [3, 2]),
  ]
  private var training: LoRATraining {
    var training = LoRATraining()
    (training.steps, training.learningRate) = (4, 0.01)
    return training
  }

  private func train(
    _ training: LoRATraining, _ network: LinearTrainee, _ photo: Posterior,
    schedule: NoiseSchedule = .stableDiffusion, tape: any NoiseTape = SeededTape(seed: 3),
    observer: EditObserver = .none, journal: any EditJournal = NoJournal()
  ) async throws -> [String: HostTensor] {
    try await training.run(
      photo, prompt: cat, network: network, factors: Self.factors, schedule: schedule, tape: tape,
      observer: observer, journal: journal)
  }

  @Test("the defaults are the released demo's, and the benchmark's script has a rank of its own")
  func defaults() throws {
    let training = LoRATraining()
    #expect(training.steps == 100 && training.rank == 16 && LoRATraining.benchmark.rank == 4)
    #expect(training.learningRate == 2e-4 && training.weightDecay == 1e-2)
  }

  @Test("A is drawn in the order of the names with a deviation of 1/rank, B is 0")
  func initial() throws {
    let tape = SeededTape(seed: 8)
    let parameters = [
      (name: "b.lora_A.weight", shape: [16, 40]), (name: "a.lora_B.weight", shape: [20, 16]),
      (name: "a.lora_A.weight", shape: [16, 30]),
    ]
    let (factors, draws) = try LoRATraining().initialFactors(parameters, tape: tape)
    #expect(draws == 2 && factors["a.lora_B.weight"] == HostTensor(shape: [20, 16]))
    for (draw, (name, width)) in [("a.lora_A.weight", 30), ("b.lora_A.weight", 40)].enumerated() {
      let noise = tape.normal(draw, count: 1, height: 16, width: width, channels: 1)[0].values
      #expect(factors[name] == HostTensor(shape: [16, width], values: noise.map { $0 / 16 }))
    }
  }

  @Test(
    "a step's loss is the mean square of what the raw output misses its target by",
    arguments: ["epsilon", "v_prediction"])
  func loss(prediction: String) async throws {
    let schedule = try NoiseSchedule(prediction: prediction)
    let losses = Mutex<[Double]>([])
    let tape = SeededTape(seed: 3)
    var one = training
    one.steps = 1
    _ = try await train(
      one, LinearTrainee(Self.factors), .init(mean: photo), schedule: schedule, tape: tape,
      observer: EditObserver(losses: { loss in losses.withLock { $0.append(loss) } }))
    let (n, t) = (try tape.normal(0, like: photo), tape.integer(1, in: 0...999))
    let (a, s) = (schedule.signal(t), schedule.noise(t))
    var sum = 0.0
    for i in photo.values.indices {
      let (x0, n) = (Double(photo.values[i]), Double(n.values[i]))
      let output = Double(Self.factors["a.lora_A.weight"]!.values[i % 6]) * (a * x0 + s * n)
      let target = prediction == "epsilon" ? n : a * n - s * x0
      sum += (output - target) * (output - target)
    }
    let mean = sum / Double(photo.values.count)
    #expect(abs(losses.withLock { $0 }[0] - mean) <= 1e-6 * mean)
  }

  @Test("learns: the network's output approaches the noise")
  func learns() async throws {
    let losses = Mutex<[Double]>([])
    var long = training
    (long.steps, long.learningRate, long.weightDecay) = (200, 0.02, 0)
    // A photo of nothing: the best output of every cell is n = x/s, and one factor must do for all t.
    _ = try await train(
      long, LinearTrainee(Self.factors), .init(mean: Latent(height: 8, width: 8)),
      observer: EditObserver(losses: { loss in losses.withLock { $0.append(loss) } }))
    let all = losses.withLock { $0 }
    let early: Double = all.prefix(50).reduce(0, +)
    let late: Double = all.suffix(50).reduce(0, +)
    #expect(late < 0.5 * early)
  }

  @Test("draws the posterior's noise in every step where it samples, then n, then t")
  func draws() async throws {
    func tape(_ posterior: Bool) -> RecordedTape {
      let noise = RecordedTape.Draw.normal(HostTensor(shape: [1, 4, 8, 8], repeating: 0.5))
      return RecordedTape((0..<4).flatMap { _ in (posterior ? [noise] : []) + [noise, .integer(7)] })
    }
    let variance = Latent(height: 8, width: 8, repeating: 2)
    for photo in [
      Posterior(mean: photo), .init(mean: photo, logVariance: variance, scale: 0.5),
    ] {
      let tape = tape(photo.deviation != nil)
      _ = try await train(training, LinearTrainee(Self.factors), photo, tape: tape)
      #expect(tape.unused.isEmpty)
    }
    let deviation = Posterior(mean: photo, logVariance: variance, scale: 0.5).deviation!
    #expect(abs(deviation.values[0] - 0.5 * 2.7182818) < 1e-6)
    let clamped = Posterior(
      mean: photo, logVariance: Latent(height: 8, width: 8, repeating: -1000), scale: 1)
    #expect(abs(clamped.deviation!.values[0] - 3.0590232e-7) < 1e-13)  // e⁻¹⁵
  }

  @Test("goes on from every save with the factors and the losses of an unbroken training")
  func resumes() async throws {
    let whole = try await train(training, LinearTrainee(Self.factors), .init(mean: photo))
    #expect(whole != Self.factors)
    var losses: [[Double]] = []
    let saves = try await BreakingJournal.atEverySave { journal in
      let network = LinearTrainee(Self.factors)
      let own = Mutex<[Double]>([])
      let trained = try await train(
        training, network, .init(mean: photo),
        observer: EditObserver(losses: { loss in own.withLock { $0.append(loss) } }), journal: journal)
      losses.append(own.withLock { $0 })
      let values = await network.values
      #expect(values == trained)
      return trained
    } check: {
      #expect($0 == whole)
    }
    #expect(saves == 2 * 4)
    #expect(losses.allSatisfy { $0 == losses[0] && $0.count == 4 })
  }

  @Test("a journal of another network is refused, and values out of bounds are by name")
  func refusals() async throws {
    let journal = BreakingJournal()
    _ = try await train(training, LinearTrainee(Self.factors), .init(mean: photo), journal: journal)
    await #expect(throws: EditError.otherProgress(method: "train-lora")) {
      _ = try await training.run(
        .init(mean: photo), prompt: cat, network: LinearTrainee(Self.factors),
        factors: ["b.lora_A.weight": HostTensor(shape: [2, 3])], schedule: .stableDiffusion,
        tape: SeededTape(seed: 3), journal: journal)
    }
    let changes: [(String, (inout LoRATraining) -> Void)] = [
      ("steps", { $0.steps = 0 }), ("rank", { $0.rank = 0 }), ("learning-rate", { $0.learningRate = .nan }),
      ("weight-decay", { $0.weightDecay = -1 }),
    ]
    for (name, change) in changes {
      var training = LoRATraining()
      change(&training)
      let error = failure(EditError.self) { try training.validate() }
      #expect("\(try #require(error))".hasPrefix("\(name) "))
    }
  }

  @Test("a gradient that is not finite leaves network and factors as they were")
  func notFinite() async throws {
    let network = LinearTrainee(Self.factors)
    await #expect(throws: EditError.gradientNotFinite(method: "train-lora", step: 1)) {
      _ = try await train(
        training, network, .init(mean: Latent(height: 8, width: 8, repeating: .infinity)))
    }
    let values = await network.values
    #expect(values == Self.factors)
  }
}

@Suite("Translator training") struct TranslatorTrainingTests {
  /// Pictures of unit variance around a prompt's mean; the empty prompt's around 0.
  let photos = [latent(1, height: 4, width: 4), latent(2, height: 4, width: 4)]
  private func mean(_ value: Float) -> Condition {
    Condition(mean: Latent(height: 4, width: 4, repeating: value))
  }

  private func training(_ change: (inout TranslatorTraining) -> Void = { _ in }) -> TranslatorTraining {
    var training = TranslatorTraining()
    (training.steps, training.learningRate, training.weightDecay) = (6, 0.01, 0)
    change(&training)
    return training
  }

  private func train(
    _ training: TranslatorTraining, _ tasks: [TranslatorTraining.Task], _ translator: ShiftTranslator,
    model: Diffusion? = nil, observer: EditObserver = .none, journal: any EditJournal = NoJournal()
  ) async throws -> HostTensor {
    let start = ["shift": HostTensor(shape: translator.parameters[0].shape)]
    return try await training.run(
      on: photos, tasks: tasks, translator: translator, values: start,
      model: model ?? gaussianWorld(variance: 1, like: photos[0]), tape: SeededTape(seed: 12),
      observer: observer, journal: journal)["shift"]!
  }

  @Test("guidance rises from 1 and the identity fades along half a cosine, both over half of the steps")
  func schedule() {
    let training = training { $0.steps = 8 }
    let expected: [(Double, Double)] = [
      (1, 3), (2.625, 0.1 + 2.9 * 0.8535533905932737), (4.25, 1.55), (5.875, 0.1 + 2.9 * 0.14644660940672627),
      (7.5, 0.1), (7.5, 0.1), (7.5, 0.1), (7.5, 0.1),
    ]
    for (s, expected) in expected.enumerated() {
      let step = training.schedule(s)
      #expect(abs(step.guidance - expected.0) < 1e-14 && abs(step.identityWeight - expected.1) < 1e-14)
    }
    #expect(self.training { $0.warmsUpGuidance = false }.schedule(0).guidance == 7.5)
    #expect(self.training { $0.keepsIdentity = false }.schedule(0).identityWeight == 0)
    let cold = self.training { $0.warmup = 0 }.schedule(0)
    #expect(cold.guidance == 7.5 && abs(cold.identityWeight - 0.1) < 1e-14)
  }

  @Test(
    "tasks and latents come in turn, and every task meets every latent",
    arguments: [(2, 2, 1), (4, 6, 1), (5, 3, 2), (6, 4, 3), (1, 3, 2)])
  func turns(tasks: Int, latents: Int, batch: Int) {
    let training = training { $0.batch = batch }
    var pairs = Set<[Int]>()
    for s in 0..<tasks * latents * 2 {
      for b in 0..<batch {
        let latent = training.latent(s * batch + b, of: latents, tasks: tasks)
        #expect((0..<latents).contains(latent))
        pairs.insert([training.task(s, of: tasks), latent])
      }
    }
    #expect(pairs.count == tasks * latents)
    #expect(
      (0..<min(tasks, latents)).map { training.latent($0, of: latents, tasks: tasks) }
        == Array(0..<min(tasks, latents)))
  }

  @Test("a shift ends where the score and the identity balance", arguments: [200, 500, 800])
  func stationary(timestep: Int) async throws {
    // b = κωΔ/(κ + λ_id/2), κ = a·s/(a²v + s²), Δ the difference of the means; with one timestep g has no noise.
    let training = training {
      ($0.steps, $0.learningRate, $0.guidance) = (1500, 0.02, 3)
      ($0.warmsUpGuidance, $0.identityWeight, $0.lastIdentityWeight) = (false, 0.6, 0.6)
      ($0.firstTimestep, $0.lastTimestep) = (timestep, timestep)
    }
    let translator = ShiftTranslator(tasks: 1, height: 4, width: 4)
    let b = try await train(training, [.init(source: mean(-0.5), target: mean(1))], translator)
    let schedule = NoiseSchedule.stableDiffusion
    let (a, s) = (schedule.signal(timestep), schedule.noise(timestep))
    let kappa = a * s / (a * a + s * s)
    let expected = Float(kappa * 3 * 1.5 / (kappa + 0.3))
    // Adam circles the minimum of a quadratic ever closer.
    #expect(b.values.allSatisfy { abs($0 - expected) < 2e-3 })
  }

  @Test("a loss is the score's and the identity's, and its gradient what the translator is given")
  func loss() async throws {
    let (trace, translator) = (Trace(), ShiftTranslator(tasks: 1, height: 4, width: 4))
    let training = training {
      ($0.steps, $0.warmsUpGuidance, $0.guidance, $0.learningRate) = (2, false, 2, 0.5)
      ($0.scoreWeight, $0.warmup) = (0.7, 1)
    }
    _ = try await train(
      training, [.init(source: mean(0), target: mean(1))], translator, observer: trace.observer)
    let (schedule, tape) = (NoiseSchedule.stableDiffusion, SeededTape(seed: 12))
    let model = gaussianWorld(variance: 1, like: photos[0])
    // The first step's update is ±0.5, so z = ẑ ± 0.5 in the second.
    let seed0 = try #require(trace.latents("grad_out_0").first)
    let z = photos[1].zip(seed0) { $0 - ($1 > 0 ? 0.5 : -0.5) }
    let (t, n) = (tape.integer(2, in: 50...948), try tape.normal(3, like: z))
    let g = try await model.scoreDistillation(
      of: z, toward: mean(1), relativeTo: (photos[1], mean(0)), timestep: t, noise: n, guidance: 2)
    let identity = training.schedule(1).identityWeight
    let seed = try #require(trace.latents("grad_out_1").first)
    var loss = 0.0
    for i in z.values.indices {
      let moved = Double(z.values[i]) - Double(photos[1].values[i])
      loss += 0.7 / 16 * Double(z.values[i] * g.values[i]) + identity / 64 * moved * moved
      let expected = 0.7 / 16 * Double(g.values[i]) + 2 * identity / 64 * moved
      #expect(abs(Double(seed.values[i]) - expected) < 1e-6)  // z is rounded once more here
    }
    #expect(abs(Double(trace.tensors("losses")[1].values[0]) - loss) < 1e-5 * abs(loss) + 1e-5)
    #expect(schedule.prediction == .epsilon)
  }

  @Test("equal prompts and the identity are at rest; a task that is not met is left alone")
  func rest() async throws {
    let translator = ShiftTranslator(tasks: 2, height: 4, width: 4)
    let still = try await train(
      training(), [.init(source: mean(1), target: mean(1)), .init(source: mean(0), target: mean(0))],
      translator)
    #expect(still.values.allSatisfy { $0 == 0 })
    let tasks = [
      TranslatorTraining.Task(source: mean(0), target: mean(1)), .init(source: mean(1), target: mean(1)),
    ]
    let one = try await train(training { $0.keepsIdentity = false }, tasks, translator)
    #expect(one.values[..<64].allSatisfy { $0 != 0 } && one.values[64...].allSatisfy { $0 == 0 })
  }

  @Test("asks what was planned, and half of it for SDS", arguments: [(true, 1), (false, 1), (true, 3)])
  func evaluations(subtracts: Bool, batch: Int) async throws {
    let (model, counter) = nonlinearWorld()
    let training = training { ($0.subtractsSource, $0.batch, $0.steps) = (subtracts, batch, 4) }
    _ = try await train(
      training, [.init(source: cat, target: tiger)], ShiftTranslator(tasks: 1, height: 4, width: 4),
      model: model)
    #expect(counter.evaluations == training.evaluations)
    #expect(training.evaluations == batch * (subtracts ? 2 + 3 * 4 : 1 + 3 * 2))  // ω = 1 in the first step
  }

  @Test("a batch has the mean of its samples' gradients")
  func batches() async throws {
    func seeds(_ batch: Int) async throws -> (seeds: [Latent], grad: HostTensor) {
      let trace = Trace()
      _ = try await train(
        training { ($0.batch, $0.steps) = (batch, 1) }, [.init(source: mean(0), target: mean(1))],
        ShiftTranslator(tasks: 1, height: 4, width: 4), observer: trace.observer)
      return (trace.latents("grad_out_0"), trace.tensors("grad0.shift")[0])
    }
    let (one, two) = (try await seeds(1), try await seeds(2))
    #expect(one.seeds.count == 1 && two.seeds.count == 2)
    #expect((2 * two.seeds[0]).isClose(to: one.seeds[0], within: 1e-7))
    #expect(two.grad.values == (two.seeds[0] + two.seeds[1]).values)
  }

  @Test("goes on from every save with the bits of an unbroken training")
  func resumes() async throws {
    let tasks = [
      TranslatorTraining.Task(source: mean(0), target: mean(1)), .init(source: mean(1), target: mean(-1)),
    ]
    func translator() -> ShiftTranslator { ShiftTranslator(tasks: 2, height: 4, width: 4) }
    let whole = try await train(training(), tasks, translator())
    let saves = try await BreakingJournal.atEverySave { journal in
      let translator = translator()
      let trained = try await train(training(), tasks, translator, journal: journal)
      let shifts = await translator.shifts
      #expect(shifts == trained)
      return trained
    } check: {
      #expect($0 == whole)
    }
    #expect(saves == 2 * 6)
  }

  @Test("refuses to train on nothing, for nothing, or with values out of bounds, by name")
  func refusals() async throws {
    let translator = ShiftTranslator(tasks: 1, height: 4, width: 4)
    await #expect(throws: EditError.missing(method: "train-translator", need: "a task")) {
      _ = try await train(training(), [], translator)
    }
    await #expect(throws: EditError.missing(method: "train-translator", need: "pictures to learn from")) {
      _ = try await training().run(
        on: [], tasks: [.init(source: cat, target: tiger)], translator: translator, values: [:],
        model: gaussianWorld(variance: 1, like: photos[0]), tape: SeededTape(seed: 1))
    }
    let changes: [(String, (inout TranslatorTraining) -> Void)] = [
      ("steps", { $0.steps = 0 }), ("cfg-scale", { $0.guidance = .infinity }), ("warmup", { $0.warmup = 2 }),
      ("batch", { $0.batch = 0 }), ("learning-rate", { $0.learningRate = -1 }),
      ("last-timestep", { $0.lastTimestep = 3 }), ("first-timestep", { $0.firstTimestep = -3 }),
    ]
    for (name, change) in changes {
      let error = failure(EditError.self) { try training(change).validate() }
      #expect("\(try #require(error))".hasPrefix("\(name) "))
    }
  }
}
