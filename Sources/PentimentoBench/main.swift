// pentimento-bench [pattern …] [--threads n] [--scalar] [--cpu]
//
// Times the kernels on shapes of Stable Diffusion 1.5. Only cases whose line would contain a pattern run;
// --scalar runs each case once more with the scalar twins and prints the ratio; --cpu counts processor
// time divided by threads instead of wall-clock time. PENTIMENTO_ISA picks a set.
//
// pentimento-bench operators [pattern …]         times every operator and its gradient: see OperatorsMode.
// pentimento-bench networks [MODEL] …             measures whole networks and their operators: see NetworksMode.
// pentimento-bench edits --output FOLDER …        measures edits instead: see EditsMode.
// pentimento-bench open MODEL                     measures how a model is opened: see OpenMode.
// pentimento-bench gradient MODEL …              measures a gradient of the noise network: see GradientMode.
// pentimento-bench pictures PHOTO …               measures what pictures take in memory: see PicturesMode.
// pentimento-bench fuzz [READER …] …              gives hostile files to the readers: see FuzzMode.
import Kernels
import Platform
import Tensors

if CommandLine.arguments.dropFirst().first == "operators" {
  try OperatorsMode.run(CommandLine.arguments.dropFirst(2))
  exit(0)
}

if CommandLine.arguments.dropFirst().first == "networks" {
  do {
    try NetworksMode(CommandLine.arguments.dropFirst(2)).run()
    exit(0)
  } catch {
    EditsMode.say("pentimento-bench: \(error)")
    exit(error is NetworksMode.Misuse ? 64 : 1)
  }
}

if CommandLine.arguments.dropFirst().first == "edits" {
  do {
    try await EditsMode(CommandLine.arguments.dropFirst(2)).run()
    exit(0)
  } catch {
    EditsMode.say("pentimento-bench: \(error)")
    exit(error is EditsMode.Misuse ? 64 : 1)
  }
}

if CommandLine.arguments.count == 3, CommandLine.arguments[1] == "open" {
  do {
    try OpenMode.run(CommandLine.arguments[2])
    exit(0)
  } catch {
    EditsMode.say("pentimento-bench: \(error)")
    exit(1)
  }
}

if CommandLine.arguments.dropFirst().first == "gradient" {
  do {
    try await GradientMode(CommandLine.arguments.dropFirst(2)).run()
    exit(0)
  } catch {
    EditsMode.say("pentimento-bench: \(error)")
    exit(error is GradientMode.Misuse ? 64 : 1)
  }
}

if CommandLine.arguments.dropFirst().first == "fuzz" {
  do {
    try await FuzzMode(CommandLine.arguments.dropFirst(2)).run()
    exit(0)
  } catch {
    EditsMode.say("pentimento-bench: \(error)")
    exit(error is FuzzMode.Misuse ? 64 : 1)
  }
}

if CommandLine.arguments.dropFirst().first == "pictures" {
  do {
    try PicturesMode.run(CommandLine.arguments.dropFirst(2))
    exit(0)
  } catch {
    EditsMode.say("pentimento-bench: \(error)")
    exit(error is PicturesMode.Misuse ? 64 : 1)
  }
}

var patterns: [String] = []
var threads = 2
var comparesScalar = false
var usesProcessorTime = false
var arguments = CommandLine.arguments.dropFirst()
while let argument = arguments.popFirst() {
  switch argument {
  case "--threads": threads = arguments.popFirst().flatMap { Int($0) } ?? threads
  case "--cpu": usesProcessorTime = true
  case "--scalar": comparesScalar = true
  default: patterns.append(argument)
  }
}

/// Built one at a time, so that only one case's operands are in memory.
let cases: [(name: String, make: () -> [Benchmark])] = [
  ("gemm_tile", { [tileBenchmark(), int8TileBenchmark()] }),
  (
    "linear 4096×320×2560",
    { [linearBenchmark(4096, 320, 2560, .f16), int8LinearBenchmark(4096, 320, 2560)] }
  ),
  (
    "linear 4096×320×320", { [linearBenchmark(4096, 320, 320, .f16), linearBenchmark(4096, 320, 320, .f32)] }
  ),
  (
    "linear 4096×1280×320",
    { [linearBenchmark(4096, 1280, 320, .f16), int8LinearBenchmark(4096, 1280, 320)] }
  ),
  (
    "linear 256×1280×10240",
    { [linearBenchmark(256, 1280, 10240, .f16), int8LinearBenchmark(256, 1280, 10240)] }
  ),
  ("linear 77×768×320", { [linearBenchmark(77, 768, 320, .f16), int8LinearBenchmark(77, 768, 320)] }),
  ("linear 1×1280×1280", { [linearBenchmark(1, 1280, 1280, .f16), int8LinearBenchmark(1, 1280, 1280)] }),
  ("linearDX 4096×320×2560", { [linearBenchmark(4096, 320, 2560, .f16, gradient: true)] }),
  ("conv 64×64×320", { [convolutionBenchmark(64, 320, 320, .f16), int8ConvolutionBenchmark(64, 320, 320)] }),
  ("conv 32×32×640", { [convolutionBenchmark(32, 640, 640, .f16), int8ConvolutionBenchmark(32, 640, 640)] }),
  (
    "conv 16×16×1280",
    { [convolutionBenchmark(16, 1280, 1280, .f16), int8ConvolutionBenchmark(16, 1280, 1280)] }
  ),
  (
    "conv 8×8×1280", { [convolutionBenchmark(8, 1280, 1280, .f16), int8ConvolutionBenchmark(8, 1280, 1280)] }
  ),
  ("conv 64×64×4", { [convolutionBenchmark(64, 4, 320, .f16), convolutionBenchmark(64, 320, 4, .f16)] }),
  (
    "conv 256×256×128",
    { [convolutionBenchmark(256, 128, 128, .f16), int8ConvolutionBenchmark(256, 128, 128)] }
  ),
  (
    "conv s2 64×64×320",
    {
      [
        convolutionBenchmark(64, 320, 320, .f16, stride: 2),
        int8ConvolutionBenchmark(64, 320, 320, stride: 2),
      ]
    }
  ),
  (
    "conv1x1 64×64×640",
    {
      [
        convolutionBenchmark(64, 640, 320, .f16, kernel: 1),
        int8ConvolutionBenchmark(64, 640, 320, kernel: 1),
      ]
    }
  ),
  ("convDX 64×64×320", { [convolutionBenchmark(64, 320, 320, .f16, gradient: true)] }),
  ("convDX 16×16×1280", { [convolutionBenchmark(16, 1280, 1280, .f16, gradient: true)] }),
  ("convDX s2 64×64×320", { [convolutionBenchmark(64, 320, 320, .f16, stride: 2, gradient: true)] }),
  ("attention 4096 d40", { [attentionBenchmark(4096, 4096, heads: 8, size: 40)] }),
  ("attention 1024 d80", { [attentionBenchmark(1024, 1024, heads: 8, size: 80)] }),
  ("attention cross 4096×77 d40", { [attentionBenchmark(4096, 77, heads: 8, size: 40)] }),
  ("attention 4096 d512", { [attentionBenchmark(4096, 4096, heads: 1, size: 512)] }),
  ("attentionGradient 4096 d40", { [attentionBenchmark(4096, 4096, heads: 8, size: 40, gradient: true)] }),
  ("attentionGradient cross 4096×77", { [attentionBenchmark(4096, 77, heads: 8, size: 40, gradient: true)] }),
  ("packPanels", { [packingBenchmark([1280, 1280, 3, 3]), packingBenchmark([2560, 320])] }),
  ("quantize", quantizerBenchmarks),
  ("memory norm silu geglu add", memoryBenchmarks),
]

if usesProcessorTime { Timing.processorThreads = threads }
let pool = try ThreadPool(threads: threads)
print("\(pool.kernels), \(threads) threads")
for (name, make) in cases where patterns.isEmpty || patterns.contains(where: { name.contains($0) }) {
  for benchmark in make() { try benchmark.report(pool, scalar: comparesScalar) }
}
