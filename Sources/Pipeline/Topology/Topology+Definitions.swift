package import ActorBus

extension Topology {
    /// The topology as RabbitMQ's definitions ("Definition Export and Import"), one line of JSON.
    package func definitions(virtualHost: String) -> String {
        var json = JSONWriter(capacity: 4096)
        json.beginObject()
        json.name("exchanges")
        json.beginArray()
        for exchange in exchanges {
            json.beginObject()
            json.name("name")
            json.string(exchange.name)
            json.name("vhost")
            json.string(virtualHost)
            json.name("type")
            json.string(exchange.kind.name)
            json.name("durable")
            json.bool(exchange.durable)
            json.name("auto_delete")
            json.bool(exchange.autoDelete)
            json.name("internal")
            json.bool(exchange.internal)
            json.name("arguments")
            json.table(exchange.arguments)
            json.endObject()
        }
        json.endArray()
        json.name("queues")
        json.beginArray()
        for queue in queues {
            json.beginObject()
            json.name("name")
            json.string(queue.name)
            json.name("vhost")
            json.string(virtualHost)
            json.name("durable")
            json.bool(queue.durable)
            json.name("auto_delete")
            json.bool(queue.autoDelete)
            json.name("arguments")
            json.table(queue.declaredArguments)
            json.endObject()
        }
        json.endArray()
        json.name("bindings")
        json.beginArray()
        for queue in queues {
            for binding in queue.bindings {
                json.beginObject()
                json.name("source")
                json.string(binding.exchange)
                json.name("vhost")
                json.string(virtualHost)
                json.name("destination")
                json.string(queue.name)
                json.name("destination_type")
                json.string("queue")
                json.name("routing_key")
                json.string(binding.routingKey)
                json.name("arguments")
                json.table(binding.arguments)
                json.endObject()
            }
        }
        json.endArray()
        json.endObject()
        return String(decoding: json.bytes, as: UTF8.self)
    }
}
