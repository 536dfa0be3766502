import Glibc
import Subprocess

/// An authority of the tests' own, and what it has signed, as files in a temporary folder.
public struct CertificateFiles: Sendable {
    /// A certificate and its key.
    public struct Pair: Sendable {
        public let certificate: String
        public let key: String
    }

    /// Made once, and removed with the process.
    public static let shared = Task { try await CertificateFiles() }

    public let authority: Pair
    /// Of a broker at `localhost` and 127.0.0.1.
    public let broker: Pair
    /// The same, but its time is over.
    public let expired: Pair
    /// Of the client `guest`.
    public let client: Pair
    /// Of an authority that signs itself and nobody knows.
    public let stranger: Pair

    private init() async throws {
        let folder = try Self.folder.get()
        func pair(_ name: String) -> Pair { Pair(certificate: "\(folder)/\(name).pem", key: "\(folder)/\(name).key") }
        (authority, stranger) = (pair("authority"), pair("stranger"))
        for authority in [authority, stranger] {
            try await Self.openssl(
                ["req", "-x509", "-days", "2", "-subj", "/CN=authority", "-out", authority.certificate]
                    + Self.newKey(authority.key))
        }
        (broker, expired, client) = (pair("broker"), pair("expired"), pair("client"))
        let host = "subjectAltName=DNS:localhost,IP:127.0.0.1"
        for (pair, name, extensions, days) in [
            (broker, "broker", host, "2"), (expired, "broker", host, "-1"),
            (client, "guest", "extendedKeyUsage=clientAuth", "2"),
        ] {
            let request = pair.certificate + ".csr"
            try await Self.openssl(
                ["req", "-new", "-subj", "/CN=\(name)", "-addext", extensions, "-out", request] + Self.newKey(pair.key))
            try await Self.openssl([
                "x509", "-req", "-in", request, "-CA", authority.certificate, "-CAkey", authority.key, "-days", days,
                "-copy_extensions", "copy", "-out", pair.certificate,
            ])
        }
    }

    private static func newKey(_ file: String) -> [String] {
        ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", file]
    }

    private static func openssl(_ arguments: [String]) async throws {
        let result = try await Subprocess.run(
            .name("openssl"), arguments: Arguments(arguments), output: .discarded, error: .string(limit: 16_384))
        guard result.terminationStatus.isSuccess else {
            throw Failure(description: "openssl \(arguments.joined(separator: " ")): \(result.standardError)")
        }
    }

    /// Removed at the end of the process.
    private static let folder: Result<String, Failure> = Result { () throws(Failure) -> String in
        var template = Array("/tmp/actorbus-certificates-XXXXXX".utf8CString)
        guard unsafe mkdtemp(&template) != nil else { throw Failure(description: "no folder: errno \(errno)") }
        atexit {
            guard let folder = try? CertificateFiles.folder.get() else { return }
            for name in ["authority", "stranger", "broker", "expired", "client"] {
                for suffix in [".pem", ".key", ".pem.csr"] { unsafe unlink("\(folder)/\(name)\(suffix)") }
            }
            unsafe rmdir(folder)
        }
        return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }
}
