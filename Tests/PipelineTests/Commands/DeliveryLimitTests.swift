import Testing

@testable import pipeline_run

/// What the doctor makes of a queue's delivery limit.
@Suite struct DeliveryLimitTests {
    private static let name = "payment_processor_queue"
    private static let old = BrokerRelease("RabbitMQ 3.10.8")
    private static let new = BrokerRelease("RabbitMQ 4.0.5")

    private func queue(_ json: String) throws -> ManagedQueue {
        try #require(ManagedQueue(name: Self.name, json: Array(json.utf8)))
    }

    @Test func `a broker names its version`() {
        #expect(Self.old?.major == 3 && Self.new?.major == 4 && BrokerRelease("RabbitMQ 10.0.0+rc.1")?.major == 10)
        for other in ["LavinMQ 4.0.5", "RabbitMQ", "RabbitMQ x", "", nil] { #expect(BrokerRelease(other) == nil) }
    }

    @Test func `a quorum queue has a limit by default from 4 on`() throws {
        let plain = try queue(
            #"{"type":"quorum","arguments":{"x-queue-type":"quorum"},"effective_policy_definition":{}}"#)
        #expect(plain.deliveryLimit(of: Self.new)?.times == 20)
        #expect(plain.deliveryLimitFinding(of: Self.new)?.mark == .warning)
        #expect(plain.deliveryLimit(of: Self.old) == nil && plain.deliveryLimitFinding(of: Self.old) == nil)
        // What cannot be told is taken for the worse.
        #expect(plain.deliveryLimit(of: nil)?.times == 20)
    }

    @Test func `a policy and an argument set it, and the lower one holds`() throws {
        let both = try queue(
            #"""
            {"type":"quorum","policy":"strict","operator_policy":null,
             "arguments":{"x-delivery-limit":7},"effective_policy_definition":{"delivery-limit":3}}
            """#)
        let limit = both.deliveryLimit(of: Self.old)
        #expect(limit?.times == 3 && limit?.cause.contains("'strict'") == true)
        #expect(both.deliveryLimitFinding(of: Self.old)?.words.contains("more than 3 times") == true)
        let argument = try queue(#"{"type":"quorum","arguments":{"x-delivery-limit":2}}"#)
        #expect(argument.deliveryLimit(of: Self.new)?.times == 2)
        #expect(argument.deliveryLimit(of: Self.new)?.cause.contains("argument") == true)
    }

    @Test func `a negative one means none from 4 on, and destruction at once before`() throws {
        let none = try queue(
            #"{"type":"quorum","policy":"nolimit","effective_policy_definition":{"delivery-limit":-1}}"#)
        #expect(none.deliveryLimit(of: Self.new) == nil)
        #expect(none.deliveryLimit(of: Self.old)?.times == 0)
        #expect(none.deliveryLimitFinding(of: Self.old)?.mark == .warning)
    }

    @Test(arguments: [
        #"{"type":"quorum","arguments":{"x-dead-letter-exchange":""}}"#,
        #"{"type":"quorum","arguments":{},"effective_policy_definition":{"dead-letter-exchange":"dlx"}}"#,
        #"{"type":"classic","arguments":{},"effective_policy_definition":{"delivery-limit":3}}"#, #"{}"#,
    ])
    func `nothing is lost where it is dead-lettered or there is no limit`(json: String) throws {
        #expect(try queue(json).deliveryLimitFinding(of: Self.new) == nil)
    }

    @Test(arguments: ["", "[]", "{", "\"quorum\"", "<html>"]) func `what is no answer is none`(json: String) {
        #expect(ManagedQueue(name: Self.name, json: Array(json.utf8)) == nil)
    }

    @Test func `a part of a path is escaped`() {
        #expect(PercentEncoding.text("/") == "%2F")
        #expect(PercentEncoding.text("a-b._~9 é?#%") == "a-b._~9%20%C3%A9%3F%23%25")
    }
}
