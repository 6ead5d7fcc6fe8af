import Editing
import Files
import FoundationEssentials
import Kernels
import OperatorCases
import Pentimento
import Platform
import Tensors

/// The kernels of some instruction sets beside the scalar twins, and beside each other where they promise the same bits.
struct Verification {
  struct Failed: Error, CustomStringConvertible {
    var failures: [String]
    var description: String { "\(failures.count) results differ: \(failures.joined(separator: "; "))" }
  }

  /// The scalar set first.
  private let sets: [KernelSet]
  private let threads: Int
  private let say: (String) throws -> Void
  private(set) var failures: [String] = []

  /// Of the reference edit of a set that may round otherwise, from those that agree: a level in a few pixels.
  private static let nearestDecibels = 40.0

  init(_ sets: [KernelSet], threads: Int, _ say: @escaping (String) throws -> Void) throws {
    (self.sets, self.threads, self.say) = (sets, threads, say)
  }

  /// The variants of SHA-256, which belong to no set.
  mutating func checkHashes() throws {
    for (name, isRight) in SHA256.variants {
      try line("hash", name, "equal to plain C", isRight ? [] : ["differs"])
    }
  }

  /// Every operator and its gradients, in the sizes of the tests and in larger ones.
  mutating func checkOperators() throws {
    let pools = try sets.map { try ThreadPool(threads: threads, kernels: $0) }
    let uses = OperatorResults.Use.all(.small) + OperatorResults.Use.all(.medium)
    var faults = [[String]](repeating: [], count: sets.count)
    for use in uses {
      try Task.checkCancellation()
      let results = try pools.map { try OperatorResults(use, $0) }
      let first = sets.firstIndex(where: \.sharesBits)
      for (i, set) in sets.enumerated().dropFirst() {
        faults[i] += results[i].differences(from: results[0])
        if let first, first != i, set.sharesBits {
          faults[i] += results[i].changes(from: results[first]).map {
            "\($0): other bits than \(sets[first].name)"
          }
        }
      }
    }
    let first = sets.first(where: \.sharesBits)?.name
    for (set, faults) in zip(sets, faults).dropFirst() {
      let also = set.sharesBits && set.name != first ? ", the same bits as \(first!)" : ""
      try line("operators", set.name, "\(uses.count) beside the scalar twin\(also)", faults)
    }
  }

  /// One edit of a made-up picture with the embedded model, in float weights and in int8; and the int8 file itself.
  mutating func checkEdits() async throws {
    let embedded = try Model(at: ModelLocation.find(nil))
    let folder = FileManager.default.temporaryDirectory.appending(
      path: "pentimento-verify-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    var models = [("edit", embedded)]
    var files: [String] = []
    for set in sets {
      let file = folder.appending(path: "\(set.name).safetensors")
      _ = try embedded.quantize(
        to: file, QuantizationRequest(precision: .int8), ThreadPool(threads: threads, kernels: set))
      files.append(SHA256.hex(of: Array(try Data(contentsOf: file))))
    }
    for (set, file) in zip(sets, files).dropFirst() {
      try line("int8 file", set.name, file, file == files[0] ? [] : ["other bytes than scalar's \(files[0])"])
    }
    models.append(("edit in int8", try Model(at: folder.appending(path: "\(sets[0].name).safetensors"))))
    for (title, model) in models { try await check(title, model) }
  }

  private mutating func check(_ title: String, _ model: Model) async throws {
    let alone = try await Self.edit(model, threads: 1, sets.last!)
    var pictures: [Picture] = []
    for set in sets { pictures.append(try await Self.edit(model, threads: max(2, threads), set)) }
    let reference = sets.firstIndex(where: \.sharesBits) ?? 0
    for (i, set) in sets.enumerated() {
      var faults: [String] = []
      let hash = SHA256.hex(of: pictures[i].pixels)
      var what = hash
      if set.sharesBits {
        if pictures[i] != pictures[reference] {
          faults.append("another picture than that of \(sets[reference].name)")
        }
      } else {
        let decibels = Self.decibels(pictures[i], pictures[reference])
        what +=
          decibels == .infinity ? "" : ", \((10 * decibels).rounded() / 10) dB from \(sets[reference].name)"
        if decibels < Self.nearestDecibels { faults.append("\(decibels) dB from \(sets[reference].name)") }
      }
      if i == sets.count - 1, alone != pictures[i] { faults.append("another picture with one thread") }
      try line(title, set.name, what, faults)
    }
  }

  private static func edit(_ model: Model, threads: Int, _ set: KernelSet) async throws -> Picture {
    let editor = try Editor(
      model: model, threads: threads, maximumMemory: nil, reachable: nil, kernels: set)
    return try await ReferenceEdit(editor).picture
  }

  private static func decibels(_ a: Picture, _ b: Picture) -> Double {
    let squares = zip(a.pixels, b.pixels).reduce(0) { sum, pair in
      let distance = Int(pair.0) - Int(pair.1)
      return sum + distance * distance
    }
    guard squares > 0 else { return .infinity }
    return 10 * log10(255 * 255 * Double(a.pixels.count) / Double(squares))
  }

  /// Says what was found, and remembers it where it is wrong.
  private mutating func line(_ subject: String, _ variant: String, _ what: String, _ faults: [String]) throws
  {
    failures += faults.map { "\(subject), \(variant): \($0)" }
    let outcome = faults.isEmpty ? what : "WRONG: \(faults.count) results, the first \(faults[0])"
    try say(subject.padding(to: 14) + variant.padding(to: 24) + outcome)
  }
}
