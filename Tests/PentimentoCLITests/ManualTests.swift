import Foundation
import ImageFiles
import Testing

/// Runs what the manual has its readers type, each page in a folder as its reader has it. The models that it names are
/// the embedded one, told to take four steps; what takes minutes even so is begun and interrupted.
@Suite("The manual", .serialized) struct ManualTests {
  @Test("is there, with commands on most pages")
  func pages() throws {
    #expect(Manual.pages.count > 10)
    let counts = try Manual.pages.map { try $0.commands.count }
    #expect(counts.reduce(0, +) > 25)
  }

  @Test("has commands that work as they stand", arguments: Manual.pages)
  func commands(_ manual: Manual) async throws {
    let commands = try manual.commands
    guard !commands.isEmpty else { return }
    let place = try await Self.readersFolder()
    try place.add("jobs.jsonl", manual.jobs.joined(separator: "\n").utf8)
    for command in commands {
      let isLong = ["train-lora", "train-translator"].contains { command.hasPrefix("pentimento \($0) ") }
      let run = try await Command.shell(
        "pentimento() { exec \"$pentimento\" \"$@\"; }\n\(command)", in: place,
        model: place.url("model"), after: isLong ? 3 : nil
      ) { kill($0, SIGINT) }
      // One that ended within the seconds is done.
      let statuses = isLong ? [Status.done, Status.ended(by: SIGINT)] : [Status.done]
      #expect(run.exited && statuses.contains(run.status), "\(command)\n\(run.errors)")
    }
  }

  /// With photos, masks and models under the names that the manual gives them. Copies, since results go where links lead.
  private static func readersFolder() async throws -> Workplace {
    let (place, manager) = (try Workplace(), FileManager.default)
    func copy(_ file: URL, to names: String...) throws {
      for name in names { try manager.copyItem(at: file, to: place.url(name)) }
    }
    try manager.createSymbolicLink(at: place.url("Examples"), withDestinationURL: Manual.examples)
    try copy(Command.examples.appending(path: "colour-ball.source.png"), to: "photo.png")
    try copy(Command.examples.appending(path: "colour-ball.mask.png"), to: "mask.png")
    try copy(Manual.examples.appending(path: "Library/ball.jpg"), to: "photo.jpg", "ball.jpg")
    try copy(Manual.examples.appending(path: "translator.safetensors"), to: "balls.safetensors")

    // A folder takes the place of any file of the same networks.
    let quick = #"{"defaults": {"steps": 4}, "methods": {"pti": {"inner-steps": 1}}}"#
    try copy(Command.embeddedModel, to: "model")
    try manager.removeItem(at: place.url("model/pentimento.json"))
    try place.add("model/pentimento.json", quick.utf8)
    for (name, part) in [
      ("v1-5-pruned-emaonly.safetensors", ""), ("unet-Q8_0.gguf", ""),
      ("clip_l.safetensors", "/text_encoder"),
      ("vae.safetensors", "/vae"),
    ] {
      try manager.createSymbolicLink(
        at: place.url(name), withDestinationURL: place.url("model" + part))
    }
    let tiny = "taesd_decoder.safetensors"
    try manager.createDirectory(at: place.url(tiny), withIntermediateDirectories: false)
    let published = Command.smallModel.appending(path: "../../Networks/taesd").standardizedFileURL
    try copy(published.appending(path: "config.json"), to: tiny + "/config.json")
    try copy(
      published.appending(path: "weights.safetensors"), to: tiny + "/diffusion_pytorch_model.safetensors")

    for words in [
      ["quantize", "model", "sd15.safetensors", "--weights", "int8"],
      ["train-lora", "photo.png", "-p", "a ball", "--steps", "1", "-o", "lcm-lora-sdv1-5.safetensors"],
      ["edit", "-i", "photo.png", "--method", "sdedit", "-p", "a ball", "-o", "edit.png"],
    ] {
      let run = try await Command.run(words, in: place, model: place.url("model"))
      #expect(run.status == Status.done, "\(run.errors)")
    }
    return place
  }
}
