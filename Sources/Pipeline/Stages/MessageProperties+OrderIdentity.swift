package import ActorBus

extension MessageProperties {
    /// The order's identity where the message states it: in its `correlation_id`, if one of our services wrote it.
    ///
    /// Others use that property as they like, such as for the request that led to several orders, so theirs tells no
    /// order from another.
    package var orderIdentity: OrderIdentity? {
        guard let appID, ServiceKind.publishing.contains(where: { $0.appID == appID }),
            let correlationID, !correlationID.isEmpty
        else { return nil }
        return OrderIdentity(correlationID)
    }
}
