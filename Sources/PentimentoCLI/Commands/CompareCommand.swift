import ArgumentParser
import FoundationEssentials
import ImageFiles
import Pentimento
import Tensors
import WeightStorage

struct CompareCommand: RunCommand {
  static let configuration = CommandConfiguration(
    commandName: "compare",
    abstract: "Measure how close a quantized model computes to its original, or compare two containers.",
    discussion: """
      With a picture: signal-to-noise ratios in decibels, of every network on the same inputs, of reconstructions from an inversion \
      and of edits of a picture. 6 dB are half the error. \
      Without one: which weights of two containers differ, how either stores them, and what that lost.
      """)

  @Argument(help: "The quantized model, or a container.", completion: .models) var model: String
  @Argument(help: "The model that it was made from, or another container.", completion: .models)
  var reference: String

  @Option(name: [.customShort("i"), .customLong("image")], help: "A picture.", completion: .pictures)
  var picture: String?

  @Option(name: .long, parsing: .unconditional, help: "What the picture shows.") var sourcePrompt: String?
  @Option(name: .shortAndLong, parsing: .unconditional, help: "What an edit should make of it.")
  var prompt: String?

  @Flag(inversion: .prefixedNo, help: "Compare whole edits too, which takes most of the time.")
  var edits = true

  @OptionGroup var numerics: NumericsOptions

  @Option(help: "The same for the other model: a file beside itself shows what int8 attention costs.")
  var referenceAttention = AttentionArithmetic.int8

  @OptionGroup var size: SizeOptions
  @OptionGroup var reading: ModelReadingOptions

  @OptionGroup var parallel: ThreadOptions

  @Option(help: "json: the figures as JSON instead of a table.")
  var report: ReportFormat?

  var computing: ThreadOptions? { parallel }
  var reportsJSON: Bool { report == .json }

  func validate() throws {
    let given = [picture, sourcePrompt, prompt].compactMap { $0 }.count
    if given == 0, size.size != nil || !edits {
      let option = edits ? "--size" : "--no-edits"
      throw ValidationError(
        "\(option) is for networks that are compared on a picture: give --image, --source-prompt and --prompt")
    }
    guard given > 0, given < 3 else { return }
    throw ValidationError(
      "networks are compared on a picture: give --image, --source-prompt and --prompt, or none of them for two containers"
    )
  }

  func run() async throws {
    guard let picture, let sourcePrompt, let prompt else {
      let comparison: ContainerComparison
      do { comparison = try ContainerComparison(model, reference) } catch WeightFileError.noHashes(let file) {
        throw ValidationError(
          "\(file) is no container: give --image, --source-prompt and --prompt to compare networks on a picture")
      }
      if report == .json { return try StandardOutput.write(json: comparison) }
      return try StandardOutput.write(comparison.table)
    }
    let (model, reference) = try (
      reading.open(URL(fileURLWithPath: model)), reading.open(URL(fileURLWithPath: reference))
    )
    let fidelity = try await Fidelity(
      of: model.computing(attention: numerics.attention, activations: numerics.precision),
      against: reference.computing(attention: referenceAttention), picture: OpenPicture(picture),
      prompts: (sourcePrompt, prompt),
      size: size.request, withEdits: edits, threads: parallel.threads,
      progress: { note("comparing: \($0)") })
    if report == .json { return try StandardOutput.write(json: fidelity) }
    let lines = fidelity.rows.map { row in
      row.part.padding(to: 34) + (row.decibels.map { "\($0) dB" } ?? "equal")
    }
    try StandardOutput.write(lines.joined(separator: "\n"))
  }
}
