import Foundation
import ImageFiles
import Tensors
import Testing

@Suite("Where an edit acts", .serialized) struct RegionTests {
  private static let inpaint = [
    "edit", "-i", "photo.png", "-p", "a red ball", "--mask", "mask.png", "--steps", "3", "-o", "out.png",
  ]

  /// Runs in a furnished folder, expects success and returns original and result.
  private func edit(_ arguments: [String], in place: Workplace) async throws -> (old: Picture, new: Picture) {
    let run = try await Command.run(arguments, in: place)
    #expect(run.exited && run.status == Status.done, "\(run.errors)")
    return (try PictureFile.read(place.path("photo.png")), try PictureFile.read(place.path("out.png")))
  }

  /// Pixels that differ, as (inside the mask, outside).
  private func changes(_ pair: (old: Picture, new: Picture), _ mask: MaskPicture) -> (
    inside: Int, outside: Int
  ) {
    var count = (inside: 0, outside: 0)
    for p in mask.pixels.indices
    where pair.old.pixels[3 * p..<3 * p + 3] != pair.new.pixels[3 * p..<3 * p + 3] {
      if mask.pixels[p] > 0 { count.inside += 1 } else { count.outside += 1 }
    }
    return count
  }

  @Test("outside a given mask the original is back, bit for bit")
  func pasteBack() async throws {
    let place = try Workplace.furnished()
    let mask = try PictureFile.readMask(place.path("mask.png"))
    let pasted = changes(try await edit(Self.inpaint, in: place), mask)
    #expect(pasted.inside > 1000 && pasted.outside == 0)
    let whole = changes(try await edit(Self.inpaint + ["--no-paste-back"], in: place), mask)
    #expect(whole.inside > 1000 && whole.outside > 1000)
  }

  @Test("a feathered edge mixes as far as it reaches and no farther")
  func feather() async throws {
    let place = try Workplace.furnished()
    let mask = try PictureFile.readMask(place.path("mask.png"))
    let hard = try await edit(Self.inpaint, in: place).new
    let whole = try await edit(Self.inpaint + ["--no-paste-back"], in: place).new
    let (old, soft) = try await edit(Self.inpaint + ["--feather", "6"], in: place)
    func isNearEdge(_ x: Int, _ y: Int, _ reach: Int) -> Bool {
      let value = mask.pixels[y * 96 + x]
      for v in max(0, y - reach)...min(79, y + reach) {
        for u in max(0, x - reach)...min(95, x + reach) where mask.pixels[v * 96 + u] != value { return true }
      }
      return false
    }
    var mixed = 0
    for y in 0..<80 {
      for x in 0..<96 {
        let at = 3 * (y * 96 + x)..<3 * (y * 96 + x) + 3
        if !isNearEdge(x, y, 6) {
          #expect(soft.pixels[at] == (mask.pixels[y * 96 + x] > 0 ? whole : old).pixels[at])
        } else if soft.pixels[at] != hard.pixels[at] {
          mixed += 1
        }
      }
    }
    #expect(mixed > 100)
  }

  @Test("a mask of another size, with a soft edge or in colours is laid over the photo")
  func kinds() async throws {
    let place = try Workplace.furnished()
    let small = Workplace.mask(width: 24, height: 20)
    try PictureFile.write(small, to: place.path("mask.pgm"))
    try place.addPicture("colours.png", width: 33, height: 200)
    for name in ["mask.pgm", "colours.png"] {
      var arguments = Self.inpaint
      arguments[arguments.firstIndex(of: "mask.png")!] = name
      let pair = try await edit(arguments + ["--save-mask", "saved.png"], in: place)
      let saved = try PictureFile.readMask(place.path("saved.png"))
      #expect(saved.width == 96 && saved.height == 80)
      #expect(changes(pair, saved).outside == 0)
      let same = try PictureFile.readMask(place.path("mask.png"))
      if name == "mask.pgm" { #expect(saved == same) }
    }
  }

  @Test("an empty mask gives the original back and says so")
  func emptyMask() async throws {
    let place = try Workplace.furnished()
    let black = MaskPicture(width: 96, height: 80, pixels: Array(repeating: 0, count: 96 * 80))
    try PictureFile.write(black, to: place.path("mask.png"))
    let run = try await Command.run(Self.inpaint, in: place)
    #expect(run.status == Status.done && run.errors.contains("mask is empty"), "\(run.errors)")
    #expect(try PictureFile.read(place.path("out.png")) == PictureFile.read(place.path("photo.png")))
  }

  @Test("a mask that a method finds can be kept, and if the method obeys it the original is back outside")
  func foundMask() async throws {
    for arguments in [
      ["--method", "diffedit", "--source-prompt", "a cube", "-p", "a ball"],
      ["--method", "ledits++", "--concept", "+ball", "--mask-mode", "noise"],
      ["--method", "ledits++", "--concept", "+ball", "--mask-mode", "attention"],
    ] {
      let place = try Workplace.furnished()
      let pair = try await edit(
        ["edit", "-i", "photo.png", "-o", "out.png", "--steps", "4", "--save-mask", "found.pgm"] + arguments,
        in: place)
      let mask = try PictureFile.readMask(place.path("found.pgm"))
      #expect(mask.width == 96 && mask.height == 80)
      #expect(
        mask.pixels.contains { $0 > 128 } && mask.pixels.contains(0))
      let changed = changes(pair, mask)
      #expect(changed.inside > 0 && (changed.outside == 0) == (arguments[1] == "diffedit"), "\(arguments)")
    }
  }

  @Test("a drag with --mask auto changes what lies near its path alone")
  func dragPath() async throws {
    let place = try Workplace()
    try place.addPicture("photo.png", width: 256, height: 256)
    let drag = [
      "edit", "-i", "photo.png", "-o", "out.png", "-p", "a square", "--drag", "40,40:72,40", "--radius", "2",
      "--steps",
      "4", "--step-size", "4", "--size", "256",
    ]
    let pair = try await edit(drag + ["--mask", "auto", "--save-mask", "path.png"], in: place)
    let mask = try PictureFile.readMask(place.path("path.png"))
    // Cells of 8 pixels whose corner lies within 3·2 cells of the path from (5, 5) to (9, 5).
    for (x, y, isInside) in [
      (40, 40, true), (72, 40, true), (4, 40, true), (120, 44, true), (130, 44, false), (40, 96, false),
      (250, 250, false),
    ] {
      // Between cells it is smooth.
      #expect((mask.pixels[y * 256 + x] > 127) == isInside, "(\(x), \(y))")
    }
    let changed = changes(pair, mask)
    #expect(changed.outside == 0 && changed.inside > 0)
    let free = changes(try await edit(drag, in: place), mask)
    #expect(free.outside > 0)
  }

  @Test("points come from a file in DragBench's layout, with its picture, mask and prompt")
  func dragFile() async throws {
    let place = try Workplace.furnished()
    let manager = FileManager.default
    try manager.moveItem(at: place.url("photo.png"), to: place.url("origin_image.png"))
    try place.add(
      "prompt.json", #"{"source": [[20.7, 30]], "target": [[60, 40]], "prompt": "a square, moved"}"#.utf8)
    let short = ["--steps", "4", "--radius", "2", "--step-size", "4"]
    let run = try await Command.run(
      ["edit", "--drag-file", "prompt.json", "-o", "file.png", "--report", "json"] + short, in: place)
    #expect(run.status == Status.done && run.errors.contains("method drag"), "\(run.errors)")
    #expect(
      run.output.contains("\"prompt\" : \"a square, moved\"") && run.output.contains("\"mask\" : \"given\""))
    let written = try await Command.run(
      [
        "edit", "-i", "origin_image.png", "--mask", "mask.png", "-p", "a square, moved", "--drag",
        "20,30:60,40", "-o",
        "options.png", "--no-metadata",
      ] + short, in: place)
    #expect(written.status == Status.done)
    #expect(try PictureFile.read(place.path("file.png")) == PictureFile.read(place.path("options.png")))
    try manager.removeItem(at: place.url("origin_image.png"))
    try await Refusal(
      "edit", "--drag-file", "prompt.json", "-o", "out.png", says: "origin_image.png", "--image"
    )
    .check(in: place)
  }

  @Test("what a method changes outside of a mask is said where the original is not put back")
  func outside() async throws {
    let place = try Workplace.furnished()
    let words = ["edit", "-i", "photo.png", "--mask", "mask.png", "--steps", "4", "-o", "out.png"]
    let concept = ["--method", "ledits++", "--concept", "+snow"]
    let sentence = "changed what is masked out too"
    for (options, isSaid) in [
      (concept + ["--no-paste-back"], true), (concept, false),
      (["--method", "inpaint", "-p", "a red ball", "--no-paste-back"], false),
    ] {
      let run = try await Command.run(words + options, in: place, model: Command.embeddedModel)
      #expect(run.status == 0 && run.errors.contains(sentence) == isSaid, "\(options): \(run.errors)")
    }
  }
}
