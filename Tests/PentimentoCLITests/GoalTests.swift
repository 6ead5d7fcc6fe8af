import Editing
import Foundation
import Testing

@Suite("Methods by what they are good for", .serialized) struct GoalTests {
  private func output(_ arguments: [String]) async throws -> String {
    let run = try await Command.run(arguments, in: .furnished())
    #expect(run.exited && run.status == Status.done, "\(arguments): \(run.errors)")
    return run.output
  }

  /// An edit is planned, which checks all of it but the noise.
  @Test("lists those of a goal, each with a command that works", arguments: MethodSummary.Goal.allCases)
  func goal(goal: MethodSummary.Goal) async throws {
    let lines = try await output(["methods", "--for", goal.rawValue]).split(separator: "\n").map(String.init)
    let meant = EditMethods.all.filter { $0.about.goals.contains(goal) }
    #expect(!meant.isEmpty && lines.count == 2 * meant.count)
    for (i, method) in meant.enumerated() {
      #expect(lines[2 * i].hasPrefix("\(method.about.name) "))
      let command = String(lines[2 * i + 1].drop { $0 == " " })
      #expect(
        command.hasPrefix("pentimento edit --method \(method.about.name) ") && command.hasSuffix("-o out.png")
      )
      // That one needs a file of train-translator.
      if method.about.needs.contains(.translator) { continue }
      let plan = command.replacing("pentimento edit", with: "$pentimento plan").replacing(
        " -o out.png", with: "")
      let run = try await Command.shell(plan, in: .furnished())
      #expect(run.status == Status.done, "\(command): \(run.errors)")
    }
  }

  private struct Method: Decodable {
    struct Setting: Decodable {
      var option: String, kind: String, meaning: String
      var minimum: Double?, maximum: Double?, unit: String?, values: [String]?
      var standard: SettingValue?, modelDefault: SettingValue?, rule: String?
    }
    var name: String, summary: String, paper: String, goals: [String], needs: [String], evaluations: String
    var example: String, settings: [Setting]
  }

  @Test("methods as JSON have what the tables have, and the model's defaults")
  func json() async throws {
    let text = try await output(["methods", "--report", "json"])
    let methods = try JSONDecoder().decode([Method].self, from: Data(text.utf8))
    #expect(methods.map(\.name) == EditMethods.all.names)
    for (method, type) in zip(methods, EditMethods.all) {
      let settings = Set(method.settings.map(\.option))
      #expect(settings.union([MethodPreset.option]).isSuperset(of: type.options), "\(method.name)")
      #expect(method.settings.allSatisfy { ($0.standard != nil) != ($0.rule != nil) || $0.kind == "flag" })
    }
    let one = try await Command.run(
      ["methods", "ddpm-inversion", "--report", "json"], in: Workplace(), model: Command.embeddedModel)
    let method = try JSONDecoder().decode(Method.self, from: Data(one.output.utf8))
    let skip = try #require(method.settings.first { $0.option == "skip" })
    #expect(skip.standard == .number(0.36) && skip.modelDefault == .number(0.2))
    #expect(skip.minimum == 0 && skip.maximum == 1)
  }

  @Test("a model, a weight file and a picture are inspected as JSON")
  func inspect() async throws {
    struct Report: Decodable {
      struct File: Decodable {
        struct Tensor: Decodable { var name: String, type: String, shape: [Int] }
        var label: String, tensors: Int, bytes: Int
        var list: [Tensor]?
      }
      struct Maker: Decodable { var options: Options }
      struct Options: Decodable { var seed: UInt64, steps: Int, method: String }
      var kind: String
      var nativeSize: Int?, width: Int?, height: Int?
      var files: [File]?
      var madeBy: Maker?
    }
    func report(_ arguments: String..., in place: Workplace) async throws -> Report {
      let run = try await Command.run(["inspect", "--report", "json"] + arguments, in: place)
      return try JSONDecoder().decode(Report.self, from: Data(run.output.utf8))
    }
    let place = try Workplace.furnished()
    let model = try await report(in: place)
    #expect(model.kind == "model" && model.nativeSize == 128 && model.files?.count == 3)
    let file = Command.smallModel.appending(path: "unet/diffusion_pytorch_model.safetensors").path
    let weights = try await report(file, "--tensors", in: place)
    let first = try #require(weights.files?.first)
    #expect(weights.kind == "weights" && first.list?.count == first.tensors && first.tensors > 100)
    let edit = [
      "edit", "-i", "photo.png", "-p", "a cat", "--method", "sdedit", "--steps", "4", "-o", "out.png",
    ]
    #expect(try await Command.run(edit + ["--seed", "7"], in: place).status == Status.done)
    let picture = try await report("out.png", in: place)
    #expect(picture.kind == "picture" && picture.width == 96 && picture.height == 80)
    let options = try #require(picture.madeBy).options
    #expect(options.seed == 7 && options.steps == 4 && options.method == "sdedit")
  }
}
