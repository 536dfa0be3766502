#if canImport(System)
    import System
#else
    import SystemPackage
#endif

/// A file without a name for what a child writes to standard error: it is read only when the child fails, and gone with
/// this process.
struct ErrorFile {
    let descriptor: FileDescriptor

    init() throws {
        let path = FilePath(ScratchFile.path("stderr", in: ScratchFile.systemFolder))
        descriptor = try FileDescriptor.open(
            path, .readWrite, options: [.create, .exclusiveCreate, .closeOnExec], permissions: .ownerReadWrite)
        ScratchFile.remove(path.string)
    }

    /// The beginning of it.
    func text() -> String {
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: 4096) { buffer, count in
            count =
                unsafe (try? descriptor.read(fromAbsoluteOffset: 0, into: UnsafeMutableRawBufferPointer(buffer))) ?? 0
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    func close() { try? descriptor.close() }
}
