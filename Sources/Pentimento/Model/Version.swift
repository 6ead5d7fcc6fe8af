/// The release of the library and the command.
public let programVersion = "0.1.0"
