// swift-tools-version: 6.0
import PackageDescription

// PENTIMENTO_STRICT=1 turns warnings into errors; the gate sets it.
let strict = Context.environment["PENTIMENTO_STRICT"] == "1"
let swift: [SwiftSetting] = strict ? [.unsafeFlags(["-warnings-as-errors"])] : []
let c: [CSetting] = strict ? [.unsafeFlags(["-Wall", "-Wextra", "-Werror"])] : []

func room(_ name: String, _ uses: [Target.Dependency] = []) -> Target {
  .target(name: name, dependencies: uses, exclude: readme(name), swiftSettings: swift)
}

func tests(of name: String, _ uses: [Target.Dependency] = []) -> Target {
  .testTarget(
    name: "\(name)Tests", dependencies: [.byName(name: name), "TestSupport"] + uses, swiftSettings: swift)
}

/// Rooms in which decisions were made explain them in a README of their own.
func readme(_ name: String) -> [String] {
  let explained = [
    "Batch", "Editing", "Files", "Kernels", "NeuralGraph", "Packing", "Pentimento", "Pictures", "Runtime",
    "StableDiffusion",
    "WeightStorage",
  ]
  return explained.contains(name) ? ["README.md"] : []
}

let package = Package(
  name: "Pentimento",
  products: [
    .library(name: "Pentimento", targets: ["Pentimento"]),
    .executable(name: "pentimento", targets: ["PentimentoCLI"]),
    .executable(name: "pentimento-bench", targets: ["PentimentoBench"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0")
  ],
  targets: [
    // The machine and the C library.
    .target(name: "CPlatform", cSettings: c),
    room("Platform", ["CPlatform"]),
    .target(name: "CKernels", cSettings: c),
    .target(name: "CPeak", cSettings: c),
    room("Tensors"),
    room("Kernels", ["CKernels", "Tensors", "Platform"]),

    // Networks and their weights.
    room("NeuralGraph", ["Kernels", "Tensors"]),
    room("OperatorCases", ["NeuralGraph", "Kernels", "Tensors"]),
    room("JSON"),
    room("Files", ["CKernels", "Platform"]),
    room("WeightStorage", ["Files", "JSON", "Tensors", "CKernels", "Platform"]),
    room("Runtime", ["NeuralGraph", "WeightStorage", "Kernels", "Platform"]),
    room("StableDiffusion", ["NeuralGraph", "JSON", "Platform"]),
    room("Packing", ["StableDiffusion", "NeuralGraph", "Kernels", "WeightStorage", "Files", "JSON"]),

    // Methods and pictures.
    room("Editing", ["Tensors", "JSON"]),
    .systemLibrary(
      name: "CLibPNG", pkgConfig: "libpng", providers: [.apt(["libpng-dev"])]),
    .target(
      name: "CPNG", dependencies: ["CLibPNG"], cSettings: c,
      linkerSettings: [.linkedLibrary("png"), .linkedLibrary("z")]),
    .target(name: "CJPEG", cSettings: c, linkerSettings: [.linkedLibrary("dl", .when(platforms: [.linux]))]),
    room("Pictures", ["Tensors", "Platform"]),
    room("ImageFiles", ["Pictures", "Files", "Tensors", "CPNG", "CJPEG", "Platform"]),

    // The library and what is made of it.
    room(
      "Pentimento",
      [
        "Runtime", "StableDiffusion", "Editing", "Packing", "WeightStorage", "ImageFiles", "Pictures",
        "Files", "JSON",
        "Platform",
      ]),
    room("Batch", ["Pentimento", "Files", "JSON", "Platform"]),
    room("Trace", ["Pentimento", "Editing", "Packing", "StableDiffusion", "WeightStorage", "Files", "JSON"]),
    room("Evaluation", ["Pentimento", "ImageFiles", "JSON", "Platform"]),
    .executableTarget(
      name: "PentimentoCLI",
      dependencies: [
        "Pentimento", "Batch", "Trace", "OperatorCases", "ImageFiles", "WeightStorage", "Files", "JSON",
        "Platform",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: swift),
    room(
      "Fuzzing",
      [
        "Pentimento", "Packing", "StableDiffusion", "Editing", "WeightStorage", "ImageFiles", "Files", "JSON",
        "Platform",
      ]),
    .executableTarget(
      name: "PentimentoBench",
      dependencies: [
        "CPeak", "OperatorCases", "NeuralGraph", "Runtime", "StableDiffusion", "Packing", "WeightStorage",
        "Kernels",
        "Tensors", "Evaluation", "Fuzzing", "ImageFiles", "Platform",
      ],
      swiftSettings: swift),

    room("TestSupport", ["Tensors", "Kernels", "Pictures", "Editing", "WeightStorage", "Files", "JSON"]),
    tests(of: "Platform"),
    tests(of: "Files", ["Platform"]),
    tests(of: "JSON"),
    tests(of: "Tensors"),
    tests(of: "Kernels", ["CKernels", "Platform"]),
    tests(of: "NeuralGraph", ["Runtime", "OperatorCases"]),
    tests(of: "WeightStorage", ["Files", "JSON"]),
    tests(of: "Runtime"),
    tests(of: "StableDiffusion", ["Pentimento", "Packing"]),
    tests(of: "Packing", ["Pentimento", "StableDiffusion", "WeightStorage"]),
    tests(of: "Editing", ["JSON"]),
    tests(of: "Pictures"),
    tests(of: "ImageFiles"),
    tests(of: "Pentimento", ["Trace", "ImageFiles", "WeightStorage", "Files", "JSON"]),
    tests(of: "Batch", ["Pentimento", "Files"]),
    tests(of: "Evaluation", ["Pentimento", "ImageFiles"]),
    tests(of: "Fuzzing"),
    // Runs the built program, so it has to be built.
    tests(of: "PentimentoCLI", ["Editing", "ImageFiles", "WeightStorage", "Tensors"]),
  ],
  swiftLanguageModes: [.v6]
)

// libFuzzer over the readers (Tools/fuzz --libfuzzer), which few toolchains have.
if Context.environment["PENTIMENTO_LIBFUZZER"] == "1" {
  package.targets.append(
    .executableTarget(name: "LibFuzzer", dependencies: ["Fuzzing"]))
}
