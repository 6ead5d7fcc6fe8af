import ArgumentParser

/// What is no text in prompts of other programs.
enum PromptWords {
  /// Refuses what a prompt cannot say here and would be read as text: `<lora:name:0.8>`.
  ///
  /// - Throws: `ValidationError`.
  static func check(_ prompt: String?) throws {
    guard let prompt, let word = networkWord(in: prompt[...]) else { return }
    let parts = word.dropFirst().dropLast().split(separator: ":")
    guard ["lora", "lyco"].contains(parts[0].lowercased()) else {
      throw ValidationError(
        "\(word) in a prompt is text to the model, and such networks are not read: take it out of the prompt")
    }
    let scale = parts.count > 2 ? ":\(parts[2])" : ""
    throw ValidationError(
      "\(word) in a prompt is text to the model: take it out and give --lora \(parts[1]).safetensors\(scale)")
  }

  /// The first `<kind:name…>` of a kind that A1111's web UI knows.
  private static func networkWord(in text: Substring) -> Substring? {
    var rest = text
    while let start = rest.firstIndex(of: "<") {
      rest = rest[start...]
      guard let end = rest.firstIndex(of: ">") else { return nil }
      let parts = rest[..<end].dropFirst().split(separator: ":")
      if parts.count > 1, ["lora", "lyco", "hypernet"].contains(parts[0].lowercased()) {
        return rest[...end]
      }
      rest = rest.dropFirst()
    }
    return nil
  }
}
