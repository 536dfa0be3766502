/// Which build this process runs, as logs and `pipeline_build_info` show it.
package struct BuildInfo: Sendable, Equatable {
    /// The release, in semantic versioning.
    package let version: String
    /// The source revision, as the image says it in `PIPELINE_REVISION`; `unknown` where nothing says it.
    package let revision: String

    /// The one place that states the version.
    package static let version = "0.1.0"

    package init(version: String = BuildInfo.version, revision: String?) {
        self.version = version
        self.revision = revision.flatMap { $0.isEmpty ? nil : $0 } ?? "unknown"
    }

    /// The build of this process.
    package static let current = BuildInfo(revision: SystemEnvironment.value(of: "PIPELINE_REVISION"))
}
