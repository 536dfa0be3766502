import ActorBus
import ActorBusTesting

extension Client {
    func consume(_ plan: Scenario.ConsumerPlan, _ index: Int, over connection: AMQPConnection) async {
        while !isStopped {
            let cycle = simulated.task {
                switch plan.style {
                case .process: try await self.process(plan, over: connection)
                case .deliveries: try await self.iterate(plan, over: connection)
                }
            }
            cycles[index] = cycle
            if let span = plan.span, !isSettled {
                let span = run.chance(20) ? .zero : span
                simulated.task {
                    do { try await self.run.pause(for: span) } catch { return }
                    guard !self.isSettled else { return }
                    if let parting = plan.parting { self.run.befall(parting, of: plan.queue) }
                    cycle.cancel()
                }
            }
            do {
                try await cycle.value
                if !cycle.isCancelled, !isClosed { return run.find("a consumer of client \(number) ended by itself") }
            } catch let error as AMQPError where isClosed && error.code == .connectionClosed {
                return
            } catch let error as AMQPError where run.scenario.mayBeRefused(error) {
                // A user who comes back in a while.
                do { try await simulated.sleep(for: .seconds(1)) } catch { return }
            } catch {
                return run.find("a consumer of client \(number) ended: \(error)")
            }
            if isClosed { return }
            // A cycle that is cancelled before it began takes no time at all.
            do { try await simulated.sleep(for: .milliseconds(1)) } catch { return }
        }
    }

    private func process(_ plan: Scenario.ConsumerPlan, over connection: AMQPConnection) async throws {
        let over = Flag()
        defer { over.isSet = true }
        let reader = run.handedOut.begin(client: number)
        let patience = plan.patience ?? .seconds(1_500)
        try await connection.process(
            Run.queueName(plan.queue), prefetch: plan.prefetch, concurrency: plan.concurrency,
            drainTimeout: .seconds(10), handlerTimeout: patience
        ) { delivery in
            if over.isSet { self.run.find("a handler was given a delivery after its consumer had ended") }
            let number = self.run.take(delivery, for: reader)
            let begin = self.simulated.elapsed
            do {
                try await self.simulated.sleep(for: self.handling(plan))
            } catch {
                let took = self.simulated.elapsed - begin
                if took < patience { self.run.find("a handler was cancelled after \(took) of \(patience)") }
                self.run.settle(number, .requeue)
                throw error
            }
            guard self.fails(plan) else {
                self.run.settle(number, .acknowledge)
                return .acknowledge
            }
            if self.run.chance(50) {
                self.run.settle(number, .requeue)
                return .requeue
            }
            self.run.settle(number, .requeue, within: .seconds(1))
            throw HandlerFailure()
        }
    }

    /// Reads deliveries, and works on several at once where the plan says so; those in hand are finished when the loop is
    /// left.
    private func iterate(_ plan: Scenario.ConsumerPlan, over connection: AMQPConnection) async throws {
        let reader = run.handedOut.begin(client: number)
        var works: [Task<Void, Never>] = []
        for try await delivery in connection.deliveries(from: Run.queueName(plan.queue), prefetch: plan.prefetch) {
            let number = run.take(delivery, for: reader)
            let work = simulated.task {
                do { try await self.simulated.sleep(for: self.handling(plan)) } catch {
                    self.run.find("work in hand was cancelled: \(error)")
                }
                let settlement: Settlement = self.fails(plan) ? .requeue : .acknowledge
                self.run.settle(number, settlement)
                delivery.settle(settlement)
            }
            works.append(work)
            if works.count >= plan.concurrency { await works.removeFirst().value }
        }
        for work in works { await work.value }
    }

    /// How long a delivery is worked on: in the end all are finished soon, so that queues drain.
    private func handling(_ plan: Scenario.ConsumerPlan) -> Duration {
        run.duration(upTo: isSettled ? min(plan.handling, .milliseconds(50)) : plan.handling)
    }

    private func fails(_ plan: Scenario.ConsumerPlan) -> Bool {
        run.chance(isSettled && run.scenario.consumerTimeout != nil ? 0 : plan.failures)
    }
}

private struct HandlerFailure: Error {}

private final class Flag: @unchecked Sendable {
    // Unchecked: a simulation has one thread.
    var isSet = false
}
