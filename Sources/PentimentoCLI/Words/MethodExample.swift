import Editing

extension EditingMethod {
  /// A command that edits `photo.png` with the method, from what its table says that it needs.
  ///
  /// - Parameter goal: what the prompts are about; nil: the first that the method is good for.
  static func example(for goal: MethodSummary.Goal? = nil) -> String {
    let goal = goal ?? about.goals.first
    let words = goal?.words ?? Words(source: "a red ball on snow", target: "a red ball on snow at night")
    let needs = about.needs
    guard needs.contains(.image) else {
      let concept = needs.contains(.concepts) ? #" --concept "\#(words.concept)""# : ""
      return #"pentimento generate -p "\#(words.source)"\#(concept) -o out.png"#
    }
    var parts = ["pentimento edit --method \(about.name) -i photo.png"]
    if needs.contains(.mask) { parts.append("--mask mask.png") }
    if needs.contains(.points) { parts.append("--drag 40,40:60,40") }
    if needs.contains(.sourcePrompt) { parts.append(#"--source-prompt "\#(words.source)""#) }
    if needs.contains(.targetPrompt) { parts.append(#"-p "\#(words.target)""#) }
    if needs.contains(.concepts) { parts.append(#"--concept "\#(words.concept)""#) }
    if needs.contains(.translator) {
      parts.append(#"--translator balls.safetensors --task "\#(words.object)""#)
    }
    return (parts + ["-o out.png"]).joined(separator: " ")
  }
}

/// What an example says of its picture before and after.
private struct Words {
  var source: String
  var target: String
  var concept = "+a watercolor"
  var object = "a green ball"
}

extension MethodSummary.Goal {
  fileprivate var words: Words {
    switch self {
    case .colour, .fast:
      Words(source: "a red ball on snow", target: "a green ball on snow", concept: "+a green ball")
    case .object:
      Words(
        source: "a ball on snow", target: "a cube on snow", concept: "+a cube", object: "a red cube")
    case .style: Words(source: "a photo of a house", target: "a watercolor of a house")
    case .move: Words(source: "a ball on snow", target: "a ball on snow on the right")
    case .remove: Words(source: "a ball on snow", target: "snow", concept: "-a ball")
    }
  }
}
