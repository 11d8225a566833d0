namespace Finery.Cli;

/// <summary>The command line asks for something impossible. The message is for the user: what, where, what to do.</summary>
public sealed class UsageException(string message) : Exception(message);

/// <summary>Something needed is not on this machine. The message says what and how to get it.</summary>
public sealed class MissingPrerequisiteException(string message) : Exception(message);
