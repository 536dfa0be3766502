import LocalBroker
import Subprocess
import Testbed
import Testing

@testable import ActorBus

extension TLSConfiguration.Identity {
    init(_ pair: CertificateFiles.Pair) { self.init(certificateFile: pair.certificate, keyFile: pair.key) }
}

/// OpenSSL's own server, which completes a handshake and then says nothing of use, on a free port of 127.0.0.1.
func withTLSServer(
    _ pair: CertificateFiles.Pair, _ options: [String] = [], _ body: @escaping @Sendable (UInt16) async throws -> Void
) async throws {
    let port = try Loopback.freePorts(1)[0]
    let arguments = ["s_server", "-accept", "127.0.0.1:\(port)", "-cert", pair.certificate, "-key", pair.key, "-www"]
    _ = try await Subprocess.run(
        .name("openssl"), arguments: Arguments(arguments + options), input: .none, output: .discarded,
        error: .discarded
    ) { server in
        do {
            try await eventually("the server listens") { try await Loopback.accepts(port) }
            try await body(port)
        } catch {
            try server.send(signal: .kill)
            throw error
        }
        try server.send(signal: .kill)
    }
}
