using System.Runtime.InteropServices;
using Finery.Workflow.Runs;

namespace Finery.Cli.Terminal;

/// <summary>
/// Ctrl-C and SIGTERM: the first asks the work to stop in order, the second ends the process at once. System.CommandLine's own
/// handling is switched off, as it kills the process after two seconds, which is no time for a checkpoint.
/// </summary>
public sealed class Interruption : IDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly PosixSignalRegistration[] _registrations;
    private readonly string _firstMessage;
    private int _signals;

    /// <summary>Starts to listen.</summary>
    /// <param name="firstMessage">What the first signal says on stderr.</param>
    public Interruption(string firstMessage)
    {
        _firstMessage = firstMessage;
        _registrations =
        [
            PosixSignalRegistration.Create(PosixSignal.SIGINT, context => Handle(context, ExitCode.SigInt)),
            PosixSignalRegistration.Create(PosixSignal.SIGTERM, context => Handle(context, ExitCode.SigTerm)),
        ];
    }

    /// <summary>Signalled by the first Ctrl-C or SIGTERM.</summary>
    public CancellationToken Stop => _stop.Token;

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var registration in _registrations) registration.Dispose();
        _stop.Dispose();
    }

    private void Handle(PosixSignalContext context, ExitCode exitCode)
    {
        context.Cancel = true;
        if (Interlocked.Increment(ref _signals) > 1) Environment.Exit((int)exitCode);
        Console.Error.WriteLine();
        Console.Error.WriteLine(_firstMessage);
        _stop.Cancel();
    }
}
