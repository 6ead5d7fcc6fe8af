import Foundation
import Kernels
import Pentimento
import Testing

@Suite("Reference edit") struct ReferenceEditTests {
  private static func picture() async throws -> (picture: Picture, agreement: ReferenceEdit.Agreement) {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appending(path: "../../Weights/embedded").standardizedFileURL
    let edit = try await ReferenceEdit(Model(folder: folder), threads: 2)
    return (edit.picture, edit.agreement)
  }

  /// Where products are fused with sums the bits are those of every machine; elsewhere an order of sums may show.
  @Test("is the picture that is known") func known() async throws {
    let (picture, agreement) = try await Self.picture()
    #expect(picture.width == 64 && picture.height == 64)
    if KernelSet.chosen.sharesBits {
      #expect(agreement == .same)
    } else if case .other(let levels) = agreement {
      Issue.record("\(levels) levels from the known picture")
    }
  }

  @Test("tells last bits from another picture") func otherPictures() async throws {
    var picture = try await Self.picture().picture
    var pixels = picture.pixels
    // A level in a tenth of the samples moves no mean of 64 by one.
    for i in stride(from: 0, to: pixels.count, by: 10) { pixels[i] = pixels[i] == 255 ? 254 : pixels[i] + 1 }
    picture = Picture(width: 64, height: 64, pixels: pixels)
    guard case .close(let levels) = ReferenceEdit.agreement(of: picture), levels <= 1 else {
      Issue.record("\(ReferenceEdit.agreement(of: picture))")
      return
    }
    // One block of 8×8 pixels is 10 levels lighter.
    for y in 0..<8 {
      for i in y * 64 * 3..<y * 64 * 3 + 24 { pixels[i] = pixels[i] > 245 ? pixels[i] - 10 : pixels[i] + 10 }
    }
    picture = Picture(width: 64, height: 64, pixels: pixels)
    guard case .other(let levels) = ReferenceEdit.agreement(of: picture), levels >= 5 else {
      Issue.record("\(ReferenceEdit.agreement(of: picture))")
      return
    }
  }
}

@Suite("Facts of a machine") struct MachineFactsTests {
  @Test("have the processor's name as kernels write it")
  func processorName() {
    let intel =
      "processor\t: 0\nmodel\t\t: 143\nmodel name\t: Intel(R)  Xeon(R) CPU @ 2.00GHz\n\nprocessor\t: 1\n"
    #expect(MachineFacts.processorName(in: intel) == "Intel(R) Xeon(R) CPU @ 2.00GHz")
    let board =
      "processor\t: 0\nBogoMIPS\t: 108.00\n\nHardware\t: BCM2835\nModel\t\t: Raspberry Pi 4 Model B Rev 1.4\n"
    #expect(MachineFacts.processorName(in: board) == "Raspberry Pi 4 Model B Rev 1.4")
    #expect(MachineFacts.processorName(in: "processor\t: 0\nCPU part\t: 0xd08\nmodel name\t:\n") == nil)
    #expect(MachineFacts.processorName(in: "") == nil)
  }

  @Test("name a limit that is the least, and libraries that pictures need")
  func found() throws {
    let facts = MachineFacts.find()
    let reachable = try #require(facts.memory.reachable)
    #expect(reachable <= facts.memory.controlGroup ?? .max && reachable <= facts.memory.physical ?? .max)
    #expect(["machine", "controlGroup", "addressSpace"].contains(facts.memory.limit))
    #expect(facts.processor.instructionSets.contains(facts.processor.chosen))
    #expect(facts.libraries.map(\.name) == ["libpng", "zlib", "libturbojpeg"])
    for library in facts.libraries.dropLast() {
      #expect(library.state == .found && library.version?.contains(".") == true)
    }
    #expect(facts.libraries[2].state != .found || facts.libraries[2].path?.hasPrefix("/") == true)
  }
}
