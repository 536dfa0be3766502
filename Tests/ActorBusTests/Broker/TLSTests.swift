import LocalBroker
import Testbed
import Testing

@testable import ActorBus

/// TLS with a real broker, and with a server that is wrong in one way each.
@Suite(.logsOnFailure, .timeLimit(.minutes(5))) struct TLSTests {
    /// Brokers with a TLS port, which is `tlsPort`: one for each version of TLS.
    private struct TLSBroker: Sendable {
        let broker: LocalBroker
        let tlsPort: UInt16

        static let newest = Task { try await TLSBroker("tlsv1.3", ["ssl_options.verify": "verify_none"]) }
        /// Wants a client certificate, and takes the user from it.
        static let strict = Task {
            try await TLSBroker(
                "tlsv1.2",
                [
                    "ssl_options.verify": "verify_peer", "ssl_options.fail_if_no_peer_cert": "true",
                    "auth_mechanisms.1": "EXTERNAL", "auth_mechanisms.2": "PLAIN", "auth_mechanisms.3": "AMQPLAIN",
                    "ssl_cert_login_from": "common_name",
                ], plugins: ["rabbitmq_auth_mechanism_ssl"])
        }

        private init(_ version: String, _ options: [String: String], plugins: [String] = []) async throws {
            let files = try await CertificateFiles.shared.value
            tlsPort = try Loopback.freePorts(1)[0]
            let configuration = options.merging([
                "listeners.ssl.1": "127.0.0.1:\(tlsPort)", "ssl_options.versions.1": version,
                "ssl_options.cacertfile": files.authority.certificate,
                "ssl_options.certfile": files.broker.certificate, "ssl_options.keyfile": files.broker.key,
            ]) { $1 }
            broker = try await LocalBroker.start(.init(plugins: plugins, configuration: configuration))
            SharedBroker.stopAtExit(broker)
            // It may open behind the port without TLS, which the start waits for.
            let port = tlsPort
            try await eventually(within: .seconds(30), "the TLS port is open") { try await Loopback.accepts(port) }
        }

        func configuration(host: String = "127.0.0.1") async throws -> ConnectionConfiguration {
            try await configurationOfTLS(host: host, port: tlsPort)
        }
    }

    /// Gives up soon, and trusts the tests' authority.
    private static func configurationOfTLS(host: String, port: UInt16) async throws -> ConnectionConfiguration {
        let files = try await CertificateFiles.shared.value
        var configuration = ConnectionConfiguration(endpoints: [.init(host: host, port: port)])
        configuration.connectAttempts = 1
        configuration.connectTimeout = .seconds(5)
        configuration.tls = TLSConfiguration(trust: .authorities(file: files.authority.certificate))
        return configuration
    }

    /// Messages there and back, small ones and one of many records.
    private func exchange(over configuration: ConnectionConfiguration, large: Int = 3 << 20) async throws {
        let queue = unique("tls")
        let topology = Topology { Queue(queue, durable: false, exclusive: true) }
        try await within(.seconds(60), "messages over TLS") {
            try await withConnection(to: configuration, topology: topology) { connection in
                let body = Sample.bytes(large)
                let publisher = try await connection.publisher()
                try await publisher.publish(Message(body: body), to: "", routingKey: queue)
                try await connection.fill(queue, 200)
                var (taken, isWhole) = (0, false)
                for try await delivery in connection.deliveries(from: queue, prefetch: 50) {
                    if delivery.body == body { isWhole = true }
                    delivery.acknowledge()
                    taken += 1
                    if taken == 201 { break }
                }
                #expect(isWhole)
            }
        }
    }

    private func refusal(_ configuration: ConnectionConfiguration) async throws -> AMQPError {
        try await failure("a connection that is refused") {
            await (try AMQPConnection.connect(configuration)).close()
        }
    }

    // MARK: What works

    @Test(arguments: ["127.0.0.1", "localhost"])
    func messagesGoOverTLS(host: String) async throws {
        try await exchange(over: TLSBroker.newest.value.configuration(host: host))
    }

    /// Reads and writes of a byte or a few at a time, of which many have nothing to give.
    @Test(arguments: [1, 7, 1000])
    func aStreamInPiecesIsPutTogether(bytes: Int) async throws {
        var configuration = try await TLSBroker.newest.value.configuration()
        configuration.connectTimeout = .seconds(30)
        configuration.world = .stingy(bytes)
        try await exchange(over: configuration, large: bytes << 10)
    }

    @Test func theUserComesFromTheCertificate() async throws {
        let files = try await CertificateFiles.shared.value
        var configuration = try await TLSBroker.strict.value.configuration()
        configuration.tls?.identity = .init(files.client)
        configuration.loginMechanism = .external
        configuration.user = "nobody"
        try await exchange(over: configuration)
        configuration.loginMechanism = .amqplain
        configuration.user = "guest"
        try await exchange(over: configuration)
    }

    @Test func aConnectionComesBack() async throws {
        let broker = try await TLSBroker.newest.value
        var configuration = try await broker.configuration()
        configuration.recoveryDelay = .milliseconds(20)...(.milliseconds(200))
        configuration.name = unique("lost")
        let name = configuration.name
        try await withConnection(to: configuration) { connection in
            let lost = Task { try await connection.status("it is lost") { $0.state == .recovering } }
            let list = try await broker.broker.rabbitmqctl(
                ["list_connections", "--no-table-headers", "pid", "client_properties"])
            let line = try #require(list.split(separator: "\n").first { $0.contains(name) })
            let process = try #require(line.split(separator: "\t").first)
            try await broker.broker.rabbitmqctl(["close_connection", String(process), "a test"])
            _ = try await lost.value
            try await connection.status("it is open again") { $0.isReady }
        }
    }

    // MARK: Each way it fails

    @Test func anUnknownAuthorityIsNotTrusted() async throws {
        var configuration = try await TLSBroker.newest.value.configuration()
        configuration.tls?.trust = .system
        #expect(try await refusal(configuration).code == .tlsFailed)
        configuration.tls?.trust = .authorities(file: try await CertificateFiles.shared.value.stranger.certificate)
        let error = try await refusal(configuration)
        #expect(error.code == .tlsFailed && error.message.contains("authority that is not trusted"), "\(error)")
        configuration.tls?.dangerouslyAcceptsAnyCertificate = true
        try await exchange(over: configuration, large: 1)
    }

    @Test(arguments: ["rabbit.example.com", "127.0.0.2", "LOCALHOST.example"])
    func aCertificateOfAnotherHostIsNotAccepted(name: String) async throws {
        var configuration = try await TLSBroker.newest.value.configuration()
        configuration.tls?.serverName = name
        let error = try await refusal(configuration)
        #expect(error.code == .tlsFailed && error.message.contains("is not for the") && error.message.contains(name))
    }

    /// OpenSSL takes a leading dot to mean any subdomain, and an empty name any host.
    @Test(arguments: ["", ".localhost", ".", "local\0host"])
    func aNameForManyHostsIsRefused(name: String) async throws {
        var configuration = try await TLSBroker.newest.value.configuration()
        configuration.tls?.serverName = name
        #expect(try await refusal(configuration).code == .invalidConfiguration)
    }

    @Test func oneHostThatIsNotTrustedDoesNotEndTheFirstAttempts() async throws {
        try await withTLSServer(CertificateFiles.shared.value.expired) { port in
            var configuration = try await Self.configurationOfTLS(host: "localhost", port: port)
            configuration.endpoints.append(.init(host: "localhost", port: try LoopbackSocket.deadPort.get()))
            #expect(try await refusal(configuration).code == .brokerUnreachable)
        }
    }

    @Test func anExpiredCertificateIsNotAccepted() async throws {
        try await withTLSServer(CertificateFiles.shared.value.expired) { port in
            let error = try await refusal(Self.configurationOfTLS(host: "localhost", port: port))
            #expect(error.code == .tlsFailed && error.message.contains("has expired"), "\(error)")
        }
    }

    @Test func aCertificateSignedByItselfIsNotTrusted() async throws {
        try await withTLSServer(CertificateFiles.shared.value.stranger) { port in
            let error = try await refusal(Self.configurationOfTLS(host: "localhost", port: port))
            #expect(error.code == .tlsFailed && error.message.contains("signed by itself"), "\(error)")
        }
    }

    @Test func aPortWithoutTLSIsKnown() async throws {
        let broker = try await TLSBroker.newest.value.broker
        let error = try await refusal(Self.configurationOfTLS(host: "127.0.0.1", port: broker.nodes[0].amqpPort))
        #expect(error.code == .tlsFailed && error.message.contains("TLS is not spoken"), "\(error)")
    }

    @Test func aPortOfTLSIsKnown() async throws {
        var configuration = try await TLSBroker.newest.value.configuration()
        configuration.tls = nil
        let error = try await refusal(configuration)
        #expect(error.description.contains("use amqps://"), "\(error)")
    }

    @Test func aClientWithoutACertificateIsTold() async throws {
        let error = try await refusal(TLSBroker.strict.value.configuration())
        #expect(error.code == .tlsFailed && error.description.contains("client certificate"), "\(error)")
        // TLS 1.3 tells only when the handshake is done.
        let files = try await CertificateFiles.shared.value
        let options = ["-Verify", "1", "-verify_return_error", "-CAfile", files.authority.certificate]
        try await withTLSServer(files.broker, options) { port in
            let error = try await refusal(Self.configurationOfTLS(host: "localhost", port: port))
            #expect(error.description.contains("client certificate"), "\(error)")
        }
    }

    @Test func aClientThatIsNotTrustedIsTold() async throws {
        var configuration = try await TLSBroker.strict.value.configuration()
        configuration.tls?.identity = .init(try await CertificateFiles.shared.value.stranger)
        let error = try await refusal(configuration)
        #expect(error.code == .tlsFailed && error.message.contains("refused the client's certificate"), "\(error)")
    }

    @Test func filesThatCannotBeUsedAreNamed() async throws {
        let files = try await CertificateFiles.shared.value
        let broker = try await TLSBroker.newest.value
        for (name, change) in [
            ("/nowhere.pem", { $0.trust = .authorities(file: "/nowhere.pem") }),
            (files.client.key, { $0.trust = .authorities(file: files.client.key) }),
            ("/nowhere.pem", { $0.identity = .init(certificateFile: "/nowhere.pem", keyFile: files.client.key) }),
            (
                "/nowhere.key",
                { $0.identity = .init(certificateFile: files.client.certificate, keyFile: "/nowhere.key") }
            ),
            (
                files.broker.key,
                { $0.identity = .init(certificateFile: files.client.certificate, keyFile: files.broker.key) }
            ),
        ] as [(String, (inout TLSConfiguration) -> Void)] {
            var configuration = try await broker.configuration()
            change(&configuration.tls!)
            let error = try await refusal(configuration)
            #expect(error.code == .tlsFailed && error.message.contains(name), "\(error)")
        }
    }
}
