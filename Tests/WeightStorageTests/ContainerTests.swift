import Foundation
import JSON
import Tensors
import Testing
import WeightStorage

/// A small container, of which a part can be replaced by something hostile.
private struct Draft {
  /// An int8 weight `[20, 16]`, a convolution of f16, and a bias.
  var version: String? = ContainerFile.version
  var shapes: String? = #"{"unet.a.weight":[20,16],"unet.b.weight":[4,8,3,3]}"#
  var rotations: String?
  var activations: String?
  var texts: [String: String] = [:]
  var tensors: [(name: String, dtype: String, shape: [Int], bytes: [UInt8])] = [
    // Two panels of 16 columns, each with 16 sums of 32 bits before its 16 channels.
    ("unet.a.weight", "I8", [2, 16 * 20], [UInt8](repeating: 1, count: 2 * 16 * 20)),
    ("unet.b.weight", "F16", [1, 72, 16], [UInt8](repeating: 0, count: 2 * 72 * 16)),
    ("unet.a.bias", "F32", [20], [UInt8](repeating: 0, count: 80)),
    ("unet.a.weight.scale", "F32", [20], scales([Float](repeating: 0.5, count: 20))),
  ]
  /// Bytes between the end of a tensor and the next, which starts at a multiple of this.
  var alignment = 64

  static func scales(_ values: [Float]) -> [UInt8] {
    values.flatMap { value in withUnsafeBytes(of: value.bitPattern.littleEndian) { Array($0) } }
  }

  mutating func replace(
    _ name: String, _ change: (inout (name: String, dtype: String, shape: [Int], bytes: [UInt8])) -> Void
  ) {
    change(&tensors[tensors.firstIndex { $0.name == name }!])
  }

  /// The file; the data starts at `dataStart`.
  func bytes(dataStart: Int = 2048) -> [UInt8] {
    var metadata = texts
    metadata["pentimento.format"] = version
    metadata["pentimento.shapes"] = shapes
    metadata["pentimento.rotations"] = rotations
    metadata["pentimento.activations"] = activations
    func quoted(_ text: String) -> String {
      String(decoding: try! JSONEncoder().encode(text), as: UTF8.self)
    }
    let notes = metadata.sorted { $0.key < $1.key }.map { "\(quoted($0.key)):\(quoted($0.value))" }
    var rows = ["\"__metadata__\":{\(notes.joined(separator: ","))}"]
    var data: [UInt8] = []
    for (i, tensor) in tensors.enumerated() {
      let gap = (alignment - data.count % alignment) % alignment
      if gap > 0 {
        rows.append(Corruption.row("_pad.\(i)", "U8", "[\(gap)]", data.count, data.count + gap))
        data += [UInt8](repeating: 0, count: gap)
      }
      rows.append(
        Corruption.row(
          tensor.name, tensor.dtype, "\(tensor.shape)", data.count, data.count + tensor.bytes.count))
      data += tensor.bytes
    }
    let text = "{\(rows.joined(separator: ","))}"
    return safetensors(header: text + String(repeating: " ", count: dataStart - 8 - text.utf8.count)) + data
  }
}

/// Damage to a container, and the error that it has to give.
struct ContainerDamage: Sendable, CustomTestStringConvertible {
  let name: String
  let bytes: [UInt8]
  let error: WeightFileError

  var testDescription: String { name }

  fileprivate init(_ name: String, _ error: WeightFileError, _ change: (inout Draft) -> Void) {
    var draft = Draft()
    change(&draft)
    (self.name, bytes, self.error) = (name, draft.bytes(), error)
  }

  private static let shapesLabel = "f (pentimento.shapes)"

  private static func bad(_ reason: String) -> WeightFileError { .badContainer(file: "f", reason: reason) }

  /// Another text for the table of shapes.
  private static func shapes(
    _ name: String, _ a: String, _ error: WeightFileError
  ) -> ContainerDamage {
    ContainerDamage(name, error) { $0.shapes = #"{"unet.a.weight":\#(a),"unet.b.weight":[4,8,3,3]}"# }
  }

  private static func notJSON(_ name: String, _ a: String, _ reason: String) -> ContainerDamage {
    shapes(name, a, .configuration(.badJSON(file: shapesLabel, reason: reason)))
  }

  private static func scale(_ name: String, _ value: Float, _ text: String) -> ContainerDamage {
    ContainerDamage(name, .badScale(file: "f", tensor: "unet.a.weight.scale", value: text)) { draft in
      draft.replace("unet.a.weight.scale") { tensor in
        var values = [Float](repeating: 0.5, count: 20)
        values[19] = value
        tensor.bytes = Draft.scales(values)
      }
    }
  }

  static let versions: [ContainerDamage] =
    [("0", "older"), ("3", "newer"), ("", "empty"), ("one", "wrong")]
    .map { version, name in
      ContainerDamage("\(name) version", .containerVersion(file: "f", found: version, supported: "1 and 2")) {
        $0.version = version
      }
    } + [
      ContainerDamage("missing version", .containerVersion(file: "f", found: "none", supported: "1 and 2")) {
        $0.version = nil
      }
    ]

  static let scales: [ContainerDamage] = [
    scale("scale that is no number", .nan, "nan"), scale("infinite scale", .infinity, "inf"),
    scale("negative scale", -0.25, "-0.25"), scale("scale of minus infinity", -.infinity, "-inf"),
    ContainerDamage("no scales", .missingTensor(file: "f", tensor: "unet.a.weight.scale")) {
      $0.tensors.removeLast()
    },
    ContainerDamage(
      "a scale too few",
      .shapeMismatch(file: "f", tensor: "unet.a.weight.scale", expected: [20], found: [19])
    ) {
      $0.replace("unet.a.weight.scale") { ($0.shape, $0.bytes) = ([19], $0.bytes.dropLast(4)) }
    },
    ContainerDamage(
      "a scale too many",
      .shapeMismatch(file: "f", tensor: "unet.a.weight.scale", expected: [20], found: [21])
    ) {
      $0.replace("unet.a.weight.scale") { ($0.shape, $0.bytes) = ([21], $0.bytes + [0, 0, 0, 0]) }
    },
    ContainerDamage(
      "scales in a matrix",
      .shapeMismatch(file: "f", tensor: "unet.a.weight.scale", expected: [20], found: [4, 5])
    ) { $0.replace("unet.a.weight.scale") { $0.shape = [4, 5] } },
    ContainerDamage(
      "scales of sixteen bits",
      .unsupportedElement(file: "f", tensor: "unet.a.weight.scale", dtype: "F16", wanted: "F32")
    ) { $0.replace("unet.a.weight.scale") { ($0.dtype, $0.shape) = ("F16", [40]) } },
    ContainerDamage("scales of nothing", bad("the scales unet.b.weight.scale belong to no int8 weight")) {
      $0.tensors.append(("unet.b.weight.scale", "F32", [4], [UInt8](repeating: 0, count: 16)))
    },
  ]

  static let shapes: [ContainerDamage] = [
    shapes(
      "shape of more panels", "[40,16]",
      .sizeMismatch(file: "f", tensor: "unet.a.weight", needs: 3 * 16 * 20, has: 2 * 16 * 20)),
    shapes(
      "shape of fewer channels", "[20,12]",
      .sizeMismatch(file: "f", tensor: "unet.a.weight", needs: 2 * 16 * 16, has: 2 * 16 * 20)),
    shapes("size 0", "[0,16]", bad("tensor unet.a.weight cannot be panels of [0, 16]")),
    shapes(
      "sizes whose product overflows", "[16777216,16777216,16777216,16777216]",
      bad("tensor unet.a.weight cannot be panels of [16777216, 16777216, 16777216, 16777216]")),
    shapes(
      "size beyond any layer", "[9223372036854775807,2]",
      bad("tensor unet.a.weight cannot be panels of [9223372036854775807, 2]")),
    shapes("one size", "[320]", bad("tensor unet.a.weight cannot be panels of [320]")),
    shapes("three sizes", "[4,5,16]", bad("tensor unet.a.weight cannot be panels of [4, 5, 16]")),
    shapes("no size", "[]", bad("tensor unet.a.weight cannot be panels of []")),
    notJSON("negative size", "[-20,16]", "a size that is no whole number at byte 21"),
    notJSON("size with a fraction", "[20.5,16]", "a size that is no whole number at byte 22"),
    notJSON("size in words", #"["20",16]"#, "expected a value at byte 18"),
    notJSON("shape that is a number", "20", "expected \"[\" at byte 17"),
    ContainerDamage(
      "shape of what is not there", .missingTensor(file: "f", tensor: "unet.c.weight")
    ) { $0.shapes = #"{"unet.a.weight":[20,16],"unet.b.weight":[4,8,3,3],"unet.c.weight":[1,1]}"# },
    ContainerDamage(
      "two shapes of one weight", .configuration(.duplicateKey(file: shapesLabel, key: "unet.a.weight"))
    ) {
      $0.shapes = #"{"unet.a.weight":[20,16],"unet.a.weight":[20,16]}"#
    },
    ContainerDamage(
      "shapes in no JSON", .configuration(.badJSON(file: shapesLabel, reason: "expected \"{\" at byte 0"))
    ) {
      $0.shapes = "shapes"
    },
    ContainerDamage(
      "shapes cut off", .configuration(.badJSON(file: shapesLabel, reason: "expected \",\" at byte 24"))
    ) {
      $0.shapes = #"{"unet.a.weight":[20,16]"#
    },
    ContainerDamage(
      "shapes in a list", .configuration(.badJSON(file: shapesLabel, reason: "expected \"{\" at byte 0"))
    ) {
      $0.shapes = "[]"
    },
    ContainerDamage("int8 without a shape", bad("int8 tensor unet.a.weight has no shape")) {
      $0.shapes = #"{"unet.b.weight":[4,8,3,3]}"#
    },
    ContainerDamage("no shapes at all", bad("int8 tensor unet.a.weight has no shape")) { $0.shapes = nil },
    ContainerDamage("shape of padding", bad("tensor _pad.1 is more than padding")) {
      // 20 bytes do not end at a multiple of 64.
      $0.tensors.insert(("unet.z.bias", "F32", [5], [UInt8](repeating: 0, count: 20)), at: 0)
      $0.shapes = #"{"unet.a.weight":[20,16],"unet.b.weight":[4,8,3,3],"_pad.1":[2,2]}"#
    },
    ContainerDamage(
      "eight bits of floating point",
      .unsupportedElement(
        file: "f", tensor: "unet.b.weight", dtype: "F8_E4M3", wanted: "I8, F16, BF16 or F32")
    ) { $0.replace("unet.b.weight") { ($0.dtype, $0.shape) = ("F8_E4M3", [2304]) } },
    ContainerDamage(
      "bytes",
      .unsupportedElement(file: "f", tensor: "unet.a.bias", dtype: "U8", wanted: "I8, F16, BF16 or F32")
    ) { $0.replace("unet.a.bias") { ($0.dtype, $0.shape) = ("U8", [80]) } },
    ContainerDamage(
      "panels cut off",
      .sizeMismatch(file: "f", tensor: "unet.a.weight", needs: 2 * 16 * 20, has: 16 * 20)
    ) { $0.replace("unet.a.weight") { ($0.shape, $0.bytes) = ([1, 16 * 20], Array($0.bytes[..<320])) } },
  ]

  private static func rotated(_ name: String, _ table: String, _ error: WeightFileError) -> ContainerDamage {
    ContainerDamage(name, error) { $0.rotations = table }
  }

  private static func noGroups(_ width: Int) -> WeightFileError {
    bad("the 16 input channels of unet.a.weight cannot be rotated in groups of \(width)")
  }

  static let activations: [ContainerDamage] =
    [
      (#"{"unet.a.weight":8}"#, "unet.a.weight cannot be multiplied by activations of 8 bits"),
      (#"{"unet.b.weight":16}"#, "unet.b.weight cannot be multiplied by activations of 16 bits"),
      (#"{"unet.c.weight":16}"#, "unet.c.weight cannot be multiplied by activations of 16 bits"),
    ].map { table, reason in
      ContainerDamage("activations \(table)", bad(reason)) { ($0.version, $0.activations) = ("2", table) }
    } + [
      ContainerDamage("activations of an older version", bad("activations of 16 bits are of version 2")) {
        $0.activations = #"{"unet.a.weight":16}"#
      }
    ]

  static let rotations: [ContainerDamage] =
    [0, 1, 4, 15, 64, 256, 1024].map { width in
      rotated("rotation in groups of \(width)", #"{"unet.a.weight":\#(width)}"#, noGroups(width))
    } + [
      rotated(
        "rotation of half precision", #"{"unet.b.weight":16}"#,
        bad("unet.b.weight is said to be rotated and is no int8 weight")),
      rotated(
        "rotation of what is not there", #"{"unet.c.weight":16}"#,
        bad("unet.c.weight is said to be rotated and is no int8 weight")),
      rotated(
        "negative rotation", #"{"unet.a.weight":-16}"#,
        .configuration(
          .badJSON(file: "f (pentimento.rotations)", reason: "a size that is no whole number at byte 20"))),
      rotated(
        "rotations in a list", "[16]",
        .configuration(.badJSON(file: "f (pentimento.rotations)", reason: "expected \"{\" at byte 0"))),
      rotated(
        "two rotations", #"{"unet.a.weight":16,"unet.a.weight":16}"#,
        .configuration(.duplicateKey(file: "f (pentimento.rotations)", key: "unet.a.weight"))),
    ]

  static let places: [ContainerDamage] = [
    ContainerDamage(
      "tensor beside the cache lines",
      .misaligned(file: "f", tensor: "unet.a.weight", offset: 2048 + 4)
    ) {
      $0.alignment = 4
      $0.tensors.insert(("unet.z.bias", "F32", [1], [0, 0, 0, 0]), at: 0)
    },
    ContainerDamage("padding that is numbers", bad("tensor _pad.9 is more than padding")) {
      $0.tensors.append(("_pad.9", "F32", [1], [0, 0, 0, 0]))
    },
    ContainerDamage("padding that holds something", bad("tensor _pad.9 is more than padding")) {
      $0.tensors.append(("_pad.9", "U8", [64], [UInt8](repeating: 0, count: 64)))
    },
    ContainerDamage("tensor of no network", bad("tensor weight belongs to no network")) {
      $0.tensors.append(("weight", "F32", [1], [0, 0, 0, 0]))
    },
  ]
}

@Suite("Damaged container") struct ContainerDamageTests {
  private let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  private func open(_ bytes: [UInt8]) throws -> ContainerFile {
    try ContainerFile(SafetensorsFile(path: folder.add("f", bytes), label: "f"))
  }

  @Test("is sound before it is damaged, with its rotation and padding")
  func sound() throws {
    var draft = Draft()
    draft.rotations = #"{"unet.a.weight":16}"#
    draft.tensors.insert(("vae.z.bias", "F32", [5], [UInt8](repeating: 0, count: 20)), at: 0)
    let container = try open(draft.bytes())
    #expect(Set(container.components) == ["unet", "vae"])
    let weights = container.weights(of: "unet")
    let weight = try weights.tensor("a.weight")
    #expect(weight.shape == [20, 16] && weight.layout == .panels && weight.rotation == 16)
    #expect(try weights.tensor("b.weight").shape == [4, 8, 3, 3])
    #expect(try weights.tensor("a.bias").layout == .plain)
    #expect(try UInt(bitPattern: weights.address(of: "a.weight")) % 64 == 0)
  }

  @Test("of version 2 says which weights are multiplied by 16 bits; of version 1 none is")
  func activations() throws {
    var draft = Draft()
    #expect(try open(draft.bytes()).weights(of: "unet").format(of: "a.weight").activations == .eight)
    (draft.version, draft.activations) = ("2", #"{"unet.a.weight":16}"#)
    let weights = try open(draft.bytes()).weights(of: "unet")
    #expect(try weights.format(of: "a.weight") == WeightFormat(.s8, activations: .sixteen))
    #expect(try weights.format(of: "b.weight") == WeightFormat(.f16))
  }

  @Test(
    "is refused by name",
    arguments: ContainerDamage.versions + ContainerDamage.scales + ContainerDamage.shapes
      + ContainerDamage.rotations + ContainerDamage.activations + ContainerDamage.places)
  func refuses(damage: ContainerDamage) throws {
    do {
      _ = try open(damage.bytes)
      Issue.record("was opened")
    } catch let error as WeightFileError {
      #expect(error == damage.error)
      #expect(error.description.hasPrefix("f"))
    }
  }

  @Test("whose data starts beside a cache line is refused")
  func misplaced() throws {
    let file = try SafetensorsFile(path: folder.add("f", Draft().bytes(dataStart: 2056)), label: "f")
    #expect(throws: WeightFileError.misaligned(file: "f", tensor: "unet.a.weight", offset: 2056)) {
      try ContainerFile(file)
    }
  }

  @Test("is refused wherever it is cut off, and where bytes follow")
  func truncated() throws {
    let bytes = Draft().bytes()
    for count in stride(from: 0, to: bytes.count, by: 37) {
      #expect(throws: WeightFileError.self, "\(count) of \(bytes.count) bytes") {
        try open(Array(bytes[..<count]))
      }
    }
    #expect(throws: WeightFileError.trailingBytes(file: "f", bytes: 1)) { try open(bytes + [0]) }
  }

  @Test("with one flipped bit in its header is refused or describes bytes that are there")
  func bitFlips() throws {
    let bytes = Draft().bytes()
    let header = Array(bytes[..<2048].reversed().drop { $0 == 0x20 }).count
    for bit in stride(from: 0, to: header * 8, by: 5) {
      var flipped = bytes
      flipped[bit / 8] ^= 1 << (bit % 8)
      guard let container = try? open(flipped) else { continue }
      for component in container.components {
        let weights = container.weights(of: component)
        for tensor in weights.tensors {
          let type = TensorType.panels(of:_:)
          let element = try weights.element(of: tensor.name)
          let needs =
            tensor.layout == .panels
            ? type(tensor.shape, element).byteCount : tensor.count * element.byteCount
          #expect(needs == tensor.range.count && tensor.range.upperBound <= flipped.count)
        }
      }
    }
  }
}
