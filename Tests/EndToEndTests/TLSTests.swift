import LocalBroker
import Testbed
import Testing

extension EndToEnd {
    /// A broker that wants TLS and a client certificate, from the command line.
    @Suite struct TLSTests {
        @Test(.timeLimit(.minutes(3))) func theServicesSpeakTLS() async throws {
            let files = try await CertificateFiles.shared.value
            let port = try Loopback.freePorts(1)[0]
            let broker = try await LocalBroker.start(
                LocalBrokerOptions(
                    plugins: ["rabbitmq_auth_mechanism_ssl"],
                    configuration: [
                        "listeners.ssl.1": "127.0.0.1:\(port)",
                        // With TLS 1.3 a client without a certificate may see a reset before the reason.
                        "ssl_options.versions.1": "tlsv1.2",
                        "ssl_options.cacertfile": files.authority.certificate,
                        "ssl_options.certfile": files.broker.certificate, "ssl_options.keyfile": files.broker.key,
                        "ssl_options.verify": "verify_peer", "ssl_options.fail_if_no_peer_cert": "true",
                        "auth_mechanisms.1": "PLAIN", "auth_mechanisms.2": "EXTERNAL",
                        "ssl_cert_login_from": "common_name",
                    ]))
            // It may open behind the port without TLS, which the start waits for.
            try await eventually(within: .seconds(30), "the TLS port is open") { try await Loopback.accepts(port) }
            try await withScene { scene in
                let url = ["AMQP_URL": "amqps://localhost:\(port)"]
                let trusting = url.merging(["PIPELINE_TLS_CA_FILE": files.authority.certificate]) { $1 }
                let whole = trusting.merging([
                    "PIPELINE_TLS_CERTIFICATE_FILE": files.client.certificate,
                    "PIPELINE_TLS_KEY_FILE": files.client.key, "PIPELINE_AUTH": "external",
                ]) { $1 }

                for (environment, words) in [
                    (url, "authority that is not trusted"), (trusting, "client certificate"),
                    (trusting.merging(["PIPELINE_TLS_SERVER_NAME": "mq.example"]) { $1 }, "'mq.example'"),
                    (whole.merging(["PIPELINE_TLS_KEY_FILE": "/nowhere"]) { $1 }, "'/nowhere'"),
                ] {
                    for arguments in [["payment", "--metrics-port", "0"], ["doctor", "payment"]] {
                        let (exit, process) = try await scene.run(arguments, environment: environment)
                        #expect(exit.code == 78, "\(process.report)")
                        #expect((process.errors.text + process.output.text).contains(words), "\(process.report)")
                    }
                }

                let (exit, generator) = try await scene.run(
                    ["generator", "--speed", "max", "--max-orders", "5", "--metrics-port", "0"], environment: whole)
                #expect(exit.code == 0, "\(generator.report)")
                let (well, doctor) = try await scene.run(["doctor", "payment"], environment: whole)
                #expect(well.code == 0, "\(doctor.report)")
                #expect(try await VirtualHost(of: broker).depths(of: ["payment_processor_queue"]).values.first == 5)
            }
            await broker.stop()
        }
    }
}
