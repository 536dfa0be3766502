import ActorBus
import ActorBusTesting
import Testing

/// ActorBus itself, with the simulated broker in the server's place.
@Suite struct SimulatedBrokerTests {
    @Test(arguments: RabbitMQVersion.allCases)
    func aMessageGoesThrough(version: RabbitMQVersion) async throws {
        try await withSimulatedBroker(version: version) { broker in
            let topology = Topology { Queue("work") }
            try await withConnection(to: broker.configuration, topology: topology) { connection in
                let publisher = try await connection.publisher()
                try await publisher.publish(Message(text: "one"), to: "", routingKey: "work")
                #expect(broker.depth(of: "work") == 1)
            }
            #expect(broker.published.map(\.routingKey) == ["work"])
        }
    }
}
