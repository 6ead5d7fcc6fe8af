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
  ["NeuralGraph", "Runtime", "Kernels", "Packing"].contains(name) ? ["README.md"] : []
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
    .target(name: "CKernels", cSettings: c),
    room("Platform"),
    room("Tensors"),
    room("Kernels", ["CKernels", "Tensors", "Platform"]),
    room("NeuralGraph", ["Kernels", "Tensors"]),
    room("WeightStorage", ["Tensors", "CKernels", "Platform"]),
    room("Runtime", ["NeuralGraph", "WeightStorage", "Kernels", "Platform"]),
    room("StableDiffusion", ["NeuralGraph"]),
    room("Packing", ["NeuralGraph", "Kernels", "WeightStorage"]),
    room("Editing", ["Tensors"]),
    .systemLibrary(
      name: "CLibPNG", pkgConfig: "libpng", providers: [.apt(["libpng-dev"])]),
    .target(name: "CPNG", dependencies: ["CLibPNG"], cSettings: c, linkerSettings: [.linkedLibrary("png")]),
    room("ImageFiles", ["Tensors", "CPNG", "Platform"]),
    room("Pentimento", ["Runtime", "StableDiffusion", "Editing", "Packing", "WeightStorage", "Platform"]),
    room("Evaluation", ["Pentimento", "ImageFiles", "Platform"]),
    .executableTarget(
      name: "PentimentoCLI",
      dependencies: [
        "Pentimento", "ImageFiles", "Platform", .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: swift),
    room("Fuzzing", ["Pentimento", "Packing", "StableDiffusion", "Editing", "WeightStorage"]),
    .executableTarget(
      name: "PentimentoBench", dependencies: ["Kernels", "Tensors", "Evaluation", "Fuzzing"],
      swiftSettings: swift),

    room("TestSupport", ["Tensors", "Editing", "WeightStorage"]),
    tests(of: "Tensors"),
    tests(of: "Kernels", ["CKernels"]),
    tests(of: "NeuralGraph", ["Runtime"]),
    tests(of: "WeightStorage"),
    tests(of: "Runtime"),
    tests(of: "StableDiffusion", ["Pentimento", "Packing"]),
    tests(of: "Packing", ["Pentimento", "StableDiffusion", "WeightStorage"]),
    tests(of: "Editing"),
    tests(of: "ImageFiles"),
    tests(of: "Pentimento", ["ImageFiles", "WeightStorage"]),
    tests(of: "Evaluation", ["Pentimento", "ImageFiles"]),
    tests(of: "Fuzzing"),
    // Runs the built program, so it has to be built.
    tests(of: "PentimentoCLI", ["ImageFiles", "WeightStorage", "Tensors"]),
  ],
  swiftLanguageModes: [.v6]
)

// libFuzzer over the readers (Tools/fuzz --libfuzzer), which few toolchains have.
if Context.environment["PENTIMENTO_LIBFUZZER"] == "1" {
  package.targets.append(
    .executableTarget(name: "LibFuzzer", dependencies: ["Fuzzing"]))
}
