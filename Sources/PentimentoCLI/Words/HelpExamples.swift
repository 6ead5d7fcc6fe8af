/// Commands that work as they stand, one after the other, in any folder that can be written: nothing is needed but the
/// program and a model. Help and the manual show them, and a test runs them.
struct HelpExample: Sendable {
  var meaning: String
  var command: String

  private init(_ meaning: String, _ command: String) { (self.meaning, self.command) = (meaning, command) }

  /// What is edited below.
  static let picture = "ball.png"

  private static let make = HelpExample(
    "make a picture to begin with, or take a photo",
    #"pentimento generate -p "a red ball on snow at night" -o ball.png"#)
  private static let recolour = HelpExample(
    "say what the result shows",
    #"pentimento edit -i ball.png -p "a green ball on snow at night" -o green.png"#)
  private static let fast = HelpExample(
    "in fewer steps: say what the picture shows, too",
    """
    pentimento edit --fast -i ball.png --source-prompt "a red ball on snow at night" \
    -p "a blue ball on snow at night" -o blue.png
    """)
  private static let concept = HelpExample(
    "add something (+) or remove something (-)",
    #"pentimento edit -i ball.png --concept "+a watercolor" -o watercolor.png"#)
  private static let again = HelpExample(
    "the same edit with other noise", "pentimento edit --params-from green.png --seed -1 -o other.png")

  /// Of the program as a whole.
  static let first = [make, recolour, again]

  /// Of a command. Those of `edit` begin with `ball.png`, which the examples of the program make.
  static let all: [String: [HelpExample]] = [
    "edit": [recolour, fast, concept],
    "generate": [
      make,
      HelpExample(
        "in another shape, drawn with any noise",
        #"pentimento generate -p "a red ball on snow at night" --size 128x96 --seed -1 -o wide.png"#),
    ],
    "plan": [
      HelpExample(
        "before an edit is run", #"pentimento plan -i ball.png -p "a green ball on snow at night""#)
    ],
    "methods": [
      HelpExample("what is good for another colour", "pentimento methods --for colour"),
      HelpExample("one method with all its settings", "pentimento methods ddpm-inversion"),
      HelpExample("the same for a program", "pentimento methods ddpm-inversion --report json"),
    ],
    "inspect": [
      HelpExample("the model that is used", "pentimento inspect"),
      HelpExample("what made a picture", "pentimento inspect ball.png"),
    ],
    "completions": [
      HelpExample(
        "for the shell that reads this", #"eval "$(pentimento completions bash)""#)
    ],
    "man": [HelpExample("a page for man", "pentimento man > pentimento.1")],
  ]
}
