import ActorBus
import ActorBusTesting

extension Client {
    func publish(_ plan: Scenario.PublisherPlan, _ index: Int, over connection: AMQPConnection) async {
        let publisher: Publisher
        do {
            publisher = try await connection.publisher(window: plan.window, timeout: plan.timeout)
        } catch {
            if !isClosed { run.find("client \(number) got no publisher: \(error)") }
            return
        }
        if plan.isKept { publishers[index] = publisher }
        let tasks = (0..<plan.tasks).map { task in
            simulated.task {
                var sent: [Sent] = []
                for message in 0..<max(1, plan.messages / plan.tasks) {
                    let name = "c\(self.number)p\(index)t\(task)m\(message)"
                    if plan.sendsAhead {
                        if let message = await self.send(name, publisher) { sent.append(message) }
                    } else {
                        await self.publish(name, plan, publisher)
                    }
                    do { try await self.simulated.sleep(for: self.run.duration(upTo: plan.pause)) } catch { return }
                }
                for message in sent { await self.confirm(message) }
            }
        }
        for task in tasks { await task.value }
    }

    /// A publisher that is attached, with a window that is not full of what is never answered, has a message confirmed soon.
    func probe(_ publisher: Publisher, _ index: Int) async {
        // A queue that was deleted comes back with its consumer, if it has one.
        guard let queue = run.scenario.queues.indices.first(where: { run.broker.depth(of: Run.queueName($0)) != nil })
        else { return }
        let name = "c\(number)p\(index)probe"
        run.published.begins(name, to: queue)
        let begin = simulated.elapsed
        do {
            try await publisher.publish(message(name), to: "", routingKey: Run.queueName(queue))
            run.note(.confirmed, of: name)
            if simulated.elapsed - begin > .seconds(2) {
                run.find("\(name) was confirmed after \(simulated.elapsed - begin), and nothing held it up")
            }
        } catch {
            run.find("client \(number) cannot publish, and nothing holds it up: \(error)")
            note(error, of: name)
        }
    }

    private func message(_ name: String) -> Message {
        Message(body: Array("body of \(name)".utf8), properties: MessageProperties(messageID: name))
    }

    private func publish(_ name: String, _ plan: Scenario.PublisherPlan, _ publisher: Publisher) async {
        let isUnroutable = run.chance(plan.unroutable)
        let queue = isUnroutable ? nil : run.anyQueue()
        run.published.begins(name, to: queue)
        let task = simulated.task {
            try await publisher.publish(
                self.message(name), to: "", routingKey: queue.map(Run.queueName) ?? "nowhere")
        }
        if run.chance(plan.cancelled) {
            let patience = run.duration(upTo: .milliseconds(run.chance(50) ? 5 : 2_000))
            simulated.task {
                do { try await self.run.pause(for: self.run.chance(30) ? .zero : patience) } catch { return }
                task.cancel()
            }
        }
        do {
            try await task.value
            run.note(.confirmed, of: name)
        } catch is CancellationError {
            run.note(.surelyNotPublished, of: name)
        } catch {
            note(error, of: name)
        }
    }

    /// A message that was sent, and its confirm not yet waited for.
    private struct Sent {
        let name: String
        let pending: PendingConfirm
    }

    private func send(_ name: String, _ publisher: Publisher) async -> Sent? {
        let queue = run.anyQueue()
        run.published.begins(name, to: queue)
        do {
            let pending = try await publisher.send(message(name), to: "", routingKey: Run.queueName(queue))
            return Sent(name: name, pending: pending)
        } catch {
            note(error, of: name)
            return nil
        }
    }

    private func confirm(_ sent: Sent) async {
        do {
            try await sent.pending.confirmed()
            run.note(.confirmed, of: sent.name)
        } catch {
            note(error, of: sent.name)
        }
    }

    private func note(_ error: any Error, of name: String) {
        guard let error = error as? AMQPError else {
            return run.find("\(name) failed with something else: \(error)")
        }
        switch error.code {
        case .returned: run.note(.returned, of: name)
        case .refused: run.note(.refused, of: name)
        case .maybePublished: run.note(.maybePublished, of: name)
        case .timedOut: run.note(.surelyNotPublished, of: name)
        case .connectionClosed:
            if !isClosed { run.find("\(name) failed as on a closed connection, which it is not: \(error)") }
            run.note(.surelyNotPublished, of: name)
        // The broker has closed the channel, and the message is what can be blamed.
        case _ where run.scenario.mayCloseChannels(with: error): run.note(.maybePublished, of: name)
        default: run.find("\(name) has an outcome that no publish has: \(error)")
        }
    }
}
