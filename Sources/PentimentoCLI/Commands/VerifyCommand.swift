import ArgumentParser
import Kernels
import Pentimento

struct VerifyCommand: RunCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Check that the kernels of every instruction set here compute what they should.",
    discussion: """
      Runs every operator, its gradients and the hash in each variant that this processor has, beside the scalar twin, \
      and edits a small picture with the embedded model, as it is and in int8, with each instruction set and with one \
      thread and several. One line each; status 1 and what differs where something does. --isa checks one set alone \
      beside the scalar twin.
      """)

  @OptionGroup var parallel: ThreadOptions

  var computing: ThreadOptions? { parallel }

  func run() async throws {
    let sets = KernelSet.runnable.filter { isa == nil || $0.name == isa || $0.name == "scalar" }
    var verification = try Verification(sets, threads: threads) { try StandardOutput.write($0) }
    try verification.checkHashes()
    try verification.checkOperators()
    try await verification.checkEdits()
    guard verification.failures.isEmpty else { throw Verification.Failed(failures: verification.failures) }
  }
}
