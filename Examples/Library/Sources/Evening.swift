import Pentimento

/// `Evening PHOTO.jpg RESULT.png`: the red ball of a photo becomes green, in at most 100 MB.
@main struct Evening {
  static func main() async throws {
    let editor = try Editor(model: .embedded(), threads: 2, maximumMemory: 100_000_000)
    var request = EditRequest(.ddpmInversion(steps: 20))
    request.picture = try OpenPicture(CommandLine.arguments[1])
    request.sourcePrompt = "a red ball on snow at night"
    request.prompt = "a green ball on snow at night"
    let job = try editor.prepare(request)
    print("at most \(job.plan.peak / 1_000_000) MB, \(job.evaluations) evaluations")
    try await job.run().write(to: CommandLine.arguments[2])
  }
}
