extension AMQPConnection {
    /// The broker's product and version as it names them, such as `RabbitMQ 4.0.5`; nil while there is no connection.
    package var serverName: String? { session?.serverName }

    /// The one of the configured endpoints at which that broker answers; nil while there is no connection.
    package var endpoint: ConnectionConfiguration.Endpoint? { session?.endpoint }
}
