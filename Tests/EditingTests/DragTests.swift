import Editing
import Tensors
import TestSupport
import Testing

@Suite("Drag") struct DragTests {
  let photo = latent(71, height: 8, width: 16)
  let mask = boxMask(height: 8, width: 16)
  let tape = SeededTape(seed: 21)
  let moves = [
    Drag.Move(from: .init(x: 24, y: 24), to: .init(x: 50, y: 34)),
    Drag.Move(from: .init(x: 100, y: 50), to: .init(x: 101, y: 30)),
  ]

  private func method(_ sampler: Sampler = .sde) -> Drag {
    var method = Drag()
    (method.steps, method.radius, method.moves, method.sampler) = (6, 2, moves, sampler)
    return method
  }

  @Test("a path is cut into drags of nearly the wanted length")
  func dragCount() {
    for (cells, count) in [(0, 1), (2, 1), (3, 2), (4, 2), (5, 3), (7, 4), (50, 25)] {
      var method = Drag()
      method.moves = [Drag.Move(from: .init(x: 0, y: 3), to: .init(x: 8 * cells, y: 7))]
      #expect(method.dragCount == count, "\(cells) cells")
    }
  }

  @Test("the first drag begins at the source, the last ends at the target, parts round toward the source")
  func parts() {
    let move = Drag.Move(from: .init(x: 10, y: 7), to: .init(x: 3, y: 12))
    #expect(move.part(0, of: 3).source == move.source)
    #expect(move.part(2, of: 3).target == move.target)
    #expect(move.part(0, of: 3).target == Drag.Point(x: 8, y: 8))
    #expect(move.part(1, of: 3).target == Drag.Point(x: 6, y: 10))
    for i in 1..<3 { #expect(move.part(i, of: 3).source == move.part(i - 1, of: 3).target) }
  }

  @Test("squares are cut alike where either would leave the latent")
  func squares() {
    var method = Drag()
    method.radius = 3
    let move = Drag.Move(from: .init(x: 4, y: 2), to: .init(x: 9, y: 6))
    let (source, target) = method.squares(move, height: 8, width: 16)
    #expect(source.columns == 1..<7 && target.columns == 6..<12)
    #expect(source.rows == 0..<3 && target.rows == 4..<7)
  }

  @Test("without copy and paste the photo comes back bit for bit")
  func off() async throws {
    let (model, _) = nonlinearWorld()
    var method = method()
    method.copiesAndPastes = false
    let out = try await method.edit(photo, showing: cat, mask: mask, model: model, tape: tape)
    #expect(out.isIdentical(to: photo))
  }

  @Test("keeps the photo outside the mask bit for bit", arguments: Sampler.allCases)
  func outside(sampler: Sampler) async throws {
    let (model, counter) = nonlinearWorld()
    let method = method(sampler)
    let trace = Trace()
    let out = try await method.edit(
      photo, showing: cat, mask: mask, model: model, tape: tape, observer: trace.observer)
    #expect(out.isIdentical(to: photo, outside: mask) && out.distance(to: photo) > 0.01)
    #expect(counter.evaluations == method.evaluations)
    #expect(
      trace.latents("traj").count == method.dragCount && trace.latents("pasted").count == method.dragCount)
    let all = try await method.edit(photo, showing: cat, model: model, tape: tape)
    #expect(!all.isIdentical(to: photo, outside: mask))
  }

  @Test("an empty mask returns the photo", arguments: Sampler.allCases)
  func emptyMask(sampler: Sampler) async throws {
    let (model, _) = nonlinearWorld()
    let empty = Mask(height: 8, width: 16, repeating: 0)
    for observer in [EditObserver.none, Trace().observer] {
      let out = try await method(sampler).edit(
        photo, showing: cat, mask: empty, model: model, tape: tape, observer: observer)
      #expect(out.isIdentical(to: photo))
    }
  }

  @Test("guidance rises from 1 to slightly above its end, and is that end for a single step")
  func guidanceRamp() {
    var method = Drag()
    #expect(abs(method.guidance(1).scale - (1 + 2 / 119)) < 1e-15)
    #expect(abs(method.guidance(119).scale - 3) < 1e-15)
    #expect(abs(method.guidance(120).scale - 3.0168) < 5e-5)
    (method.steps, method.strength) = (2, 0.5)
    #expect(method.guidance(1).scale == 3)
  }

  @Test("lowers the factor of adapters along a cosine, to lora-min at level K − 1") func adapterSchedule() {
    var method = Drag()  // K = 120
    // f = (1 − cos(π·j/119))/2; the cosine is exact to 2⁻⁵⁰.
    #expect(abs(method.adapterScale(119) - 0.5) < 1e-14)
    #expect(abs(method.adapterScale(1) - (1 - 0.25 * (1 - 0.9996515418688489))) < 1e-14)
    #expect(abs(method.adapterScale(120) - (0.5 + 0.25 * (1 - 0.9996515418688489))) < 1e-14)
    method.minAdapterScale = 1
    #expect(method.adapterScale(60) == 1)
  }

  @Test("the ODE goes up and down by the timestep the latent is on")
  func odeTimesteps() async throws {
    struct Recorder: PointwisePredictor {
      let seen = Trace()
      func noise(_ query: NoiseQuery) -> Latent {
        seen.observer.tensor("asked", HostTensor(shape: [1], values: [Float(query.timestep)]))
        return query.latent
      }
    }
    let recorder = Recorder()
    let model = Diffusion(unet: recorder, schedule: .stableDiffusion, empty: cat)
    var method = method(.ode)
    (method.maxGuidance, method.moves) = (1, [Drag.Move(from: .init(x: 24, y: 24), to: .init(x: 32, y: 32))])
    _ = try await method.edit(photo, showing: cat, model: model, tape: tape)
    // K = 3 of the states 1, 167, 333, 499, 665, 831.
    #expect(recorder.seen.tensors("asked").flatMap(\.values) == [1, 167, 333, 499, 333, 167])
  }

  @Test("copies α·F to the target and leaves β·F with noise at the source", arguments: [1, 0])
  func copyAndPaste(cells: Int) async throws {
    let (model, _) = nonlinearWorld()
    var method = method()
    // One drag by (1, 1) cells, or by none: the copy then covers all of the noise.
    let target = Drag.Point(x: 24 + 8 * cells, y: 24 + 8 * cells)
    method.moves = [Drag.Move(from: .init(x: 24, y: 24), to: target)]
    #expect(method.dragCount == 1)
    let (before, after) = (Trace(), Trace())
    _ = try await method.edit(photo, showing: cat, model: model, tape: tape, observer: after.observer)
    method.copiesAndPastes = false
    _ = try await method.edit(photo, showing: cat, model: model, tape: tape, observer: before.observer)
    let (y, x) = (before.latents("pasted")[0], after.latents("pasted")[0])
    let noise = tape.normal(3, count: 1, height: 4, width: 4, channels: 4)[0]  // K = 3 forward draws first
    for row in 0..<8 {
      for column in 0..<16 {
        let inSource = (1..<5).contains(row) && (1..<5).contains(column)
        let inTarget = (1..<5).contains(row - cells) && (1..<5).contains(column - cells)
        for c in 0..<4 {
          let value = Double(y[row, column, c])
          let expected: Double
          if inTarget {
            expected = 1.1 * Double(y[row - cells, column - cells, c])
          } else if inSource {
            expected = 0.3 * value + 0.91.squareRoot() * Double(noise[row - 1, column - 1, c])
          } else {
            expected = value
          }
          #expect(x[row, column, c] == Float(expected))
        }
      }
    }
  }

  @Test("uses K draws and one per point for every drag", arguments: Sampler.allCases)
  func draws(sampler: Sampler) async throws {
    let (model, _) = nonlinearWorld()
    let method = method(sampler)
    var draws: [RecordedTape.Draw] = []
    for i in 0..<method.dragCount {
      if sampler == .sde {
        draws += (0..<3).map { .normal(Latent.stacked([latent(UInt64($0), height: 8, width: 16)])) }
      }
      for move in moves {
        let square = method.squares(move.inCells.part(i, of: method.dragCount), height: 8, width: 16).source
        draws.append(
          .normal(Latent.stacked([latent(5, height: square.rows.count, width: square.columns.count)])))
      }
    }
    let recorded = RecordedTape(draws)
    _ = try await method.edit(photo, showing: cat, model: model, tape: recorded)
    #expect(recorded.unused == [])
  }

  @Test("from one border to the other there is no square: skipped with a warning, nothing drawn")
  func border() async throws {
    let (model, _) = nonlinearWorld()
    var method = method()
    method.stepSize = 100
    method.moves = [Drag.Move(from: .init(x: 24, y: 3), to: .init(x: 24, y: 60))]
    let (trace, recorded) = (
      Trace(),
      RecordedTape((0..<3).map { .normal(Latent.stacked([latent(UInt64($0), height: 8, width: 16)])) })
    )
    let out = try await method.edit(
      photo, showing: cat, model: model, tape: recorded, observer: trace.observer)
    #expect(trace.warnings.count == 1 && recorded.unused == [] && out.isIdentical(to: photo))
  }

  @Test("refuses missing points and points outside the picture by number")
  func refusals() async throws {
    let (model, _) = nonlinearWorld()
    var method = method()
    method.moves.append(Drag.Move(from: .init(x: 0, y: 0), to: .init(x: 128, y: 10)))
    await #expect(throws: EditError.pointOutside(index: 2, x: 128, y: 10, width: 128, height: 64)) {
      _ = try await method.edit(photo, showing: cat, model: model, tape: tape)
    }
    method.moves = []
    #expect(throws: EditError.noPoints) { try method.validate(on: model.schedule) }
  }

  @Test("480 evaluations per drag of the defaults, K + 1 latents of storage")
  func cost() {
    var method = Drag()
    method.moves = [Drag.Move(from: .init(x: 100, y: 100), to: .init(x: 116, y: 100))]
    #expect(method.evaluations == 480)
    #expect(method.storageBytes(height: 64, width: 64) == 121 * 64 * 64 * 16)
    method.maxGuidance = 1
    #expect(method.evaluations == 240)
  }

  @Test("the automatic mask is the discs of three radii along the path")
  func automaticMask() {
    var method = Drag()
    (method.radius, method.moves) = (1, [Drag.Move(from: .init(x: 40, y: 40), to: .init(x: 80, y: 40))])
    let mask = method.automaticMask(height: 12, width: 20)
    for y in 0..<12 {
      for x in 0..<20 {
        let dx = max(5 - x, 0, x - 10)
        #expect(mask[y, x] == (dx * dx + (y - 5) * (y - 5) <= 9 ? 1 : 0))
      }
    }
  }
}
