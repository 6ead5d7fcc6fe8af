import Editing
import Tensors
import TestSupport
import Testing

@Suite("Transition") struct TransitionTests {
  let schedule = NoiseSchedule.stableDiffusion
  let step = Transition(timestep: 981, from: 0.0058, to: 0.0073)

  @Test("the mean is √c·x̂₀ plus the direction to x", arguments: [0, 0.5, 1])
  func mean(eta: Double) {
    let (x, eps) = (latent(1), latent(2))
    let (b, c) = (step.alphaBar, step.nextAlphaBar)
    let variance = (1 - c) / (1 - b) * (1 - b / c)
    #expect(abs(step.posteriorVariance - variance) < 1e-16)
    let mean = step.mean(x, eps, eta: eta)
    for i in x.values.indices {
      let (x, eps) = (Double(x.values[i]), Double(eps.values[i]))
      let x0 = (x - (1 - b).squareRoot() * eps) / b.squareRoot()
      let expected = c.squareRoot() * x0 + (1 - c - eta * eta * variance).squareRoot() * eps
      // One rounding to Float; the Double sums agree far better.
      #expect(abs(Double(mean.values[i]) - expected) <= Double(halfUlp) * abs(expected) + 1e-14)
    }
  }

  @Test("without noise nothing is drawn")
  func noDraw() {
    struct Unexpected: Error {}
    func fail() throws -> Latent { throw Unexpected() }
    #expect(throws: Never.self) { try step.step(latent(1), latent(2), eta: 0, noise: fail()) }
    #expect(throws: Unexpected.self) { try step.step(latent(1), latent(2), eta: 1, noise: fail()) }
    let last = Transition(timestep: 1, from: 0.998, to: 1)
    #expect(throws: Never.self) { try last.step(latent(1), latent(2), eta: 1, noise: fail()) }
  }

  @Test("with the true noise the η = 0 step stays on the line between picture and noise")
  func exactNoise() {
    let (x0, n) = (latent(1), latent(2))
    let x = schedule.diffuse(x0, to: 981, n)
    let step = Transition(timestep: 981, from: schedule.alphaBar(981), to: schedule.alphaBar(481))
    // x is rounded once at a magnitude below 6 and multiplied by √(c/b) < 7; the result is rounded once.
    #expect(step.mean(x, n, eta: 0).isClose(to: schedule.diffuse(x0, to: 481, n), within: 8 * 6 * halfUlp))
  }

  @Test("the inverted step undoes the η = 0 step with the same prediction")
  func inverse() {
    let (x, eps) = (latent(1), latent(2))
    let up = step.inverted(x, eps)
    // Two roundings below 6, the first multiplied by √(c/b) < 1.2.
    #expect(step.mean(up, eps, eta: 0).isClose(to: x, within: 3 * 6 * halfUlp))
  }

  @Test("variance is preserved: √c·x̂₀, direction and noise add up to the next level", arguments: [0, 0.3, 1])
  func varianceBudget(eta: Double) {
    let sigma = step.sigma(eta: eta)
    // x = a·x₀ + s·n with E x₀² = 1 and ε = n: the next level has variance c + (1 − c − σ²) + σ² = 1.
    let zero = Latent(height: 1, width: 1, channels: 1)
    let one = Latent(height: 1, width: 1, channels: 1, repeating: 1)
    let kx = Double(step.mean(one, zero, eta: eta).values[0])
    let ke = Double(step.mean(zero, one, eta: eta).values[0])
    let (a, s) = (step.alphaBar.squareRoot(), (1 - step.alphaBar).squareRoot())
    let variance = (kx * a) * (kx * a) + (kx * s + ke) * (kx * s + ke) + sigma * sigma
    #expect(abs(variance - 1) < 1e-6)  // kx and ke are Floats near 1
  }

  @Test("forward steps of the Markov chain compose to the direct one")
  func markov() {
    let (b, m, c) = (0.2, 0.5, 0.9)
    let (up1, up2) = (Transition(timestep: 0, from: m, to: c), Transition(timestep: 0, from: b, to: m))
    let zero = Latent(height: 1, width: 1, channels: 1)
    let one = Latent(height: 1, width: 1, channels: 1, repeating: 1)
    let signal = up2.diffuse(up1.diffuse(one, zero), zero).values[0]
    #expect(abs(Double(signal) - (b / c).squareRoot()) < 1e-6)
    let n1 = Double(up2.diffuse(up1.diffuse(zero, one), zero).values[0])
    let n2 = Double(up2.diffuse(zero, one).values[0])
    #expect(abs(n1 * n1 + n2 * n2 - (1 - b / c)) < 1e-6)
  }

  @Test("a paired step of equal latents ends where the recorded one does, bit for bit")
  func paired() {
    let (x, eps, next) = (latent(1), latent(2), latent(3))
    for eta in [0, 0.5, 1] {
      #expect(step.pairedStep(x, eps, along: x, eps, to: next, eta: eta).isIdentical(to: next))
    }
  }

  @Test("a paired step puts the recorded noise into the other latent")
  func pairedNoise() {
    let (x, epsX, y, epsY, z) = (latent(1), latent(2), latent(3), latent(4), latent(5))
    let next = step.step(y, epsY, eta: 1, noise: z)
    let paired = step.pairedStep(x, epsX, along: y, epsY, to: next, eta: 1)
    // `next` is rounded once more than the direct step: magnitudes below 30.
    #expect(paired.isClose(to: step.step(x, epsX, eta: 1, noise: z), within: 3 * 32 * halfUlp))
  }
}

@Suite("Guidance") struct GuidanceTests {
  let prompt = Condition(text: "a cat")
  let empty = Condition(text: "")

  @Test("asks the unconditional prediction first, and only what its weight needs")
  func queries() {
    let asked = Guidance(7.5).queries(latent(1), timestep: 5, prompt, over: empty, levelAlphaBar: 0.5)
    #expect(asked.map(\.condition) == [empty, prompt])
    #expect(asked.allSatisfy { $0.levelAlphaBar == 0.5 && $0.timestep == 5 })
    #expect(Guidance(1).queries(latent(1), timestep: 5, prompt, over: empty).map(\.condition) == [prompt])
    #expect(Guidance(0).queries(latent(1), timestep: 5, prompt, over: empty).map(\.condition) == [empty])
  }

  @Test("extrapolates from unconditional to conditional", arguments: [-1, 0.5, 3, 7.5])
  func combine(w: Double) {
    let (u, c) = (latent(1), latent(2))
    let e = Guidance(w).combine([u, c])
    #expect(e.isClose(to: .combination([(1 - w, u), (w, c)]), within: 64 * halfUlp))
    #expect(Guidance(w).combine([u, u]).isIdentical(to: u))
  }

  @Test("a list of guided queries is one pass and splits again")
  func list() async throws {
    let counter = CountingPredictor(NonlinearPredictor())
    let model = Diffusion(unet: counter, schedule: .stableDiffusion, empty: empty)
    let asked = [1, 7.5, 0].map { GuidedQuery(latent(1), timestep: 500, prompt, Guidance($0)) }
    let answers = try await model.guided(asked)
    #expect(counter.passes == 1 && counter.evaluations == 4)
    for (ask, answer) in zip(asked, answers) {
      #expect(try await model.guided([ask])[0].isIdentical(to: answer))
    }
  }
}
