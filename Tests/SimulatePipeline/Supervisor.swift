import ActorBus
import ActorBusTesting
import Logging
import Pipeline

/// Keeps one service of a run going: starts its process again, whatever ends it, until it is to stop for good.
final class Supervisor: @unchecked Sendable {
    // Unchecked: a simulation has one thread.
    let plan: Scenario.Service
    let name: String
    private let run: Run
    private let simulated: SimulatedWorld
    private var process: SimulatedProcess?
    private var health: ServiceHealth?
    /// From the end of the process to the next start.
    private var pause = Duration.seconds(1)
    /// Whether it ends for good.
    private var isStopping = false
    /// Whether it has done all that it was to do.
    private(set) var isDone = false
    /// How often it was killed.
    private(set) var kills = 0

    init(_ number: Int, of run: Run) {
        plan = run.scenario.services[number]
        name = "\(plan.kind.rawValue) \(number)"
        self.run = run
        simulated = run.simulated
    }

    /// Runs the service's processes, one after the other.
    func supervise() async throws {
        while !isStopping {
            if plan.kind == .generator { try run.orders.recover(run) }
            let process = simulated.start(name) { [self] in try await serve(in: $0) }
            self.process = process
            let end = await process.end()
            self.process = nil
            health = nil
            judge(end, wasTold: process.isTerminating)
            if plan.kind == .generator, case .exited(nil) = end, !process.isTerminating {
                isDone = true
                return
            }
            if !isStopping { try await simulated.sleep(for: pause) }
        }
    }

    /// What an operator may see of the end of a process.
    ///
    /// - Parameter wasTold: whether it was told to end.
    private func judge(_ end: SimulatedProcess.End, wasTold: Bool) {
        switch end {
        case .killed:
            kills += 1
            if plan.kind == .generator { run.orders.wasKilled = true }
        case .exited(nil):
            if plan.kind != .generator, !wasTold { run.find("\(name) ended by itself") }
        case .exited(let error?):
            let code = (error as? AMQPError)?.code
            // Without a broker for a minute a process gives up; and what is in hand needs one.
            let isExpected = code == .brokerUnreachable || code == .drainTimedOut && wasTold
            if !isExpected || run.isSettled { run.find("\(name) ended: \(error)") }
        }
    }

    func befall(_ signal: SimulatedProcess.Signal, steps: Int, pause: Duration) {
        self.pause = pause
        process?.send(signal, afterSteps: steps)
    }

    /// Nothing befalls it from now on.
    func calm() { process?.withdrawSignals() }

    /// Why it is not ready, in a line; nil while it is, or where it has nothing left to do.
    var trouble: String? {
        guard let health else { return isDone ? nil : "it is not running" }
        if case .notReady(let why) = health.readiness { return why }
        return nil
    }

    func stop() {
        isStopping = true
        process?.send(.terminate)
    }

    // MARK: Inside the process

    private func serve(in world: World) async throws {
        var broker = ConnectionConfiguration(endpoints: run.nodeNames.map { .init(host: $0) })
        broker.world = world
        broker.heartbeat = run.scenario.heartbeat
        let context = ServiceContext(
            plan.kind, topology: run.topology, drain: DrainTime(run.scenario.drain, in: world),
            observer: PipelineObserver { [run] in run.orders.note($0) }, logger: run.logger(name), in: world)
        health = context.health
        if plan.kind == .generator {
            try await withOutbox(in: run.orders.folder.directory, of: world) { outbox in
                try await OrderGenerator(context, plan: try generatorPlan, outbox: outbox).run(on: broker)
            }
        } else {
            try await consumer(context).run(on: broker)
        }
    }

    private var generatorPlan: GeneratorPlan {
        get throws {
            let scenario = run.scenario
            return GeneratorPlan(
                batch: try BatchSize(scenario.batch),
                pace: Pace(try SecondsRange(scenario.interval), speed: .real), seed: nil,
                maximum: run.orders.left)
        }
    }

    private func consumer(_ context: ServiceContext) throws -> any PipelineService {
        let scenario = run.scenario
        let intake = Intake(prefetch: plan.prefetch, concurrency: plan.concurrency)
        let decisions = Decisions(seed: nil, successRate: 0.9)
        let speed = try Speed(scenario.speed)
        switch plan.kind {
        case .payment, .generator:
            let gateway = SimulatedPaymentGateway(
                decisions: decisions, pace: Pace(try SecondsRange("0.5-2.0"), speed: speed), in: context.world)
            let faults = GatewayFaults(
                failureRate: try Share(scenario.gatewayFailures), lateRate: try Share(scenario.gatewayLateness))
            return PaymentService(
                context,
                gateway: FailingPaymentGateway(
                    Partners.Gateway(partners: run.partners, gateway: gateway), faults, in: context.world),
                replicas: plan.replicas, intake: intake)
        case .fulfillment:
            let carrier = SimulatedCarrier(
                decisions: decisions, pace: Pace(try SecondsRange("1.0-3.0"), speed: speed), in: context.world)
            return FulfillmentService(
                context, carrier: Partners.Warehouse(partners: run.partners, carrier: carrier),
                replicas: plan.replicas, intake: intake)
        case .notification:
            return NotificationService(
                context, notifier: Partners.Mail(partners: run.partners), replicas: plan.replicas, intake: intake)
        }
    }
}
