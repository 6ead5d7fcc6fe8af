import Editing
import Foundation
import Testing

@Suite("Completions", .serialized) struct CompletionTests {
  /// What the program answers the scripts: words without their meanings, or the line that asks for files.
  private func words(_ line: String...) async throws -> [String] {
    let run = try await Command.run(["__complete", "--"] + line, in: Workplace())
    #expect(run.status == Status.done, "\(line): \(run.errors)")
    return run.output.split(separator: "\n").map { String($0.prefix { $0 != "\t" }) }
  }

  @Test("commands, options, methods, values and files are completed")
  func answers() async throws {
    #expect(try await words("me") == ["methods"])
    #expect(try await words("help", "edi") == ["edit"])
    #expect(try await words("edit", "--meth") == ["--method"])
    #expect(try await words("edit", "--method", "ddpm") == ["ddpm-inversion"])
    #expect(try await words("edit", "--method=ddpm") == ["--method=ddpm-inversion"])
    #expect(try await words("methods", "cycle") == ["cycle-diffusion", "cycle-sde"])
    #expect(try await words("methods", "--for", "") == MethodSummary.Goal.allCases.map(\.rawValue))
    #expect(try await words("edit", "--sampler", "") == ["ode", "sde", "lcm"])
    #expect(
      try await words("edit", "--method", "pti", "--preset", "") == PromptTuningInversion.presets.map(\.name))
    #expect(try await words("edit", "-i", "") == [":files png jpg jpeg ppm pgm"])
    #expect(try await words("edit", "-m", "x") == [":files safetensors gguf"])
    #expect(try await words("batch", "--out", "") == [":folders"])
    #expect(try await words("quantize", "model", "") == [":files safetensors"])
    // A prompt is nobody's word but the user's.
    #expect(try await words("edit", "-p", "--") == [])
  }

  @Test("settings are those of the chosen method, and what was given is not offered again")
  func settings() async throws {
    let all = Set(try await words("edit", "--"))
    let drag = Set(try await words("edit", "--method", "drag", "-i", "a.png", "--"))
    let settings = Set(EditMethods.all.options.map { "--\($0)" })
    #expect(settings.isSubset(of: all))
    #expect(drag.intersection(settings) == Set(Drag.options.map { "--\($0)" }))
    #expect(drag.isDisjoint(with: ["--image", "--method"]) && drag.isSuperset(of: ["--prompt", "--drag"]))
    #expect(!Set(try await words("generate", "--")).contains("--radius"))
  }

  /// As bash does after a tab: words in COMP_WORDS, taken apart at "=" too.
  @Test("the script of bash completes a method and a file")
  func bash() async throws {
    let place = try Workplace.furnished()
    for name in ["phone.txt", "photo two.jpg"] { try place.add(name, "x".utf8) }
    try FileManager.default.createDirectory(at: place.url("phones"), withIntermediateDirectories: false)
    func completed(_ words: [String]) async throws -> [String] {
      let script = #"""
        exec bash -c 'eval "$("$pentimento" completions bash)" || exit 3
          COMP_WORDS=("$pentimento" "$@"); COMP_CWORD=$#; _pentimento; printf "%s\n" "${COMPREPLY[@]}"' bash "$@"
        """#
      let run = try await Command.shell(script, words, in: place)
      #expect(run.status == Status.done && run.errors == "", "\(run.errors)")
      return run.output.split(separator: "\n").map(String.init).sorted()
    }
    #expect(try await completed(["edit", "--method", "led"]) == ["ledits", "ledits++"])
    #expect(try await completed(["edit", "--method", "=", "dra"]) == ["drag"])
    #expect(try await completed(["edit", "-i", "pho"]) == ["phones", "photo two.jpg", "photo.png"])
    #expect(try await completed(["edit", "--image", "=", "photo.p"]) == ["photo.png"])
    #expect(try await completed(["edit", "--concept", "+snow", ":", "7", "--pro"]).first == "--progress")
  }

  @Test("fish, where it is, completes a method, a setting and a file")
  func fish() async throws {
    let script = #"""
      command -v fish >/dev/null || exit 77
      export HOME=$PWD PATH=$(dirname "$pentimento"):$PATH
      exec fish --no-config -c 'pentimento completions fish | source
        complete -C "pentimento edit --method led"
        complete -C "pentimento edit --method drag --ra"
        complete -C "pentimento edit --image=ma"'
      """#
    let place = try Workplace.furnished()
    try place.add("map.txt", "x".utf8)
    let run = try await Command.shell(script, in: place)
    guard run.status != 77 else { return }
    let words = run.output.split(separator: "\n").map { String($0.prefix { $0 != "\t" }) }
    #expect(words == ["ledits", "ledits++", "--radius", "--image=mask.png"], "\(run.output) \(run.errors)")
  }

  @Test("every shell that is here can read its script", arguments: ["bash", "zsh", "fish"])
  func syntax(shell: String) async throws {
    let run = try await Command.shell(
      "\"$pentimento\" completions $1 > script && { command -v $1 >/dev/null || exit 77; } && exec $1 -n script",
      [shell], in: Workplace())
    #expect([Status.done, 77].contains(run.status) && run.errors == "", "\(run.errors)")
    let old = try await Command.run(["--generate-completion-script", shell], in: Workplace())
    let new = try await Command.run(["completions", shell], in: Workplace())
    #expect(old.output == new.output && new.output.contains("__complete"))
  }
}
