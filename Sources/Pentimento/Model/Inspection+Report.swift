import FoundationEssentials
import Packing
import StableDiffusion
import WeightStorage

extension Inspection {
  /// What `describe` says, for programs. Later versions keep these fields and may add others.
  public struct Report: Encodable, Sendable {
    /// What is at the path.
    public enum Kind: String, Encodable, Sendable { case model, weights }

    public var kind: Kind
    public var path: String
    /// Of a model, from here on down to its defaults: its family, "Stable Diffusion 1".
    public var family: String?
    /// Side of the square pictures that it was made for, in pixels.
    public var nativeSize: Int?
    /// Sides of working pictures are multiples of it.
    public var sizeMultiple: Int?
    /// "epsilon" or "v_prediction".
    public var predicts: String?
    /// Of the grid of timesteps.
    public var trainingSteps: Int?
    /// A container's version; missing for other files.
    public var containerVersion: String?
    /// What the program says of how it reads the model.
    public var notes: [String]?
    public var files: [File]

    /// Tensors of one network, or of a file that is no model.
    public struct File: Encodable, Sendable {
      public var label: String
      public var tensors: Int
      public var numbers: Int
      public var bytes: Int
      public var types: [ElementType]
      /// Where every tensor was asked for, in the order of their names.
      public var list: [Tensor]?
    }

    public struct ElementType: Encodable, Sendable {
      public var type: String
      public var tensors: Int
      public var bytes: Int
    }

    public struct Tensor: Encodable, Sendable {
      public var name: String
      public var type: String
      public var shape: [Int]
    }
  }

  /// What is at a path, for programs.
  ///
  /// - Parameters: see `describe`.
  public static func report(
    _ url: URL, isForModel: Bool = false, _ open: (URL) throws -> Model, tensors: Bool
  ) throws -> Report {
    if let path = try weightFile(at: url, isForModel: isForModel) {
      let file = try openTensorFile(path: path)
      return Report(kind: .weights, path: path, files: [Report.File(file.tensors, path, lists: tensors)])
    }
    let model = try open(url)
    var report = Report(
      kind: .model, path: model.files.path,
      files: model.components.map(\.checkpoint).map { Report.File($0.tensors, $0.label, lists: tensors) })
    (report.family, report.notes) = (model.family, model.notes)
    (report.nativeSize, report.sizeMultiple) = (model.nativeSize, model.sizeMultiple)
    report.predicts = model.schedule.prediction.rawValue
    report.trainingSteps = model.schedulerConfiguration.trainingSteps
    report.containerVersion = (model.files as? ContainerModel)?.container.version
    return report
  }
}

extension Inspection.Report.File {
  fileprivate init(_ entries: [TensorEntry], _ label: String, lists: Bool) {
    self.init(
      label: label, tensors: entries.count, numbers: entries.reduce(0) { $0 + $1.count },
      bytes: entries.reduce(0) { $0 + $1.range.count }, types: [])
    let groups = Dictionary(grouping: entries, by: \.element).sorted { $0.key.rawValue < $1.key.rawValue }
    types = groups.map { (element, group) -> Inspection.Report.ElementType in
      Inspection.Report.ElementType(
        type: element.rawValue, tensors: group.count, bytes: group.reduce(0) { $0 + $1.range.count })
    }
    guard lists else { return }
    list = entries.sorted { $0.name < $1.name }.map {
      Inspection.Report.Tensor(name: $0.name, type: $0.element.rawValue, shape: $0.shape)
    }
  }
}
