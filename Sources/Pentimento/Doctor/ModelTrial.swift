import Editing
import Pictures

/// What an edit of a square picture, of the size that a model was trained on, takes on this machine.
public struct ModelTrial: Sendable {
  /// "sdedit": every model takes it.
  public let method: String
  /// Side of the picture in pixels.
  public let side: Int
  /// What the edit will hold at most, bytes.
  public let plannedPeak: Int
  /// Measured now, and remembered.
  public let speed: MachineSpeed
  /// An estimate for the whole edit; nil where a stage could not be timed.
  public let seconds: Double?

  /// Compares the model's containers with their hashes, plans, computes and reads for two seconds.
  ///
  /// - Throws: `RequestError.overBudget` where it does not fit into what the system leaves; `SystemRefusal`,
  ///   `WeightFileError`.
  public init(_ model: Model, threads: Int) throws {
    try model.verify()
    let editor = try Editor(model: model, threads: threads)
    side = model.nativeSize
    var request = EditRequest(try EditMethod(named: "sdedit"))
    request.picture = Picture(
      width: side, height: side, pixels: [UInt8](repeating: 128, count: side * side * 3))
    request.prompt = "a photo"
    request.size = .side(side)
    let job = try editor.prepare(request)
    (method, plannedPeak) = (job.methodName, job.plan.peak)
    speed = try job.machineSpeed(measuringAgain: true)
    seconds = job.plan.timed(at: speed).seconds
  }
}
