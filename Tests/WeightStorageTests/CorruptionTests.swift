import Files
import Foundation
import Testing
import WeightStorage

@Suite("Damaged weight file") struct CorruptionTests {
  private let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  @Test("is refused by name", arguments: Corruption.files + Corruption.tables + Corruption.headers)
  func refuses(damage: Corruption) throws {
    let path = try folder.add("f", damage.bytes)
    do {
      _ = try SafetensorsFile(path: path, label: "f")
      Issue.record("was opened")
    } catch {
      #expect(damage.isRefusal(error), "\(error)")
      #expect(error.description.hasPrefix("f: "))
    }
  }

  /// Two tensors behind a note, 24 bytes of data.
  private func sound() throws -> [UInt8] {
    let path = try folder.add(
      "sound",
      [
        "weight": StoredTensor([1, 2, 3, 4] as [Float], shape: [2, 2]),
        "ids": StoredTensor([5] as [Int64], shape: [1]),
      ])
    return try FileReader.contents(of: path)
  }

  @Test("is refused wherever it is cut off")
  func truncatedAnywhere() throws {
    let bytes = try sound()
    for count in bytes.indices {
      let path = try folder.add("cut", bytes[..<count])
      do {
        _ = try SafetensorsFile(path: path)
        Issue.record("was opened after \(count) of \(bytes.count) bytes")
      } catch {
        guard count > 64 else { continue }
        guard case .file(.truncated(file: _, needs: _, has: count)) = error else {
          Issue.record("\(count) of \(bytes.count) bytes: \(error)")
          continue
        }
      }
    }
  }

  @Test("with one flipped bit in its header is refused or describes the same bytes in full")
  func bitFlips() throws {
    let bytes = try sound()
    let header = 8 + Int(bytes[0]) + Int(bytes[1]) << 8
    for bit in 0..<header * 8 {
      var flipped = bytes
      flipped[bit / 8] ^= 1 << (bit % 8)
      try check(flipped)
    }
  }

  @Test("never ends the process: 2,000 random mutations")
  func fuzz() throws {
    var random = SplitMix(state: 2024)
    let bytes = try sound()
    let fragments = [
      "{", "}", "[", "]", "\"", ",", ":", "-", "1e999", "99999999999999999999", "null", "\\u", "__metadata__",
    ]
    for _ in 0..<2_000 {
      var mutated = bytes
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        let place = Int.random(in: 0..<mutated.count, using: &random)
        switch Int.random(in: 0..<5, using: &random) {
        case 0: mutated[place] = .random(in: 0...255, using: &random)
        case 1: mutated.remove(at: place)
        case 2: mutated.insert(contentsOf: fragments.randomElement(using: &random)!.utf8, at: place)
        case 3:
          mutated.removeSubrange(place..<min(mutated.count, place + Int.random(in: 0...20, using: &random)))
        default: mutated.insert(contentsOf: mutated[place..<min(mutated.count, place + 40)], at: place)
        }
        if mutated.isEmpty { mutated = [0] }
      }
      try check(mutated)
    }
  }

  /// Either refused, or every tensor can be read and together they are the whole file.
  private func check(_ bytes: [UInt8]) throws {
    let path = try folder.add("f", bytes)
    guard let file = try? SafetensorsFile(path: path) else { return }
    let start = file.tensors.first?.range.lowerBound ?? bytes.count
    #expect(file.tensors.reduce(start) { $0 + $1.range.count } == bytes.count)
    for tensor in file.tensors { #expect(try file.reader.bytes(tensor.range).count == tensor.range.count) }
  }
}

/// SplitMix64 (Steele et al. 2014).
struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
