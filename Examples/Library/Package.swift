// swift-tools-version: 6.0
import PackageDescription

// An application of the library: one product, nothing of the command.
let package = Package(
  name: "Evening",
  dependencies: [.package(name: "pentimento", path: "../..")],
  targets: [
    .executableTarget(
      name: "Evening", dependencies: [.product(name: "Pentimento", package: "pentimento")], path: "Sources")
  ])
