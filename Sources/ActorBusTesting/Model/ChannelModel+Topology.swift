internal import ActorBus

extension ChannelModel {
    /// The methods of the classes `exchange` and `queue`.
    func declare(_ method: ClientMethod, host: VirtualHost) throws(ReplyError) {
        switch method {
        case .exchangeDeclare(let declare): try self.declare(declare, host: host)
        case .exchangeDelete(let exchange, let ifUnused, let noWait):
            let exchange = Self.name(exchange)
            try refuseDefault(exchange)
            if exchange.hasPrefix("amq.") {
                throw .accessRefused("deletion of system \(host.exchangeResource(exchange)) not allowed")
            }
            try connection.check(.configure, exchange: exchange, host: host)
            if ifUnused, host.isUsed(exchange: exchange) {
                throw .preconditionFailed("\(host.exchangeResource(exchange)) in use")
            }
            host.deleteExchange(exchange)
            if !noWait { send(.exchangeDeleteOk) }
        case .exchangeBind(let binding):
            host.add(try self.binding(binding, toQueue: false, host: host))
            if !binding.noWait { send(.exchangeBindOk) }
        case .exchangeUnbind(let binding):
            host.remove(try self.binding(binding, toQueue: false, isRemoval: true, host: host))
            if !binding.noWait { send(.exchangeUnbindOk) }
        case .queueDeclare(let declare): try self.declare(declare, host: host)
        case .queueBind(let binding):
            host.add(try self.binding(binding, toQueue: true, host: host))
            if !binding.noWait { send(.queueBindOk) }
        case .queueUnbind(let binding):
            host.remove(try self.binding(binding, toQueue: true, isRemoval: true, host: host))
            send(.queueUnbindOk)
        case .queuePurge(let queue, let noWait):
            let name = try expand(queue)
            try connection.check(.read, queue: name, host: host)
            let count = try connection.accessible(name, host: host).purge()
            if !noWait { send(.queuePurgeOk(messages: UInt32(count))) }
        case .queueDelete(let queue, let ifUnused, let ifEmpty, let noWait):
            try delete(try expand(queue), ifUnused: ifUnused, ifEmpty: ifEmpty, noWait: noWait, host: host)
        default: throw ReplyError(.commandInvalid, "unimplemented method")
        }
    }

    private func declare(_ declare: ClientMethod.ExchangeDeclare, host: VirtualHost) throws(ReplyError) {
        let name = Self.name(declare.exchange)
        if declare.passive {
            try refuseDefault(name)
            try connection.checkAny(name, resource: host.exchangeResource(name), host: host)
            _ = try host.exchange(name)
        } else {
            guard let kind = ExchangeModel.Kind(rawValue: declare.type) else {
                throw ReplyError(
                    broker.version.unknownExchangeTypeEndsConnection ? .commandInvalid : .preconditionFailed,
                    "unknown exchange type '\(declare.type)'")
            }
            try refuseDefault(name)
            try connection.check(.configure, exchange: name, host: host)
            let resource = host.exchangeResource(name)
            if let known = host.exchanges[name] {
                try Equivalence.check("type", of: resource, is: known.kind.rawValue, asked: kind.rawValue)
                try Equivalence.check("durable", of: resource, is: known.durable, asked: declare.durable)
                try Equivalence.check("auto_delete", of: resource, is: known.autoDelete, asked: declare.autoDelete)
                try Equivalence.check("internal", of: resource, is: known.internal, asked: declare.internal)
                try Equivalence.check(
                    arguments: ["alternate-exchange"], of: resource, is: known.arguments, asked: declare.arguments)
            } else {
                try refuseReserved(name, "exchange")
                if let alternate = try Self.exchangeArgument("alternate-exchange", declare.arguments, resource) {
                    try connection.check(.read, exchange: name, host: host)
                    try connection.check(.write, exchange: alternate, host: host)
                }
                host.add(
                    ExchangeModel(
                        name: name, kind: kind, durable: declare.durable, autoDelete: declare.autoDelete,
                        internal: declare.internal, arguments: declare.arguments))
            }
        }
        if !declare.noWait { send(.exchangeDeclareOk) }
    }

    private func declare(_ declare: ClientMethod.QueueDeclare, host: VirtualHost) throws(ReplyError) {
        var name = Self.name(declare.queue)
        if name.hasPrefix("amq.rabbitmq.reply-to") { throw .notSimulated("direct reply-to") }
        let queue: QueueModel
        if declare.passive {
            try connection.checkAny(name, resource: host.queueResource(name), host: host)
            queue = try host.queue(name)
            try connection.checkOwner(of: queue, strict: false, exclusive: false)
        } else {
            var arguments = declare.arguments
            if broker.version.storesTheDefaultQueueType, arguments["x-queue-type"] == nil {
                arguments["x-queue-type"] = .string("classic")
            }
            if name.isEmpty {
                if arguments["x-queue-type"]?.text == "quorum" {
                    throw .preconditionFailed("Cannot declare a server-named queue for type rabbit_quorum_queue")
                }
                name = broker.nextName("amq.gen-")
            } else {
                try refuseReserved(name, "queue")
            }
            broker.record.asked(.declare(queue: name), by: connection.number, at: broker.now)
            try connection.check(.configure, queue: name, host: host)
            let durable = declare.durable && !declare.exclusive
            if let known = host.queues[name] {
                if known.availability == .away { throw known.absence }
                try connection.checkOwner(of: known, strict: true, exclusive: declare.exclusive)
                try Equivalence.check("durable", of: known.resource, is: known.durable, asked: durable)
                try Equivalence.check(
                    "auto_delete", of: known.resource, is: known.autoDelete, asked: declare.autoDelete)
                try Equivalence.check(
                    arguments: QueueArguments.known(to: known.options.kind, in: broker.version), of: known.resource,
                    is: known.arguments, asked: arguments)
                queue = known
            } else {
                queue = try new(name, declare, durable: durable, arguments: arguments, host: host)
                host.add(queue)
            }
        }
        queue.use()
        lastQueue = queue.name
        if !declare.noWait {
            send(
                .queueDeclareOk(
                    queue: queue.name, messages: UInt32(queue.readyCount), consumers: UInt32(queue.consumerCount)))
        }
    }

    private func new(
        _ name: String, _ declare: ClientMethod.QueueDeclare, durable: Bool, arguments: FieldTable, host: VirtualHost
    ) throws(ReplyError) -> QueueModel {
        let resource = host.queueResource(name)
        if let exchange = try Self.exchangeArgument("x-dead-letter-exchange", arguments, resource) {
            try connection.check(.read, queue: name, host: host)
            try connection.check(.write, exchange: exchange, host: host)
        }
        let options = try QueueArguments(arguments, of: resource, version: broker.version)
        if options.kind == .quorum {
            func invalid(_ property: String) -> ReplyError {
                .preconditionFailed("invalid property '\(property)' for \(resource)")
            }
            if declare.autoDelete { throw invalid("auto-delete") }
            if declare.exclusive { throw invalid("exclusive-owner") }
            if !durable { throw invalid("non-durable") }
        }
        return QueueModel(
            name: name, virtualHost: host, durable: durable, autoDelete: declare.autoDelete,
            owner: declare.exclusive ? connection.number : nil, arguments: arguments, options: options,
            node: connection.node)
    }

    private func delete(
        _ name: String, ifUnused: Bool, ifEmpty: Bool, noWait: Bool, host: VirtualHost
    ) throws(ReplyError) {
        try connection.check(.configure, queue: name, host: host)
        var count = 0
        if let queue = host.queues[name] {
            if queue.availability == .away { throw queue.absence }
            try connection.checkOwner(of: queue, strict: false, exclusive: false)
            if queue.options.kind == .quorum, ifUnused || ifEmpty {
                let flag = ifUnused ? "if-unused" : "if-empty"
                throw ReplyError(
                    .notImplemented,
                    "cannot delete \(queue.resource). queue.delete operations with \(flag) flag set are not supported "
                        + "by quorum queues")
            }
            if ifEmpty, queue.readyCount > 0 { throw .preconditionFailed("\(queue.resource) not empty") }
            if ifUnused, queue.consumerCount > 0 { throw .preconditionFailed("\(queue.resource) in use") }
            count = queue.readyCount
            host.delete(queue)
        }
        if !noWait { send(.queueDeleteOk(messages: UInt32(count))) }
    }

    /// The binding that is asked for. To remove one from or to what is not there is no error.
    private func binding(
        _ asked: ClientMethod.Binding, toQueue: Bool, isRemoval: Bool = false, host: VirtualHost
    ) throws(ReplyError) -> BindingModel {
        var routingKey = asked.routingKey
        var destination = Self.name(asked.destination)
        if toQueue, destination.isEmpty {
            destination = try expand(destination)
            if routingKey.isEmpty { routingKey = destination }
        }
        let source = Self.name(asked.source)
        if toQueue {
            try connection.check(.write, queue: destination, host: host)
        } else {
            try connection.check(.write, exchange: destination, host: host)
            try refuseDefault(destination)
        }
        try refuseDefault(source)
        try connection.check(.read, exchange: source, host: host)
        if !isRemoval || host.exchanges[source] != nil && isThere(destination, toQueue, host) {
            let exchange = try host.exchange(source)
            if toQueue {
                try connection.checkOwner(of: try host.queue(destination), strict: false, exclusive: false)
            } else {
                _ = try host.exchange(destination)
            }
            if exchange.kind == .headers, let mode = asked.arguments["x-match"]?.text,
                !["all", "any", "all-with-x", "any-with-x"].contains(mode)
            {
                throw .preconditionFailed(
                    "Invalid x-match field value <<\"\(mode)\">>; expected all, any, all-with-x, or any-with-x")
            }
        }
        return BindingModel(
            source: source, destination: toQueue ? .queue(destination) : .exchange(destination),
            routingKey: routingKey, arguments: asked.arguments)
    }

    private func isThere(_ destination: String, _ isQueue: Bool, _ host: VirtualHost) -> Bool {
        isQueue ? host.queues[destination] != nil : host.exchanges[destination] != nil
    }

    /// An argument that names an exchange.
    private static func exchangeArgument(
        _ name: String, _ arguments: FieldTable, _ resource: String
    ) throws(ReplyError) -> String? {
        guard let value = arguments[name] else { return nil }
        guard case .string(let exchange) = value else {
            throw .preconditionFailed(
                "invalid type '\(ErlangTerm.typeName(value))' for arg '\(name)' in \(resource)")
        }
        return exchange
    }

    private func refuseDefault(_ exchange: String) throws(ReplyError) {
        if exchange.isEmpty { throw .accessRefused("operation not permitted on the default exchange") }
    }

    private func refuseReserved(_ name: String, _ kind: String) throws(ReplyError) {
        if name.hasPrefix("amq.") {
            throw .accessRefused("\(kind) name '\(name)' contains reserved prefix 'amq.*'")
        }
    }

    /// A name without line breaks, which RabbitMQ takes out.
    private static func name(_ name: String) -> String {
        String(decoding: name.utf8.filter { $0 != 10 && $0 != 13 }, as: UTF8.self)
    }
}
