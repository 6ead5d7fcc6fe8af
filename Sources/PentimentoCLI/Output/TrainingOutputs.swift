import ArgumentParser
import Files
import ImageFiles
import Pentimento

/// What a training leaves.
struct TrainingOutputOptions: ParsableArguments {
  @Option(
    name: .shortAndLong, help: "The file to write; ends in .safetensors.",
    completion: .file(extensions: ["safetensors"]))
  var output: String

  @OptionGroup var plot: PlotOptions

  @Option(help: "Print a report, with every loss, instead of the path of the result: json.")
  var report: ReportFormat?

  func validate() throws {
    guard output.hasSuffix(".safetensors") else {
      throw ValidationError("\(output): the file to write has to end in .safetensors")
    }
  }

  /// With the options that named them.
  var named: [NamedFile] { [NamedFile("--output", output)] + plot.named }

  /// Puts the results in place, all or none.
  ///
  /// - Parameter body: writes the trained file.
  func write(_ losses: [Double], _ body: (PartialFile) throws -> Void) throws {
    let file = try PartialFile(path: output)
    try body(file)
    let plot = try plot.file(losses)
    try Task.checkCancellation()
    try PartialFile.commit([file] + (plot.map { [$0] } ?? []))
  }

  /// Says on standard output what was made: its path, or the report.
  func print(_ report: TrainingReport) throws {
    switch self.report {
    case .json: try StandardOutput.write(json: report)
    case nil: try StandardOutput.write(path: output)
    }
  }
}

/// A picture of the losses.
struct PlotOptions: ParsableArguments {
  @Option(help: "Draw the loss of every step (.png or .ppm).", completion: .pictures)
  var plot: String?

  /// With the option that named it.
  var named: [NamedFile] { plot.map { [NamedFile("--plot", $0)] } ?? [] }

  /// Refuses before the work starts what could not be written after it.
  func check() throws { if let plot { try PictureFile.checkWritable(plot) } }

  /// The drawing, to be put in place.
  func file(_ losses: [Double]) throws -> PartialFile? {
    guard let plot else { return nil }
    let file = try PartialFile(path: plot)
    try PictureFile.write(LossPlot(losses).picture, into: file, metadata: [])
    return file
  }
}
