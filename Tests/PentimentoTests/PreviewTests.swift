import Foundation
import Pentimento
import Synchronization
import Tensors
import Testing

@Suite("A preview") struct PreviewTests {
  private let model = try! Model(
    folder: URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appending(path: "../../Weights/embedded").standardizedFileURL)

  @Test("finds the colours of a latent that has them in its channels") func colors() throws {
    var (latent, pixels) = (Latent(height: 6, width: 5), [UInt8]())
    for i in latent.values.indices { latent.values[i] = Float(i * 37 % 101) / 50 - 1 }
    func color(_ y: Int, _ x: Int, _ k: Int) -> Double {
      128 + 60 * Double(latent[y, x, k]) - 40 * Double(latent[y, x, 3])
    }
    for y in 0..<24 {
      for x in 0..<20 { for k in 0..<3 { pixels.append(UInt8(color(y / 4, x / 4, k).rounded())) } }
    }
    let colors = LatentColors(fitting: latent, to: Picture(width: 20, height: 24, pixels: pixels))
    for (i, value) in colors.colors(of: latent).enumerated() {
      // Rounding of the picture, and the weight on the size of the matrix: a thousandth of 60.
      #expect(abs(Double(value) - color(i / 15, i / 3 % 5, i % 3)) < 1, "\(i)")
    }
  }

  @Test("goes from cell to cell in straight lines, and stays in 8 bits") func rows() throws {
    let colors: [Float] = [0, 0, 0, 100, 200, 300, -50, 0, 0, 100, 200, 300]
    let picture = try Picture(
      reading: LatentPreview(
        colors, height: 2, width: 2, pixelsPerLatent: 4, extent: Extent(width: 8, height: 7)))
    #expect(picture.width == 8 && picture.height == 7)
    // Middles of cells lie between the second and the third pixel, those of the other at 5.5: steps of a quarter.
    let first = (0..<8).map { Int(picture.pixels[3 * $0]) }
    #expect(first == [0, 0, 13, 38, 63, 88, 100, 100])
    #expect((0..<8).map { Int(picture.pixels[3 * $0 + 2]) } == [0, 0, 38, 113, 188, 255, 255, 255])
  }

  @Test("is in the plan, and shows the last steps nearer to the result than the first") func plan()
    async throws
  {
    let editor = try Editor(model: model, threads: 2)
    var request = EditRequest(.sdedit(steps: 8))
    request.picture = Picture(
      width: 64, height: 64, pixels: (0..<64 * 64 * 3).map { UInt8($0 * 7 % 256) })
    request.prompt = "a red cube"
    request.size = .box(Extent(width: 64, height: 64))
    let plain = try editor.prepare(request)
    request.showsPreviews = true
    let job = try editor.prepare(request)
    let stored = [plain, job].map { $0.plan.stages.first { $0.name == "denoise" }!.stored }
    #expect(stored[1] > stored[0])
    let shown = Mutex<[Picture]>([])
    let watch = RunWatch(
      preview: .init(every: 1) { picture, _ in
        let picture = try! Picture(reading: picture)
        shown.withLock { $0.append(picture) }
      })
    let result = try await RunWatch.$current.withValue(watch) { try await job.run() }
    #expect(try await result.pixels == plain.run().pixels)
    let pictures = shown.withLock { $0 }
    #expect(pictures.count >= 6)
    let made = try result.pixels.pixels
    func distance(_ picture: Picture) -> Int {
      zip(picture.pixels, made).reduce(0) { $0 + (Int($1.0) - Int($1.1)) * (Int($1.0) - Int($1.1)) }
    }
    #expect(distance(pictures.last!) < distance(pictures.first!))
  }
}
