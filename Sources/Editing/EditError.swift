import Tensors

/// Why an edit could not be prepared or had to stop. Every case explains itself in a sentence.
public enum EditError: Error, Equatable {
  // The checkpoint.
  case unsupportedSchedule(String)
  case unsupportedPrediction(String)
  case unsupportedScheduler(option: String, value: String)
  case unsupportedSampler(String, reason: String)
  /// The network has no layer for the guidance weight that it was told.
  case guidanceNotHeard
  /// A model whose network is told the guidance, with a method that does not tell it.
  case needsToldGuidance(method: String, known: [String])

  // The request.
  case parameter(method: String, name: String, value: String, allowed: String)
  case gridTooFine(steps: Int, limit: Int)
  case nothingToDo(method: String, reason: String)
  case missing(method: String, need: String)
  case emptyPrompt(method: String)
  case concept(String, reason: String)
  case conceptCount(method: String, settings: Int, conditions: Int)
  case maskSize(expected: [Int], found: [Int])
  case maskValues
  case noPoints
  case pointOutside(index: Int, x: Int, y: Int, width: Int, height: Int)
  case noAttentionMaps(method: String)
  case inversionDoesNotFit(reason: String)
  case inversionMade(with: String, made: String, asked: String)

  // The tape.
  case tapeEnded(draw: Int, count: Int)
  case tapeType(draw: Int, expected: String, found: String)
  case tapeShape(draw: Int, expected: [Int], found: [Int])
  case tapeInteger(draw: Int, value: Int, range: ClosedRange<Int>)

  // The run.
  case nonFinite(method: String, step: Int)
  case gradientNotFinite(method: String, step: Int)
  case otherProgress(method: String)
  case diverged(method: String, step: Int, limit: Float)
  case noPicture(method: String, limit: Float)
}

extension EditError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .unsupportedSchedule(let name):
      "the checkpoint's beta_schedule \"\(name)\" is not supported: use a checkpoint with "
        + "\"scaled_linear\" or \"linear\""
    case .unsupportedPrediction(let name):
      "the checkpoint's prediction_type \"\(name)\" is not supported: use a checkpoint with "
        + "\"epsilon\" or \"v_prediction\""
    case .unsupportedScheduler(let option, let value):
      "the checkpoint's scheduler sets \(option) to \(value), which no editing method here is defined for: "
        + "use a Stable Diffusion checkpoint without it"
    case .unsupportedSampler(let name, let reason):
      "the model's sampler is \(name), since \(reason), which no editing method here is defined for: "
        + "use the checkpoint that it was made from"
    case .guidanceNotHeard:
      "the model's network has no layer that is told the guidance weight: leave embed-guidance out"
    case .needsToldGuidance(let method, let known):
      "\(method) is not defined for a latent consistency model, whose network is told the guidance: use "
        + "\(known.joined(separator: ", ")), or the model that it was distilled from"
    case .parameter(let method, let name, let value, let allowed):
      "\(name) \(value) of \(method) is not allowed: give \(allowed)"
    case .gridTooFine(let steps, let limit):
      "\(steps) steps do not fit into the model's timesteps: give 1 to \(limit)"
    case .nothingToDo(let method, let reason):
      "\(method) would return the input: \(reason)"
    case .missing(let method, let need):
      "\(method) needs \(need): give one"
    case .emptyPrompt(let method):
      "\(method) needs a prompt that says something: describe the result"
    case .concept(let text, let reason):
      "the concept \"\(text)\" is not understood: \(reason); write for example \"+snow:7\" or "
        + "\"-glasses:5,threshold=0.9\""
    case .conceptCount(let method, let settings, let conditions):
      "\(method) has settings for \(settings) concepts and texts for \(conditions): give one text per concept"
    case .maskSize(let expected, let found):
      "the mask has \(found[0])×\(found[1]) cells and the latent \(expected[0])×\(expected[1]): "
        + "resize the mask to the picture's size"
    case .maskValues:
      "the mask has values outside 0…1: save it as an ordinary 8-bit picture"
    case .noPoints:
      "drag needs at least one pair of points: give where to drag from and where to"
    case .pointOutside(let index, let x, let y, let width, let height):
      "point \(index + 1) at (\(x), \(y)) lies outside the picture of \(width)×\(height) pixels: move it inside"
    case .noAttentionMaps(let method):
      "this model has no cross-attention maps at a quarter of the latent's size, which \(method) was asked to "
        + "use: choose the mask mode \"noise\""
    case .inversionDoesNotFit(let reason):
      "the inversion does not fit the edit: \(reason)"
    case .inversionMade(let name, let made, let asked):
      "the inversion was made with \(name) \(made), \(asked) is asked for: leave that out, or invert again"
    case .tapeEnded(let draw, let count):
      "the recorded tape has \(count) draws and draw \(draw) was asked for: record it with the same parameters"
    case .tapeType(let draw, let expected, let found):
      "draw \(draw) of the recorded tape is \(found), \(expected) was asked for: "
        + "record it with the same method and parameters"
    case .tapeShape(let draw, let expected, let found):
      "draw \(draw) of the recorded tape has shape \(found), \(expected) was asked for: "
        + "record it at the same picture size"
    case .tapeInteger(let draw, let value, let range):
      "draw \(draw) of the recorded tape is \(value), outside \(range.lowerBound)…\(range.upperBound): "
        + "record it with the same parameters"
    case .nonFinite(let method, let step):
      "\(method) produced a value that is not finite at step \(step): "
        + "lower the guidance, or use the model at full precision"
    case .gradientNotFinite(let method, let step):
      "\(method) found a loss or a gradient that is not finite at step \(step) and changed nothing with it: "
        + "lower the guidance or the learning rate, or use the model at full precision"
    case .otherProgress(let method):
      "what was kept of an interrupted run is not of this \(method): name its checkpoint, or remove it to start anew"
    case .noPicture(let method, let limit):
      "\(method) ended with a latent value beyond \(limit), which shows nothing: lower the guidance or the concepts"
    case .diverged(let method, let step, let limit):
      "\(method) ran away at step \(step) (a latent value beyond \(limit)): lower the learning rate"
    }
  }
}

extension Latent {
  /// The latent itself if every value is finite.
  func checked(_ method: String, step: Int) throws(EditError) -> Latent {
    guard isFinite else { throw .nonFinite(method: method, step: step) }
    return self
  }
}

extension Mask {
  /// Throws unless the mask fits `latent` and holds values in 0…1.
  func check(for latent: Latent) throws(EditError) {
    guard height == latent.height, width == latent.width else {
      throw .maskSize(expected: [latent.height, latent.width], found: [height, width])
    }
    guard isValid else { throw .maskValues }
  }

  /// Warns if nothing is editable. The run is then needless, unless its path or its inversion is
  /// wanted.
  ///
  /// - Parameter soft: the mask as it was given, where this one is cut at a half.
  func leavesNothing(_ observer: EditObserver, cutFrom soft: Mask? = nil) -> Bool {
    guard isEmpty else { return false }
    // The decoder still has its say, so nothing is promised of pixels.
    observer.warn(
      soft?.isEmpty == false
        ? "No part of the mask is at least half white: the edit may change nothing."
        : "The mask is empty: the edit may change nothing.")
    return !observer.isTracing && !observer.keepsInversion
  }
}
