import ImageFiles

/// Who looks at a run while it goes: at its stages, at what there is to say of its inputs, at what it has come to.
/// Nothing of it changes a bit of the result.
///
///     try await RunWatch.$current.withValue(watch) { try await job.run() }
public struct RunWatch: Sendable {
  /// Of what runs in the task; nil where nobody looks.
  @TaskLocal public static var current: RunWatch?

  /// Told the name of a stage, as the plan has it, when it begins.
  public var stage: @Sendable (_ name: String) -> Void
  /// Told sentences on what was given as soon as they are known, which is before the work, and what methods warn of.
  public var note: @Sendable (_ sentence: String) -> Void
  /// Told the parts of prompts that the model does not read, before the work.
  public var cut: @Sendable (_ text: String) -> Void
  /// Nil where nobody wants to see the edit on its way. A request says so, too (`EditRequest.showsPreviews`).
  public var preview: Preview?

  /// Pictures of an edit on its way.
  public struct Preview: Sendable {
    /// Steps of the method from one picture to the next, 1 or more.
    public var every: Int
    /// Shown what the edit has come to. The picture has the size at which the networks work and is made row by row; what
    /// this takes is in the plan as far as a PNG or a JPEG is written.
    public var show: @Sendable (_ picture: any PictureSource, _ step: Int) -> Void

    public init(
      every: Int, show: @escaping @Sendable (_ picture: any PictureSource, _ step: Int) -> Void
    ) {
      precondition(every > 0, "a preview every \(every) steps")
      (self.every, self.show) = (every, show)
    }
  }

  public init(
    stage: @escaping @Sendable (_ name: String) -> Void = { _ in },
    note: @escaping @Sendable (_ sentence: String) -> Void = { _ in },
    cut: @escaping @Sendable (_ text: String) -> Void = { _ in }, preview: Preview? = nil
  ) {
    (self.stage, self.note, self.cut, self.preview) = (stage, note, cut, preview)
  }
}
