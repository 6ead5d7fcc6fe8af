import Foundation
import ImageFiles
import Tensors
import Testing

@Suite("A picture made again from its file", .serialized) struct ReplayTests {
  private static let edit = ["edit", "-i", "photo.png", "--steps", "3"]

  /// Edits of different kinds; every one leaves a record.
  static let edits: [[String]] = [
    ["--method", "ddpm-inversion", "-p", "a ball", "--source-prompt", "a cube", "--skip", "0.4"],
    ["--method", "sdedit", "-p", "a ball", "--strength", "0.7", "--seed", "18446744073709551615"],
    ["--method", "sdedit", "-p", "a ball", "-n", "snow", "--cfg-scale", "4", "--size", "64"],
    ["--method", "ddim-inversion", "-p", "a ball", "--source-prompt", "", "--quality", "80"],
    ["--method", "cycle-diffusion", "-p", "a ball", "--source-prompt", "a cube"],
    ["--method", "cycle-sde", "-p", "a ball", "--source-prompt", "a cube", "--strength", "0.7"],
    ["--method", "inpaint", "-p", "a ball", "--mask", "mask.png"],
    ["--method", "inpaint", "-p", "a ball", "--mask", "mask.png", "--feather", "3", "--sampler", "ode"],
    ["--method", "inpaint", "-p", "a ball", "--mask", "mask.png", "--no-paste-back"],
    ["--method", "diffedit", "-p", "a ball", "--source-prompt", "a cube", "--mask-ratio", "0.4"],
    ["--method", "diffedit", "-p", "a ball", "--source-prompt", "a cube", "--mask", "mask.png"],
    ["--method", "ledits", "--concept", "+snow:3", "--concept", "-night:threshold=0.8"],
    ["--method", "ledits++", "--concept", "+a ball: at night:scale=2", "--mask-mode", "noise"],
    ["--method", "dds", "-p", "a ball", "--source-prompt", "a cube"],
    ["--method", "sds", "-p", "a ball"],
    ["--method", "drag", "-p", "a ball", "--drag", "20,20:40,30"],
    ["--method", "drag", "-p", "a ball", "--drag", "20,20:40,30", "--drag", "60,50:50,40", "--mask", "auto"],
    ["-p", "\u{1B}[2J a ball\nSteps: 9, Sampler: forged", "--source-prompt", "a \"cube\""],
    ["--method", "sdedit", "-p", "球", "--crop", "10,8,70,66"],
    ["--method", "null-text", "-p", "a ball", "--source-prompt", "a cube", "--inner-steps", "1"],
    ["--method", "turbo-edit", "-p", "a ball", "--source-prompt", "a cube", "--max-norm", "2"],
    ["--method", "infedit", "-p", "a ball", "--source-prompt", "a cube", "--start", "noise"],
    ["--method", "npi", "-p", "a ball", "--source-prompt", "a cube", "--prox", "hard", "--dilate", "2"],
    ["--method", "pds", "-p", "a ball", "--source-prompt", "a cube", "--min-ratio", "0.1"],
    ["--method", "ddpm-inversion", "-p", "a ball", "--source-prompt", "a cube", "--solver", "dpm2"],
    ["--method", "sdedit", "-p", "a (ball:1.4) BREAK [snow]", "--prompt-syntax", "weighted"],
  ]

  @Test("has the same bytes, without a word of its settings", arguments: edits.indices)
  func sameBytes(index: Int) async throws {
    let place = try Workplace.furnished()
    // A JPEG every other time: its comments hold the same.
    let (one, two) = index % 2 == 0 ? ("one.png", "two.png") : ("one.jpg", "two.jpg")
    let first = try await Command.run(Self.edit + Self.edits[index] + ["-o", one], in: place)
    try #require(first.status == Status.done, "\(first.errors)")
    let second = try await Command.run(["edit", "--params-from", one, "-o", two], in: place)
    try #require(second.status == Status.done, "\(second.errors)")
    #expect(second.errors.contains("everything is as it was for \(one)"), "\(second.errors)")
    #expect(try place.bytes(one) == place.bytes(two))
  }

  @Test("says what is not as it was") func differences() async throws {
    let place = try Workplace.furnished()
    let made = try await Command.run(
      Self.edit + ["--method", "inpaint", "-p", "a ball", "--mask", "mask.png", "-o", "one.png"], in: place)
    #expect(made.status == Status.done, "\(made.errors)")
    try place.addPicture("photo.png", width: 96, height: 81)
    let run = try await Command.run(
      ["edit", "--params-from", "one.png", "--seed", "7", "-o", "two.png"], in: place)
    #expect(run.status == Status.done, "\(run.errors)")
    #expect(
      run.errors.contains("--seed was 42, now it is 7") && run.errors.contains("--image was photo.png ("))
    #expect(!run.errors.contains("--mask was") && !run.errors.contains("as it was for"))
    try FileManager.default.removeItem(at: place.url("mask.png"))
    let missing = try await Command.run(["edit", "--params-from", "one.png", "-o", "two.png"], in: place)
    #expect(missing.status == Status.usage && missing.errors.contains("name it with --mask"))
    let plain = try await Command.run(["edit", "--params-from", "photo.png", "-o", "two.png"], in: place)
    #expect(plain.status == Status.badPicture && plain.errors.contains("has no settings of this program"))
  }

  @Test("shows its settings to inspect, and prompts forge none of them") func inspect() async throws {
    let place = try Workplace.furnished()
    let prompt = "a ball\nNegative prompt: forged\nSteps: 9, Sampler: x, Seed: 1\u{1B}[31m\u{2028}"
    let made = try await Command.run(Self.edit + ["-p", prompt, "-o", "one.png"], in: place)
    #expect(made.status == Status.done, "\(made.errors)")
    let texts = try PictureFile.texts(place.path("one.png"))
    let line = try #require(texts.first { $0.0 == "parameters" }?.1)
    #expect(line.split(separator: "\n").count == 2 && !line.contains("\u{1B}"))
    #expect(line.split(separator: "\n")[1].hasPrefix("Steps: 3, Sampler: ddpm-inversion, "))
    let record = try #require(texts.first { $0.0 == "pentimento" }?.1)
    #expect(record.utf8.allSatisfy { (32..<127).contains($0) })
    let run = try await Command.run(["inspect", "one.png"], in: place)
    #expect(
      run.status == Status.done && run.output.contains("--seed 42")
        && run.output.contains("--image photo.png"))
    #expect(!run.output.contains("\u{1B}") && !run.output.contains("\nNegative prompt"))
  }
}

@Suite("Pictures that come and go through pipes", .serialized) struct PipeTests {
  static let words = ["edit", "--method", "sdedit", "-p", "a ball", "--steps", "2"]

  @Test("are those of files") func pipes() async throws {
    let place = try Workplace.furnished()
    let file = try await Command.run(
      Self.words + ["-i", "photo.png", "-o", "file.png", "--no-metadata"], in: place)
    #expect(file.status == Status.done, "\(file.errors)")
    let pipe = try await Command.shell(
      #"cat photo.png | $pentimento "$@" -i - -o - --no-metadata | cat >pipe.png; mkfifo fifo; cat fifo >fifo.png & $pentimento "$@" -i photo.png -o fifo --no-metadata <photo.png; wait"#,
      Self.words, in: place)
    #expect(pipe.status == Status.done, "\(pipe.errors)")
    #expect(try place.bytes("pipe.png") == place.bytes("file.png"))
    #expect(try place.bytes("fifo.png") == place.bytes("file.png"))
    let jpeg = try await Command.shell(
      #"$pentimento "$@" -i photo.png -o - --format jpg --quality 80 >a.jpg; $pentimento "$@" -i photo.png -o b.jpg --quality 80"#,
      Self.words, in: place)
    #expect(jpeg.status == Status.done, "\(jpeg.errors)")
    #expect(try place.bytes("a.jpg") == place.bytes("b.jpg"))
  }

  @Test("write what a link names, and leave the link") func link() async throws {
    let place = try Workplace.furnished()
    try place.add("target.png", [1])
    try FileManager.default.createSymbolicLink(
      atPath: place.path("link.png"), withDestinationPath: "target.png")
    let run = try await Command.run(Self.words + ["-i", "photo.png", "-o", "link.png"], in: place)
    #expect(run.status == Status.done, "\(run.errors)")
    #expect(try FileManager.default.destinationOfSymbolicLink(atPath: place.path("link.png")) == "target.png")
    #expect(try PictureFile.read(place.path("target.png")).width == 96)
  }

  @Test("are refused where they cannot be") func refused() async throws {
    let place = try Workplace.furnished()
    let report = try await Command.run(
      Self.words + ["-i", "photo.png", "-o", "-", "--report", "json"], in: place)
    #expect(report.status == Status.usage)
    let quality = try await Command.run(
      Self.words + ["-i", "photo.png", "-o", "a.png", "--quality", "80"], in: place)
    #expect(quality.status == Status.usage && quality.errors.contains("--quality is for a JPEG"))
    try place.add(
      "cmyk.jpg",
      [
        0xFF, 0xD8, 0xFF, 0xC0, 0, 20, 8, 0, 64, 0, 64, 4, 1, 17, 0, 2, 17, 0, 3, 17, 0, 4, 17, 0, 0xFF, 0xDA,
        0, 2,
      ])
    let cmyk = try await Command.run(Self.words + ["-i", "cmyk.jpg", "-o", "a.png"], in: place)
    #expect(cmyk.status == Status.badPicture && cmyk.errors.contains("convert it to RGB"))
    let empty = try await Command.shell(#"$pentimento "$@" -i - -o a.png </dev/null"#, Self.words, in: place)
    #expect(empty.status == Status.badPicture, "\(empty.errors)")
  }
}

@Suite("Edits of large photographs", .serialized) struct CropTests {
  /// A photo of 12 times the model's area, with fine detail everywhere.
  static func furnished() throws -> Workplace {
    let place = try Workplace()
    let photo = Picture(
      width: 500, height: 400,
      pixels: (0..<500 * 400 * 3).map { i -> UInt8 in
        let (x, y, c) = (i / 3 % 500, i / 1500, i % 3)
        let fine = (x * 7 + y * 13 + c * 29) % 97
        let coarse = (x / 20 + y / 20) % 2 * 60
        return UInt8(60 + fine + coarse)
      })
    try PictureFile.write(photo, to: place.path("photo.png"))
    let mask = MaskPicture(
      width: 500, height: 400,
      pixels: (0..<200_000).map { i -> UInt8 in
        let (x, y) = (i % 500, i / 500)
        return (300..<350).contains(x) && (250..<310).contains(y) ? 255 : 0
      })
    try PictureFile.write(mask, to: place.path("mask.png"))
    return place
  }

  static let words = ["edit", "-i", "photo.png", "--steps", "2", "-p", "a ball"]

  @Test("show the model what surrounds the mask, and leave every other sample") func masked() async throws {
    let place = try Self.furnished()
    let run = try await Command.run(
      Self.words + ["--method", "inpaint", "--mask", "mask.png", "-o", "out.png", "--report", "json"],
      in: place)
    #expect(run.status == Status.done, "\(run.errors)")
    // 128 pixels, the model's side, around (325, 280).
    #expect(run.output.contains(#""crop" : "261,216,128,128""#), "\(run.output)")
    #expect(run.errors.contains("for 128×128 at 261,216 of 500×400 (1.0 of its size)"), "\(run.errors)")
    let (old, new) = (
      try PictureFile.read(place.path("photo.png")), try PictureFile.read(place.path("out.png"))
    )
    let mask = try PictureFile.readMask(place.path("mask.png"))
    var changed = 0
    for p in mask.pixels.indices {
      let isSame = old.pixels[3 * p..<3 * p + 3] == new.pixels[3 * p..<3 * p + 3]
      if mask.pixels[p] == 0 { #expect(isSame) } else if !isSame { changed += 1 }
    }
    #expect(changed > 1500)
    // Points are the photo's.
    let drag = try await Command.run(
      Self.words + ["--method", "drag", "--drag", "320,270:335,290", "-o", "drag.png", "--report", "json"],
      in: place)
    #expect(drag.status == Status.done && drag.output.contains(#""crop" : "#), "\(drag.errors)")
    let outside = try await Command.run(
      Self.words + [
        "--method", "drag", "--drag", "320,270:335,290", "--crop", "0,0,90,90", "-o", "drag.png",
      ], in: place)
    #expect(outside.status == Status.usage)
    let none = try await Command.run(
      Self.words + [
        "--method", "inpaint", "--mask", "mask.png", "--crop", "none", "-o", "out.png", "--report", "json",
      ],
      in: place)
    #expect(none.status == Status.done && !none.output.contains(#""crop" : "#))
  }

  @Test("have the photo's fine detail where nothing was changed") func detail() async throws {
    let place = try Self.furnished()
    // The same prompt on both sides gives the photo back.
    let same = [
      "--method", "ddpm-inversion", "--source-prompt", "a ball", "--cfg-scale", "2", "--source-cfg-scale",
      "2",
    ]
    let with = try await Command.run(Self.words + same + ["-o", "with.png"], in: place)
    #expect(with.status == Status.done && with.errors.contains("kept in 100 %"), "\(with.errors)")
    let without = try await Command.run(Self.words + same + ["-o", "without.png", "--no-detail"], in: place)
    #expect(without.status == Status.done && !without.errors.contains("fine detail"))
    let photo = try PictureFile.read(place.path("photo.png"))
    func energy(_ picture: Picture) -> Double {
      var sum = 0.0
      for y in 0..<400 {
        for i in 3..<1500 {
          let difference = Double(picture.pixels[1500 * y + i]) - Double(picture.pixels[1500 * y + i - 3])
          sum += difference * difference
        }
      }
      return sum
    }
    let original = energy(photo)
    #expect(energy(try PictureFile.read(place.path("with.png"))) > 0.8 * original)
    #expect(energy(try PictureFile.read(place.path("without.png"))) < 0.5 * original)
    // An edit that changes nothing says so.
    #expect(with.errors.contains("changed almost nothing"))
  }
}
