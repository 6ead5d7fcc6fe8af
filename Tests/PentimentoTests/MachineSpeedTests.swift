import Editing
import Foundation
import Pentimento
import Tensors
import Testing

@Suite("The speed of a machine") struct MachineSpeedTests {
  private let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString).path

  @Test("is remembered, and measured again where what was remembered cannot be read") func record() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let record = SpeedRecord(key: "here", in: folder)
    #expect(record.speed == nil)
    let speed = MachineSpeed(multiplyAddsPerSecond: 8e10, bytesPerSecond: 9e7)
    record.keep(speed)
    #expect(record.speed == speed)
    #expect(SpeedRecord(key: "elsewhere", in: folder).speed == nil)
    for damage in [
      "", "speed 1 5", "speed 2 5 5", "speed 1 0 5", "speed 1 5 -5", "speed 1 inf 5", "speed 1 5 5 5",
    ] {
      try damage.write(toFile: "\(folder)/here", atomically: true, encoding: .utf8)
      #expect(record.speed == nil, "\(damage)")
    }
    #expect(SpeedRecord(key: "here", in: nil).speed == nil)
    SpeedRecord(key: "here", in: nil).keep(speed)
  }

  @Test("makes a stage last as long as the slower of computing and reading") func time() throws {
    let model = try Model(
      folder: URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appending(path: "../../Weights/embedded").standardizedFileURL)
    var request = EditRequest(.sdedit(steps: 4))
    request.size = .box(Extent(width: 64, height: 64))
    request.picture = Picture(width: 64, height: 64, pixels: [UInt8](repeating: 9, count: 64 * 64 * 3))
    request.prompt = "a ball"
    let job = try Editor(model: model, threads: 1).prepare(request)
    #expect(job.plan.seconds == nil)
    func seconds(_ multiplyAdds: Double, _ bytes: Double) -> Double {
      job.plan.timed(at: MachineSpeed(multiplyAddsPerSecond: multiplyAdds, bytesPerSecond: bytes)).seconds!
    }
    let work = job.plan.stages.compactMap(\.work)
    #expect(work.map(\.evaluations) == [2, 1, job.evaluations, 1])
    let all = work.reduce(0) { $0 + $1.allMultiplyAdds }
    #expect(abs(seconds(1e6, 1e18) / (Double(all) / 1e6) - 1) < 1e-9)
    #expect(abs(seconds(1e18, 1e6) / (Double(job.plan.bytesRead) / 1e6) - 1) < 1e-9)
    #expect(seconds(1e6, 1e6) >= max(seconds(1e6, 1e18), seconds(1e18, 1e6)))
    // A job of this size runs in well under an hour on anything, and takes more than nothing.
    let here = try job.machineSpeed()
    #expect((0.0001...3600).contains(job.plan.timed(at: here).seconds!))
  }
}
