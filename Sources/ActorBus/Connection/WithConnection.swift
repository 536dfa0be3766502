public import Logging

/// Opens a connection, runs `body` with it, and closes it however that ends.
///
/// - Throws: what ``AMQPConnection/connect(_:topology:logger:)`` and `body` throw.
public func withConnection<Result: Sendable>(
    to configuration: ConnectionConfiguration, topology: Topology = Topology(),
    logger: Logger = Logger(label: "actorbus"), _ body: (AMQPConnection) async throws -> Result
) async throws -> Result {
    let connection = try await AMQPConnection.connect(configuration, topology: topology, logger: logger)
    do {
        let result = try await body(connection)
        await connection.close()
        return result
    } catch {
        await connection.close()
        throw error
    }
}
