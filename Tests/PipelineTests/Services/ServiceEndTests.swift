import ActorBus
import LocalBroker
import Logging
import Testing

@testable import Pipeline

@Suite(.serialized) struct ServiceEndTests {
    private struct PromptGateway: PaymentGateway {
        func charge(_ order: Order, identity: OrderIdentity) async throws -> ChargeAnswer {
            ChargeAnswer(outcome: .charged, method: .paypal, processingTime: ProcessingTime(milliseconds: 1))
        }
    }

    /// Nothing of it lives on behind a publishing connection that can never come back.
    @Test(.timeLimit(.minutes(3))) func `a service ends with what closed its publishing connection for good`()
        async throws
    {
        try await StageScene.with { scene in
            let user = "payer-\(UInt32.random(in: 0 ... .max))"
            try await scene.broker.rabbitmqctl(["add_user", user, "secret"])
            func allow(configuring resources: String) async throws {
                try await scene.broker.rabbitmqctl([
                    "set_permissions", "-p", scene.virtualHost, user, resources, ".*", ".*",
                ])
            }
            try await allow(configuring: ".*")
            var configuration = scene.connection.configuration
            (configuration.user, configuration.password) = (user, "secret")
            let context = ServiceContext(
                .payment, topology: PipelineTopology.all(.classic), drain: DrainTime(.seconds(2)),
                observer: PipelineObserver { _ in }, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            let service = PaymentService(
                context, gateway: PromptGateway(), replicas: 1,
                intake: Intake(prefetch: 1, concurrency: 1))
            let run = Task { [configuration] in try await service.run(on: configuration) }
            try await eventually("the service is ready") { context.health.readiness == .ready }

            try await allow(configuring: "^$")
            try await scene.broker.rabbitmqctl([
                "eval",
                """
                [rabbit_networking:close_connection(P, "test") || P <- rabbit_networking:connections(), \
                [{user, <<"\(user)">>}, {client_properties, C}] <- [rabbit_reader:info(P, [user, client_properties])], \
                lists:keyfind(<<"connection_name">>, 1, C) =:= \
                {<<"connection_name">>, longstr, <<"payment-service publishing">>}], ok.
                """,
            ])
            try await eventually("it is not ready") { context.health.readiness != .ready }
            let error = await #expect(throws: AMQPError.self) { try await run.value }
            #expect(error?.code == .accessRefused, "\(String(describing: error))")
            #expect(context.health.readiness == .draining)
            try await scene.broker.rabbitmqctl(["delete_user", user])
        }
    }
}
