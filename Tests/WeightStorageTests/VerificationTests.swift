import Foundation
import Testing
import WeightStorage

@Suite("Verified container") struct VerificationTests {
  private let folder: TemporaryFolder
  /// Cache folders like the user's; it does not exist before the first container was verified.
  private let cache: String
  private let known: VerifiedFiles

  init() throws {
    folder = try TemporaryFolder()
    cache = "\(folder.path)/cache/pentimento/verified"
    known = VerifiedFiles(folder: cache, most: 3)
  }

  private static let names = ["unet.a.weight", "unet.a.weight.scale", "unet.b.bias"]

  /// A container with an int8 weight of 4 MB, its scales, and a bias.
  private func container(_ name: String = "f") throws -> SafetensorsFile {
    let path = "\(folder.path)/\(name)"
    let writer = try ContainerWriter(path: path, names: Self.names, metadataBytes: 100)
    func add(_ name: String, _ element: StoredElement, _ shape: [Int], _ bytes: [UInt8]) throws {
      try writer.begin(name, element, shape)
      try bytes.withUnsafeBytes { try writer.append($0) }
      writer.endTensor()
    }
    let panel = 16 * (4 + 4096)
    try add(Self.names[0], .i8, [64, panel], (0..<64 * panel).map { UInt8(truncatingIfNeeded: $0 &* 31) })
    try add(Self.names[2], .f32, [5], [UInt8](repeating: 3, count: 20))
    try add(Self.names[1], .f32, [1024], [UInt8](repeating: 0, count: 4096))
    try writer.finish(metadata: ["pentimento.shapes": #"{"unet.a.weight":[1024,4096]}"#])
    return try open(name)
  }

  private func open(_ name: String = "f") throws -> SafetensorsFile {
    try SafetensorsFile(path: "\(folder.path)/\(name)", label: name)
  }

  /// Pieces of the file that verifying it reads.
  private func piecesRead(_ file: SafetensorsFile, _ known: VerifiedFiles) throws -> Int {
    var pieces = 0
    try file.verifyIfNew(remembering: known) { done, total in
      #expect(done < total)
      pieces += 1
    }
    return pieces
  }

  private func flip(_ offset: Int, in name: String = "f") throws {
    let file = try #require(FileHandle(forUpdatingAtPath: "\(folder.path)/\(name)"))
    try file.seek(toOffset: UInt64(offset))
    let byte = try #require(try file.read(upToCount: 1)).first!
    try file.seek(toOffset: UInt64(offset))
    try file.write(contentsOf: [byte ^ 8])
    try file.close()
  }

  private var lines: [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: cache)) ?? []).map { "\(cache)/\($0)" }
  }

  @Test("is read in full at its first use and not at the second, in this process or another")
  func once() throws {
    let file = try container()
    #expect(try piecesRead(file, known) == 5 + 2)  // 4.2 MB, and two small tensors
    #expect(try piecesRead(file, known) == 0)
    #expect(try piecesRead(open(), known) == 0)
    #expect(lines.count == 1)
  }

  @Test("is read at every opening where nothing can be remembered, once each")
  func nowhere() throws {
    let file = try container()
    try folder.add("taken", "a file where the folder should be")
    for nowhere in [VerifiedFiles(folder: nil), VerifiedFiles(folder: "\(folder.path)/taken/verified")] {
      let again = try open()
      #expect(try piecesRead(again, nowhere) == 7)
      #expect(try piecesRead(again, nowhere) == 0)
    }
    #expect(try piecesRead(file, VerifiedFiles(folder: nil)) == 7)
  }

  @Test("that was damaged is refused by the tensor, at its first use", arguments: names)
  func damaged(name: String) throws {
    let tensor = try container().tensor(name)
    try flip(tensor.range.upperBound - 3)
    let file = try open()
    for _ in 0..<2 {
      #expect(throws: WeightFileError.damagedTensor(file: "f", tensor: name)) {
        try file.verifyIfNew(remembering: known)
      }
    }
    #expect(lines.isEmpty)
  }

  @Test("is refused when a bit flips after it was verified, open or not, and good again without the flip")
  func damagedLater() throws {
    let file = try container()
    #expect(try piecesRead(file, known) > 0)
    let place = try file.tensor("unet.b.bias").range.lowerBound
    let error = WeightFileError.damagedTensor(file: "f", tensor: "unet.b.bias")
    try flip(place)
    #expect(throws: error) { try file.verifyIfNew(remembering: known) }
    #expect(throws: error) { try open().verifyIfNew(remembering: known) }
    #expect(lines.isEmpty)
    try flip(place)
    #expect(try piecesRead(open(), known) == 7)
  }

  @Test("is refused when its table of hashes is damaged") func hashes() throws {
    let path = try container().reader.path
    let bytes = try Data(contentsOf: URL(filePath: path))
    let table = try #require(bytes.range(of: Data("pentimento.sha256".utf8)))
    let row = try #require(bytes.range(of: Data("unet.b.bias".utf8), in: table.upperBound..<bytes.count))
    var changed = bytes
    changed[row.upperBound + 8] = changed[row.upperBound + 8] == 0x30 ? 0x31 : 0x30
    try folder.add("f", changed)
    #expect(throws: WeightFileError.damagedTensor(file: "f", tensor: "unet.b.bias")) {
      try open().verifyIfNew(remembering: known)
    }
  }

  @Test(
    "is verified again where what is remembered is not its line", arguments: ["", "verified", "\0\0", "new"])
  func garbled(text: String) throws {
    #expect(try piecesRead(container(), known) > 0)
    let line = try String(contentsOfFile: lines[0], encoding: .utf8)
    try Data((text == "new" ? line + line : text).utf8).write(to: URL(filePath: lines[0]))
    #expect(try piecesRead(open(), known) == 7)
    #expect(try String(contentsOfFile: lines[0], encoding: .utf8) == line)
  }

  @Test("is verified again when something about the file changed, its content or not")
  func changes() throws {
    let path = try container().reader.path
    #expect(try piecesRead(open(), known) > 0)
    // The time of the content can be set back, that of the change cannot.
    let date = try FileManager.default.attributesOfItem(atPath: path)[.modificationDate]
    let place = try open().tensor("unet.b.bias").range.lowerBound
    try flip(place)
    try flip(place)
    try FileManager.default.setAttributes([.modificationDate: date!], ofItemAtPath: path)
    #expect(try piecesRead(open(), known) == 7)
    #expect(try piecesRead(open(), known) == 0)
    #expect(chmod(path, 0o400) == 0)
    #expect(try piecesRead(open(), known) == 7)
    #expect(lines.count == 1)
  }

  @Test("is remembered in a line that only the user reads, one of so many")
  func place() throws {
    for name in ["a", "b", "c", "d", "e"] { #expect(try piecesRead(container(name), known) > 0) }
    #expect(lines.count == 3)
    for line in lines {
      let mode = try FileManager.default.attributesOfItem(atPath: line)[.posixPermissions] as? Int
      #expect(mode == 0o600 && !line.hasSuffix(".tmp"))
    }
    let mode = try FileManager.default.attributesOfItem(atPath: cache)[.posixPermissions] as? Int
    #expect(mode == 0o700)
  }

  @Test("needs no reading right after it was written") func written() throws {
    let path = try container().reader.path
    ContainerFile.rememberWritten(path, in: known)
    #expect(try piecesRead(open(), known) == 0)
    try flip(try open().tensor("unet.b.bias").range.lowerBound)
    #expect(throws: WeightFileError.self) { try open().verifyIfNew(remembering: known) }
  }

  @Test("leaves the page cache as it was") func pages() throws {
    let file = try container()
    let pieces = stride(from: 0, to: file.reader.count - 1 << 20, by: 1 << 20).map { $0..<$0 + 1 << 20 }
    let before = pieces.map(file.reader.isCached)
    #expect(try piecesRead(file, known) > 0)
    #expect(pieces.map(file.reader.isCached) == before)
  }
}
