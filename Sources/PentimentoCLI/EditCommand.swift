import ArgumentParser
import ImageFiles
import Pentimento
import Tensors

struct EditCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "edit", abstract: "Edit a picture. The result has the size of the picture.")

  @OptionGroup var edit: EditOptions
  @OptionGroup var out: OutputOptions
  @OptionGroup var runtime: RuntimeOptions

  func validate() throws {
    guard edit.image != nil || edit.region.dragFile != nil || edit.inversion.inversion != nil else {
      throw ValidationError("Missing expected argument '--image <image>'")
    }
  }

  func run() async throws {
    try await reportingErrors {
      guard edit.picturePath != nil || edit.inversion.inversion != nil else {
        throw ValidationError(
          "no origin_image.png lies beside the --drag-file: name the picture with --image")
      }
      try checkOutputs()
      let editor = try runtime.editor()
      let input = try edit.input(for: editor.model)
      if edit.picturePath == nil, input.pastesBack {
        throw ValidationError(
          "what lies outside the mask is put back from the picture: name it with --image, "
            + "or give --no-paste-back")
      }
      let result = try await perform(input.request, choice: input.choice, editor, pictures: input.memory)
      let region = try edit.region.finish(result.mask, given: input.mask, input.geometry)
      var picture = input.geometry.restore(result.picture)
      if let region, let path = edit.picturePath, input.pastesBack {
        // Read again: nobody needed it while the networks ran.
        let original = try PictureFile.read(path)
        guard Extent(original) == input.geometry.picture else { throw PictureFileError.changed(path: path) }
        picture.pasteBack(original, outside: region)
      }
      try write(picture, result, out)
      try edit.inversion.write(result, input.geometry, edit.size)
    }
  }

  /// Refuses before the work starts what could not be written after it.
  private func checkOutputs() throws {
    let inputs = [
      edit.picturePath, edit.region.maskPath, edit.region.dragFile, edit.inversion.inversion,
    ]
    let outputs = [
      ("--output", out.output), ("--save-mask", edit.region.saveMask),
      ("--save-inversion", edit.inversion.saveInversion),
    ]
    try checkDistinct(outputs, sparing: inputs)
    try PictureFile.checkWritable(out.output)
    try edit.inversion.checkWritable()
  }
}
