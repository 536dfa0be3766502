import Testing

@testable import LocalBroker

/// Data that another version of RabbitMQ wrote.
@Suite struct DataVersionTests {
    @Test func isTheLogsOnlyWhereTheServerCameUp() {
        let start = "… [info] <0.216.0>  Starting RabbitMQ 4.0.5 on Erlang 27.3.4.1 [jit]\n"
        #expect(DataFolder.version(startedIn: start) == nil)
        #expect(
            DataFolder.version(startedIn: start + "… Server startup complete; 0 plugins started.\n")?.description
                == "4.0.5")
        #expect(DataFolder.version(startedIn: "Server startup complete") == nil)
    }

    /// What an older server would refuse, or wait two minutes for, is said before it is started; the data stays.
    @Test(.timeLimit(.minutes(2))) func aNewersDataIsRefusedAtOnce() async throws {
        try await withFolder { folder in
            let first = try await LocalBroker.start(LocalBrokerOptions(dataDirectory: folder))
            let installed = try Installation.find(nil).version
            await first.stop()
            #expect(Posix.read(folder + "/version") == "\(installed)\n")

            try Posix.write("99.3.6\n", to: folder + "/version")
            let began = ContinuousClock.now
            let error = await #expect(throws: LocalBrokerError.self) {
                _ = try await LocalBroker.start(LocalBrokerOptions(dataDirectory: folder))
            }
            #expect(ContinuousClock.now - began < .seconds(20))
            #expect(error?.code == .dataOfOtherVersion)
            for words in ["99.3.6", "\(installed)", folder] { #expect(error?.description.contains(words) == true) }
            #expect(error?.description.contains("\n") == false)

            // A folder of before the version was kept tells by its log, and then keeps it.
            Posix.removeFile(folder + "/version")
            let again = try await LocalBroker.start(LocalBrokerOptions(dataDirectory: folder))
            await again.stop()
            #expect(Posix.read(folder + "/version") == "\(installed)\n")
        }
    }

    @Test func aLogOfOldDataIsOneSentence() throws {
        func refusal(_ log: String?, _ writer: String?) -> LocalBrokerError? {
            DataFolder.refusal(
                inLog: log, of: writer.flatMap { BrokerVersion($0) }, in: "/data", installed: BrokerVersion(4, 0, 5))
        }
        let log = """
            2026-11-27 10:00:00 [error] <0.218.0> Feature flags: `stream_single_active_consumer`: required feature flag \
            not enabled! It must be enabled before upgrading RabbitMQ.
            BOOT FAILED
            """
        let error = try #require(refusal(log, "3.10.8"))
        #expect(error.code == .dataOfOtherVersion && error.logTail == nil)
        for words in ["/data", "3.10.8", "4.0.5", "enable_feature_flag all"] {
            #expect(error.description.contains(words))
        }
        #expect(refusal(log, nil)?.description.contains("an older RabbitMQ") == true)
        #expect(refusal("BOOT FAILED", "3.10.8") == nil)
        #expect(refusal(nil, nil) == nil)
    }
}
