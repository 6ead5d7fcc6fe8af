import Foundation
import Packing
import Pentimento
import TestSupport
import Testing
import WeightStorage

/// A container of the fixture's model, of which the table can be changed by hand.
private final class Written {
  private let url = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).safetensors")
  private let bytes: [UInt8]
  private let dataStart: Int

  init() throws {
    let model = try Model(folder: SingleFile.folderURL("sd15"))
    _ = try model.quantize(to: url, QuantizationRequest(precision: .int8, scales: .maxAbs), threads: 2)
    bytes = [UInt8](try Data(contentsOf: url))
    dataStart = 8 + bytes[..<8].reversed().reduce(0) { $0 << 8 | Int($1) }
  }

  deinit { try? FileManager.default.removeItem(at: url) }

  /// The model behind another table, which the spaces after it bring to the old length.
  func opened(replacing changes: (old: String, new: String)...) throws -> Model {
    var table = String(decoding: bytes[8..<dataStart], as: UTF8.self)
    for (old, new) in changes {
      let parts = table.components(separatedBy: old)
      precondition(parts.count == 2, "\(old) occurs \(parts.count - 1) times")
      table = parts.joined(separator: new)
    }
    var text = Array(table.utf8)
    while text.last == 0x20 { text.removeLast() }
    precondition(text.count <= dataStart - 8)
    text += [UInt8](repeating: 0x20, count: dataStart - 8 - text.count)
    try (Data(bytes[..<8]) + Data(text) + Data(bytes[dataStart...])).write(to: url)
    return try Model(at: url)
  }
}

@Suite("A container whose table was changed") struct ContainerRefusalTests {
  static let changes: [(String, String, String)] = [
    (#""unet/config.json":"#, #""unet/confix.json":"#, "(unet/config.json): there is no such file"),
    (#""unet/config.json":"{"#, #""unet/config.json":"["#, "(unet/config.json) is not a JSON object"),
    (#""vae/config.json":"#, #""vae/confix.json":"#, "(vae/config.json): there is no such file"),
    (
      #""text_encoder/config.json":"{"#, #""text_encoder/config.json":""#,
      "(text_encoder/config.json) is not a JSON object"
    ),
    (
      #""scheduler/scheduler_config.json":"#, #""scheduler/x.json":"#,
      "(scheduler/scheduler_config.json): there is no such file"
    ),
    (#"\"cross_attention_dim\":32"#, #"\"cross_attention_dim\":48"#, "text states of width 48"),
    (#""pentimento.format":"2""#, #""pentimento.format":"7""#, "is a container of version 7"),
    (#""pentimento.format":"2","#, "", "is a container of version none"),
    (#""pentimento.format":"2""#, #""pentimento.format":"1""#, "activations of 16 bits are of version 2"),
    (#""unet.conv_in.bias":{"#, #""unet.conv_im.bias":{"#, "has no tensor conv_in.bias"),
    (#"\"unet.conv_in.weight\":["#, #"\"unet.conv_im.weight\":["#, "has no tensor unet.conv_im.weight"),
  ]

  @Test("is refused with the file and the cause", arguments: changes)
  func refuses(old: String, new: String, says: String) throws {
    let written = try Written()
    let sentence = try refusal { try written.opened(replacing: (old, new)) }
    #expect(sentence.contains(says), "\(sentence)")
    #expect(sentence.contains("; ") || sentence.contains(": "))
  }

  /// Both have as many bytes, so only the network knows.
  @Test("is refused where a network reads panels and it has rows")
  func rows() throws {
    let written = try Written()
    let sentence = try refusal {
      try written.opened(
        replacing: (#"\"unet.conv_in.weight\":[16,4,3,3],"#, ""),
        (
          #""unet.conv_in.weight":{"dtype":"F16","shape":[1,36,16]"#,
          #""unet.conv_in.weight":{"dtype":"F16","shape":[16,4,3,3]"#
        ))
    }
    #expect(
      sentence.contains("tensor conv_in.weight is F16 where the network reads F16 panels"), "\(sentence)")
  }

  @Test("is opened where nothing that matters was changed")
  func sound() throws {
    let written = try Written()
    _ = try written.opened(replacing: (#"\"tool\":\"pentimento"#, #"\"tool\":\"somebody"#))
  }
}
