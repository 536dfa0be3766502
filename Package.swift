// swift-tools-version: 6.2

import PackageDescription

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
]

let package = Package(
    name: "actorbus",
    products: [
        .library(name: "ActorBus", targets: ["ActorBus"]),
        .library(name: "ActorBusTesting", targets: ["ActorBusTesting"]),
        .executable(name: "pipeline-run", targets: ["pipeline-run"]),
        .executable(name: "Benchmarks", targets: ["Benchmarks"]),
        .executable(name: "bench-plain-c", targets: ["bench-plain-c"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.7.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        // Without its traits Hummingbird stays clear of full Foundation, which would add 44 MB to the binary.
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2", traits: []),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
    ],
    targets: [
        .systemLibrary(
            name: "CRabbitMQ",
            pkgConfig: "librabbitmq",
            providers: [.apt(["librabbitmq-dev"]), .brew(["rabbitmq-c"])]
        ),
        .systemLibrary(
            name: "CSQLite",
            pkgConfig: "sqlite3",
            providers: [.apt(["libsqlite3-dev"]), .brew(["sqlite"])]
        ),
        .systemLibrary(
            name: "COpenSSL",
            pkgConfig: "openssl",
            providers: [.apt(["libssl-dev"]), .brew(["openssl@3"])]
        ),
        .target(
            name: "ActorBus",
            dependencies: ["COpenSSL", "CRabbitMQ", .product(name: "Logging", package: "swift-log")],
            swiftSettings: strict
        ),
        .target(name: "ActorBusTesting", dependencies: ["ActorBus"], swiftSettings: strict),
        .target(
            name: "LocalBroker",
            dependencies: [
                .product(name: "Subprocess", package: "swift-subprocess"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: strict
        ),
        .target(
            name: "Pipeline",
            dependencies: [
                "ActorBus", "CSQLite",
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            // Into the code, since the binary stands alone.
            resources: [.embedInCode("Operations/Dashboard/dashboard.html")],
            swiftSettings: strict
        ),
        .executableTarget(
            name: "pipeline-run",
            dependencies: [
                "Pipeline", "LocalBroker",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict
        ),
        .executableTarget(
            name: "Benchmarks",
            dependencies: [
                "ActorBus", "LocalBroker",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Histogram", package: "hdrhistogram-swift"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Subprocess", package: "swift-subprocess"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            path: "Benchmarks/Benchmarks",
            swiftSettings: strict
        ),
        // Plain rabbitmq-c on its ordinary, blocking API: what the benchmarks measure against.
        .executableTarget(name: "bench-plain-c", dependencies: ["CRabbitMQ"], path: "Benchmarks/PlainC"),
        // What the tests share: logs that are shown on failure, and how RabbitMQ's versions differ.
        .target(
            name: "Testbed",
            dependencies: [
                "LocalBroker",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Subprocess", package: "swift-subprocess"),
            ],
            path: "Tests/Testbed",
            swiftSettings: strict
        ),
        // The search for faults of the client, in virtual time: make simulate.
        .executableTarget(
            name: "simulate",
            dependencies: [
                "ActorBus", "ActorBusTesting",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Tests/Simulate",
            swiftSettings: strict
        ),
        // The same for the pipeline: make simulate-pipeline.
        .executableTarget(
            name: "simulate-pipeline",
            dependencies: [
                "ActorBus", "ActorBusTesting", "Pipeline",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Tests/SimulatePipeline",
            swiftSettings: strict
        ),
        .testTarget(
            name: "ActorBusTests",
            dependencies: [
                "ActorBus", "LocalBroker", "Testbed",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Subprocess", package: "swift-subprocess"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "ActorBusTestingTests",
            dependencies: ["ActorBus", "ActorBusTesting", "LocalBroker", "Pipeline", "simulate"],
            swiftSettings: strict
        ),
        .testTarget(name: "LocalBrokerTests", dependencies: ["LocalBroker"], swiftSettings: strict),
        .testTarget(
            name: "PipelineTests",
            dependencies: [
                "ActorBus", "ActorBusTesting", "LocalBroker", "Pipeline", "pipeline-run", "simulate-pipeline",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
            ],
            swiftSettings: strict
        ),
        .testTarget(name: "BenchmarksTests", dependencies: ["Benchmarks"], swiftSettings: strict),
        .testTarget(
            name: "EndToEndTests",
            dependencies: [
                "ActorBus", "LocalBroker", "Testbed", "pipeline-run",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict
        ),
    ]
)
