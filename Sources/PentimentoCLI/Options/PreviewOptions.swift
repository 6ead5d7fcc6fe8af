import ArgumentParser
import Files
import ImageFiles
import Pentimento
import Synchronization

/// Pictures of an edit on its way.
struct PreviewOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Show in a picture (.png, .jpg or .ppm) what the edit has come to: a linear guess from the latent, soft and cheap. It "
        + "is replaced as the edit goes on.", valueName: "file"), completion: .pictures)
  var preview: String?

  @Option(parsing: .unconditional, help: "Steps from one preview to the next. (default: 5)")
  var previewEvery: Int?

  func validate() throws {
    guard preview != nil || previewEvery == nil else {
      throw ValidationError("--preview-every is for --preview: name a file there, or leave it out")
    }
    if let previewEvery, previewEvery < 1 {
      throw ValidationError("--preview-every takes a whole number of steps, 1 or more")
    }
  }

  /// With the option that named it.
  var named: [NamedFile] { preview.map { [NamedFile("--preview", $0)] } ?? [] }

  /// Refuses before the work starts what could not be written during it.
  func check() throws { if let preview { try PictureFile.checkWritable(preview) } }

  /// Writes what it is shown. A preview that cannot be written is none: that is said once.
  var watch: RunWatch.Preview? {
    guard let preview else { return nil }
    let complaint = Once()
    return RunWatch.Preview(every: previewEvery ?? 5) { picture, step in
      do {
        try PictureFile.write(picture, to: preview, keepsEXIF: false)
        Messages.previewed(preview, step: step)
      } catch  where complaint.isFirst() {
        note("there are no previews, the edit goes on: \(sentence(for: error))")
      } catch {}
    }
  }
}

/// Something that is to happen once.
private final class Once: Sendable {
  private let has = Atomic(false)

  func isFirst() -> Bool { !has.exchange(true, ordering: .relaxed) }
}
